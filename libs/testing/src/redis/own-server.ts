import { rmSync } from 'node:fs';
import { identify } from './identify-redis.js';
import type { RedisConnection, RedisServer, RedisSource } from './redis-server.interface.js';
import { RedisServerUnavailableError } from './redis-unavailable.error.js';
import { type ServerProcess, ServerStartError } from './server-process.js';

/** A server of ours: how to start it (again), and what goes with it. */
export interface OwnServerPlan {
  source: RedisSource;
  /** Undefined when only the server itself can tell. */
  version: string | undefined;
  socketPath: string | undefined;
  port: number | undefined;
  prefer: 'socket' | 'port';
  dataFolder: string | undefined;
  /** Starts the process on the addresses above; called again by `restart()`. */
  boot(): Promise<ServerProcess>;
  /** False when the process is only a client of the server (docker). */
  pidIsTheServers: boolean;
  /** Removed once the server is stopped, also on the process's `exit`. */
  temporaryFolder: string | undefined;
  cleanUp?(): Promise<void>;
}

/** Starts a server of ours and hands out its handle. Rejects with {@link RedisServerUnavailableError}. */
export async function startOwnServer(plan: OwnServerPlan): Promise<RedisServer> {
  const removeFolder = (): void => {
    if (plan.temporaryFolder !== undefined) rmSync(plan.temporaryFolder, { recursive: true, force: true });
  };
  process.on('exit', removeFolder);
  const giveUp = async (): Promise<void> => {
    process.off('exit', removeFolder);
    removeFolder();
    await plan.cleanUp?.();
  };

  const addresses = addressesOf(plan);
  let server: ServerProcess;
  let version: string;
  try {
    server = await plan.boot();
    version = plan.version ?? (await askVersion(server, addresses.connection));
  } catch (error) {
    await giveUp();
    throw error;
  }

  let stopping: Promise<void> | undefined;
  return {
    ...addresses,
    source: plan.source,
    version,
    dataFolder: plan.dataFolder,
    get pid() {
      return plan.pidIsTheServers ? server.pid : undefined;
    },
    stop() {
      stopping ??= server.terminate().then(giveUp);
      return stopping;
    },
    kill() {
      return server.kill();
    },
    async restart() {
      if (stopping !== undefined) throw new Error('This Redis server was stopped; start a new one');
      await server.terminate();
      server = await plan.boot().catch(rethrowAsUnavailable);
    },
  };
}

async function askVersion(server: ServerProcess, connection: RedisConnection): Promise<string> {
  try {
    return (await identify(connection)).version;
  } catch (error) {
    await server.kill();
    throw error;
  }
}

/** For the end user a server that does not come up is a server that is not available. */
export function rethrowAsUnavailable(error: unknown): never {
  if (!(error instanceof ServerStartError)) throw error;
  throw new RedisServerUnavailableError(`The Redis server did not start:\n  ${error.message}`);
}

type Addresses = Pick<RedisServer, 'url' | 'addresses'> & { connection: RedisConnection };

function addressesOf({ socketPath, port, prefer }: OwnServerPlan): Addresses {
  const socket =
    socketPath === undefined
      ? []
      : [{ url: socketPath, connection: { path: socketPath } as RedisConnection }];
  const tcp =
    port === undefined
      ? []
      : [{ url: `redis://127.0.0.1:${port}`, connection: { host: '127.0.0.1', port } as RedisConnection }];
  const [chosen, ...others] = prefer === 'socket' ? [...socket, ...tcp] : [...tcp, ...socket];
  if (chosen === undefined) throw new Error('A Redis server needs a socket or a port');
  return { ...chosen, addresses: [chosen.url, ...others.map(({ url }) => url)] };
}
