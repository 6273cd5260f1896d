import { startRedisCluster, startRedisServer } from '@taskq/testing';
import { Redis } from 'ioredis';
import type { ServerKind } from '../cases/bench-case.js';
import { OWN_NAME } from '../measure/redis-facts.js';

const ARGUMENTS: Readonly<Record<Exclude<ServerKind, 'cluster'>, readonly string[]>> = {
  memory: ['--appendonly', 'no'],
  'append-only': ['--appendonly', 'yes', '--appendfsync', 'everysec'],
};

/** What is told of a kind: an address that contenders are given, and a connection to each of its primaries. */
interface Open {
  readonly admins: readonly Redis[];
  readonly version: string;
  readonly host: string;
  readonly port: number;
  stop(): Promise<void>;
}

/** The private servers of a run: one of each kind, started when it is first needed, over TCP on loopback as users have it. */
export class Servers {
  private readonly open = new Map<ServerKind, Promise<Open>>();

  /** A server of that kind with nothing in it. No trial may be running on it. */
  async empty(kind: ServerKind): Promise<{ readonly host: string; readonly port: number }> {
    const opened = this.open.get(kind) ?? start(kind);
    this.open.set(kind, opened);
    const { admins, host, port } = await opened;
    for (const admin of admins) {
      // This server was started for the benchmark alone and holds nothing of anybody else's.
      await admin.flushall('SYNC');
      await admin.script('FLUSH');
      await admin.config('RESETSTAT');
      await admin.slowlog('RESET');
    }
    return { host, port };
  }

  /** The version of the server, once one was started. */
  async version(): Promise<string> {
    const [first] = this.open.values();
    return first ? (await first).version : 'none';
  }

  async stop(): Promise<void> {
    for (const opened of this.open.values()) {
      const kind = await opened;
      for (const admin of kind.admins) admin.disconnect();
      await kind.stop();
    }
    this.open.clear();
  }
}

function start(kind: ServerKind): Promise<Open> {
  return kind === 'cluster' ? startCluster() : startServer(ARGUMENTS[kind]);
}

async function startServer(args: readonly string[]): Promise<Open> {
  const server = await startRedisServer({ listen: 'port', args: [...args] });
  const { connection } = server;
  if (!('port' in connection)) throw new Error('the private server has no port');
  const { host, port } = connection;
  return { admins: [adminOf(host, port)], version: server.version, host, port, stop: () => server.stop() };
}

async function startCluster(): Promise<Open> {
  const cluster = await startRedisCluster({ masters: 3, replicasPerMaster: 0 });
  const { nodes } = cluster;
  const [{ host, port, version }] = nodes as [(typeof nodes)[0]];
  const admins = nodes.map((node) => adminOf(node.host, node.port));
  return { admins, version, host, port, stop: () => cluster.stop() };
}

function adminOf(host: string, port: number): Redis {
  return new Redis({ host, port, connectionName: OWN_NAME });
}
