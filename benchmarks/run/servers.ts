import { type RedisServer, startRedisServer } from '@taskq/testing';
import { Redis } from 'ioredis';
import type { ServerKind } from '../cases/bench-case.js';
import { OWN_NAME } from '../measure/redis-facts.js';

const ARGUMENTS: Readonly<Record<ServerKind, readonly string[]>> = {
  memory: ['--appendonly', 'no'],
  'append-only': ['--appendonly', 'yes', '--appendfsync', 'everysec'],
};

interface Open {
  readonly server: RedisServer;
  readonly admin: Redis;
  readonly host: string;
  readonly port: number;
}

/** The private servers of a run: one of each kind, started when it is first needed, over TCP on loopback as users have it. */
export class Servers {
  private readonly open = new Map<ServerKind, Promise<Open>>();

  /** A server of that kind with nothing in it. No trial may be running on it. */
  async empty(kind: ServerKind): Promise<{ readonly host: string; readonly port: number }> {
    const opened = this.open.get(kind) ?? start(kind);
    this.open.set(kind, opened);
    const { admin, host, port } = await opened;
    // This server was started for the benchmark alone and holds nothing of anybody else's.
    await admin.flushall('SYNC');
    await admin.script('FLUSH');
    await admin.config('RESETSTAT');
    await admin.slowlog('RESET');
    return { host, port };
  }

  /** The version of the server, once one was started. */
  async version(): Promise<string> {
    const [first] = this.open.values();
    return first ? (await first).server.version : 'none';
  }

  async stop(): Promise<void> {
    for (const opened of this.open.values()) {
      const { server, admin } = await opened;
      admin.disconnect();
      await server.stop();
    }
    this.open.clear();
  }
}

async function start(kind: ServerKind): Promise<Open> {
  const server = await startRedisServer({ listen: 'port', args: ARGUMENTS[kind] });
  const { connection } = server;
  if (!('port' in connection)) throw new Error('the private server has no port');
  const { host, port } = connection;
  return { server, admin: new Redis({ host, port, connectionName: OWN_NAME }), host, port };
}
