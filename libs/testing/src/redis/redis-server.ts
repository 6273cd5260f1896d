import { join } from 'node:path';
import { findDevInstance, publishDevInstance, runFolder } from './dev-instance.js';
import { findDockerEngine, runRedisInDocker } from './docker-redis.js';
import { useNamedServer } from './external-redis.js';
import { withFileLock } from './file-lock.js';
import { noRedisError } from './install-help.js';
import { findServerBinary, settle } from './launch-settings.js';
import { ensureCacheFolder } from './project-folder.js';
import type { LaunchSettings, RedisServer, StartRedisOptions } from './redis-server.interface.js';
import { spawnRedis } from './spawn-redis.js';

/** Long enough for another terminal's start to download a server and load a large AOF. */
const DEV_LOCK_TIMEOUT_MS = 600_000;

/**
 * Gives you a Redis without any set-up. Looks, in this order, at
 *
 * 1. the server named by `TEST_REDIS_URL` (test mode; refused when its database is not empty, unless
 *    `TEST_REDIS_FORCE=1`) or `REDIS_URL` (dev mode): connected to, never configured, flushed or stopped;
 * 2. this project's running dev instance (dev mode);
 * 3. `REDIS_SERVER_BIN`, then `valkey-server` and `redis-server` (7.0 or newer) on PATH;
 * 4. the server that an earlier start downloaded into the cache folder;
 * 5. apt: downloads redis-tools into the cache folder, without root and without installing anything
 *    (`REDIS_AUTO_DOWNLOAD=0` turns it off);
 * 6. docker, if its engine works.
 *
 * A server on 127.0.0.1:6379 is never used by itself. From step 3 on the server is private, does not evict, and
 * ends with this process even when that is killed with SIGKILL; end it with `stop()`. Defaults: test mode, unix
 * socket, see {@link StartRedisOptions}.
 *
 * Rejects with {@link RedisServerUnavailableError} when there is none (a screen with the command for each system),
 * when the server named by a URL does not answer, and when the server found does not start (with its last words).
 */
export async function startRedisServer(options: StartRedisOptions = {}): Promise<RedisServer> {
  const settings = settle(options);
  return settings.mode === 'dev' ? devServer(settings) : testServer(settings);
}

async function testServer(settings: LaunchSettings): Promise<RedisServer> {
  const named = process.env['TEST_REDIS_URL'];
  // A foreign server cannot be given arguments, so who needs them needs a server of their own.
  if (named && settings.args.length === 0) return useNamedServer('TEST_REDIS_URL', named);
  return ownServer(settings);
}

async function devServer(settings: LaunchSettings): Promise<RedisServer> {
  const named = process.env['REDIS_URL'];
  if (named) return useNamedServer('REDIS_URL', named);
  ensureCacheFolder(settings.cacheFolder);
  // Two servers must never write to the same data: who finds none starts it before another may look.
  const lock = join(runFolder(settings.cacheFolder), 'dev.lock');
  return withFileLock(lock, DEV_LOCK_TIMEOUT_MS, async () => {
    const running = await findDevInstance(settings);
    if (running !== undefined) return running;
    return publishDevInstance(await ownServer(settings), settings.cacheFolder);
  });
}

async function ownServer(settings: LaunchSettings): Promise<RedisServer> {
  const tried: string[] = [];
  const binary = await findServerBinary(settings, tried);
  if (binary !== undefined) return spawnRedis(binary, settings);

  const docker = await findDockerEngine(tried);
  if (docker !== undefined) return runRedisInDocker(docker, settings);
  throw await noRedisError(tried);
}
