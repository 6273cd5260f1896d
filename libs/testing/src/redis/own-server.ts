import { identify } from './identify-redis.js';
import type { RedisConnection, RedisServer, RedisSource } from './redis-server.interface.js';
import { RedisServerUnavailableError } from './redis-unavailable.error.js';
import { removeServerHome } from './server-home.js';
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
  /** From `makeServerHome()`; removed once the server is stopped. */
  temporaryFolder: string | undefined;
  cleanUp?(): Promise<void>;
}

/** Starts a server of ours and hands out its handle. Rejects with {@link RedisServerUnavailableError}. */
export async function startOwnServer(plan: OwnServerPlan): Promise<RedisServer> {
  const giveUp = async (): Promise<void> => {
    if (plan.temporaryFolder !== undefined) removeServerHome(plan.temporaryFolder);
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
  let restarting: Promise<unknown> = Promise.resolve();
  return {
    ...addresses,
    source: plan.source,
    version,
    dataFolder: plan.dataFolder,
    get pid() {
      return plan.pidIsTheServers ? server.pid : undefined;
    },
    get frozen() {
      return server.frozen;
    },
    stop() {
      // What a restart is just bringing up must not be left behind.
      stopping ??= restarting.then(() => server.terminate()).then(giveUp);
      return stopping;
    },
    kill() {
      return server.kill();
    },
    async freeze() {
      // What we hold is the docker client: freezing that would leave the server running.
      if (!plan.pidIsTheServers) throw new Error('A Redis server in docker cannot be frozen');
      if (server.pid === undefined) throw new Error('This Redis server does not run, so it cannot be frozen');
      server.freeze();
    },
    async thaw() {
      if (server.frozen) server.thaw();
    },
    async restart() {
      if (stopping !== undefined) throw new Error('This Redis server was stopped; start a new one');
      const booting = restarting
        .then(() => server.terminate())
        .then(async () => {
          server = await plan.boot();
        });
      restarting = booting.catch(() => undefined);
      await booting.catch(rethrowAsUnavailable);
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
