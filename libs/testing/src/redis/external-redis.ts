import { Redis } from 'ioredis';
import { identityOf, withClient } from './identify-redis.js';
import type { RedisConnection, RedisServer } from './redis-server.interface.js';
import { RedisServerUnavailableError } from './redis-unavailable.error.js';

/**
 * A server that the user named: it is asked whether it answers, and else left alone - never spawned, stopped,
 * configured or flushed. There is no falling through to another server: the user decided.
 */
export async function useNamedServer(
  variable: 'REDIS_URL' | 'TEST_REDIS_URL',
  url: string,
): Promise<RedisServer> {
  const connection = parseUrl(variable, url);
  const where = printable(connection);
  const answer = await withClient(connection, async (redis) => ({
    ...(await identityOf(redis)),
    keys: variable === 'TEST_REDIS_URL' ? await redis.dbsize() : 0,
  })).catch((error: unknown) => {
    throw new RedisServerUnavailableError(
      `${variable} names ${where}, but it cannot be used: ${(error as Error).message}.\n` +
        `Start that server or correct ${variable}; unset ${variable} to let taskq run a server of its own.`,
    );
  });
  // Tests write and delete; a database with data in it is somebody's.
  if (answer.keys > 0 && process.env['TEST_REDIS_FORCE'] !== '1') {
    throw new RedisServerUnavailableError(
      `TEST_REDIS_URL names ${where}, whose database holds ${answer.keys} keys: tests do not run against data.\n` +
        `Name an empty database (redis://host:port/15), or set TEST_REDIS_FORCE=1 if the keys may be lost.`,
    );
  }
  return foreignServer({ url, connection, addresses: [where], source: 'url', version: answer.version });
}

/** The handle of a server that is not ours to end. */
export function foreignServer(
  known: Pick<RedisServer, 'url' | 'connection' | 'addresses' | 'source' | 'version'> & {
    dataFolder?: string | undefined;
  },
): RedisServer {
  const notOurs = (): Promise<never> =>
    Promise.reject(
      new Error('This Redis server was not started here, so it is not ours to kill, freeze or restart'),
    );
  return {
    ...known,
    dataFolder: known.dataFolder,
    pid: undefined,
    frozen: false,
    stop: () => Promise.resolve(),
    kill: notOurs,
    freeze: notOurs,
    thaw: notOurs,
    restart: notOurs,
  };
}

/** Read by ioredis itself, so that the URL means the same here and in `new Redis(url)`. */
function parseUrl(variable: string, url: string): RedisConnection {
  try {
    const { path, host, port, username, password, db, tls } = new Redis(url, { lazyConnect: true }).options;
    const login = {
      ...(username ? { username } : {}),
      ...(password ? { password } : {}),
      ...(db ? { db } : {}),
    };
    if (path) return { path, ...login };
    return {
      host: host ?? 'localhost',
      port: port ?? 6379,
      ...login,
      ...(tls ? { tls: tlsOptions(tls) } : {}),
    };
  } catch {
    // The original error quotes its input, password and all.
    throw new RedisServerUnavailableError(
      `${variable} is not a Redis URL; write redis://[user:password@]host:port[/db], rediss://... or /path/to/socket`,
    );
  }
}

function tlsOptions(tls: unknown): object {
  return typeof tls === 'object' && tls !== null ? tls : {};
}

/** The address without the login. */
function printable(connection: RedisConnection): string {
  if ('path' in connection) return connection.path;
  const host = connection.host.includes(':') ? `[${connection.host}]` : connection.host;
  const db = connection.db ? `/${connection.db}` : '';
  return `${connection.tls ? 'rediss' : 'redis'}://${host}:${connection.port}${db}`;
}
