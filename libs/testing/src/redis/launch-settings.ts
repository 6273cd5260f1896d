import { resolve } from 'node:path';
import { fetchRedisWithApt } from './apt-redis.js';
import { findCachedBinary, findSystemBinary, type RedisBinary } from './find-redis-binary.js';
import { defaultCacheFolder } from './project-folder.js';
import type { LaunchSettings, StartRedisOptions } from './redis-server.interface.js';

/** The options with their defaults. */
export function settle(options: StartRedisOptions): LaunchSettings {
  const folder = options.cacheFolder ?? defaultCacheFolder();
  return {
    mode: options.mode ?? 'test',
    listen: options.listen ?? 'socket',
    args: options.args ?? [],
    cacheFolder: resolve(folder),
    log: options.log ?? ((line) => void process.stderr.write(`${line}\n`)),
  };
}

/**
 * A program to run servers of our own with: on this system, else in the cache folder, else fetched with apt. Answers
 * undefined, with the reasons in `tried`, when there is none.
 */
export async function findServerBinary(
  { cacheFolder, log }: LaunchSettings,
  tried: string[],
): Promise<RedisBinary | undefined> {
  return (
    (await findSystemBinary(tried, log)) ??
    (await findCachedBinary(cacheFolder, tried)) ??
    (await fetchRedisWithApt(cacheFolder, tried, log))
  );
}
