import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DOCKER_DATA_FOLDER } from './docker-redis.js';
import { foreignServer } from './external-redis.js';
import { identify, identityOf, type RedisIdentity, withClient } from './identify-redis.js';
import type { LaunchSettings, RedisConnection, RedisServer } from './redis-server.interface.js';
import { RedisServerUnavailableError } from './redis-unavailable.error.js';
import { devDataFolder } from './spawn-redis.js';

/** What a dev instance leaves for other terminals, in `<cacheFolder>/run/dev.json`. */
interface DevRecord {
  /** What `INFO server` says, not what we spawned: in a container these differ. */
  processId: number;
  runId: string;
  dir: string;
  url: string;
  addresses: string[];
  dataFolder: string | null;
}

/**
 * This project's dev instance, if one runs. A record counts only if the server at its address has the recorded
 * process id and run id and works in our data folder. Otherwise it is stale (a crash, a reboot, a copied folder):
 * the record is deleted, and the process with that id - by now possibly anybody's - is left alone.
 */
export async function findDevInstance(settings: LaunchSettings): Promise<RedisServer | undefined> {
  const file = recordFile(settings.cacheFolder);
  const record = readRecord(file);
  if (record === undefined) {
    rmSync(file, { force: true });
    return undefined;
  }
  const ownFolder = record.dataFolder === null ? DOCKER_DATA_FOLDER : devDataFolder(settings.cacheFolder);
  for (const url of inWishedOrder(record.addresses, settings.listen)) {
    const connection = connectionOf(url);
    const answer = await askIdentity(connection, file);
    if (answer === undefined) continue;
    const isOurs =
      answer.processId === record.processId && answer.runId === record.runId && answer.dir === ownFolder;
    if (!isOurs) break;
    return foreignServer({
      url,
      connection,
      addresses: inWishedOrder(record.addresses, settings.listen),
      source: 'running',
      version: answer.version,
      dataFolder: record.dataFolder ?? undefined,
    });
  }
  rmSync(file, { force: true });
  return undefined;
}

/** Makes a server that we have just started known to other terminals, until it stops. */
export async function publishDevInstance(server: RedisServer, cacheFolder: string): Promise<RedisServer> {
  const file = recordFile(cacheFolder);
  const publish = async (): Promise<string> => {
    const { processId, runId } = await identify(server.connection);
    if (processId === undefined || runId === undefined) throw new Error('The server does not tell who it is');
    const dir = server.dataFolder ?? DOCKER_DATA_FOLDER;
    const record: DevRecord = {
      ...{ processId, runId, dir, url: server.url },
      ...{ addresses: [...server.addresses], dataFolder: server.dataFolder ?? null },
    };
    writeWhole(file, JSON.stringify(record, undefined, 2));
    return runId;
  };

  let runId = await publish().catch(async (error: unknown) => {
    await server.stop();
    throw error;
  });
  const withdraw = (): void => {
    if (readRecord(file)?.runId === runId) rmSync(file, { force: true });
  };
  process.on('exit', withdraw);
  return {
    ...server,
    get pid() {
      return server.pid;
    },
    get frozen() {
      return server.frozen;
    },
    async stop() {
      withdraw();
      process.off('exit', withdraw);
      await server.stop();
    },
    async restart() {
      await server.restart();
      runId = await publish();
    },
  };
}

/** Undefined when nobody is there. A server that is there but hangs may hold our data: never start a second one. */
async function askIdentity(
  connection: RedisConnection,
  file: string,
): Promise<(RedisIdentity & { dir: string | undefined }) | undefined> {
  try {
    return await withClient(connection, async (redis) => ({
      ...(await identityOf(redis)),
      dir: (await redis.config('GET', 'dir'))[1],
    }));
  } catch (error) {
    if (!/timed out|ETIMEDOUT/i.test((error as Error).message)) return undefined;
    throw new RedisServerUnavailableError(
      `The dev Redis recorded in ${file} accepts connections but does not answer; end it, or delete that file`,
    );
  }
}

function recordFile(cacheFolder: string): string {
  return join(runFolder(cacheFolder), 'dev.json');
}

export function runFolder(cacheFolder: string): string {
  const folder = join(cacheFolder, 'run');
  mkdirSync(folder, { recursive: true });
  return folder;
}

function readRecord(file: string): DevRecord | undefined {
  try {
    const record = JSON.parse(readFileSync(file, 'utf8')) as Partial<DevRecord>;
    const isWhole = typeof record.processId === 'number' && Array.isArray(record.addresses);
    return isWhole ? (record as DevRecord) : undefined;
  } catch {
    return undefined;
  }
}

function writeWhole(file: string, text: string): void {
  writeFileSync(`${file}.new`, text);
  renameSync(`${file}.new`, file);
}

function inWishedOrder(addresses: readonly string[], listen: 'socket' | 'port'): string[] {
  const isWished = (url: string): boolean => url.startsWith('/') === (listen === 'socket');
  return [...addresses.filter(isWished), ...addresses.filter((url) => !isWished(url))];
}

function connectionOf(url: string): RedisConnection {
  if (url.startsWith('/')) return { path: url };
  const { hostname, port } = new URL(url);
  return { host: hostname, port: Number(port) };
}
