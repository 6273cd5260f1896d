import { mkdirSync, realpathSync, symlinkSync } from 'node:fs';
import { basename, join } from 'node:path';
import { bindToParent } from './die-with-parent.js';
import { binaryEnvironment, type RedisBinary, serverName } from './find-redis-binary.js';
import { freePort } from './free-port.js';
import { rethrowAsUnavailable, startOwnServer } from './own-server.js';
import type { LaunchSettings, RedisServer } from './redis-server.interface.js';
import { makeServerHome, SOCKET_NAME } from './server-home.js';
import { type ProcessPlan, ServerProcess, ServerStartError } from './server-process.js';

const PORT_TAKEN = /address already in use/i;
const PORT_ATTEMPTS = 10;
/** A dev instance may have a large AOF to load. */
const READY_TIMEOUT_MS = { test: 15_000, dev: 120_000 };

/**
 * Starts this program as a private server: socket and loopback only, no eviction, ends with this process. In test
 * mode it keeps nothing; in dev mode it also listens on a port, and keeps an AOF in the cache folder.
 */
export async function spawnRedis(binary: RedisBinary, settings: LaunchSettings): Promise<RedisServer> {
  const { mode } = settings;
  const withPort = mode === 'dev' || settings.listen === 'port';
  return onPort(withPort ? freePort : () => Promise.resolve(undefined), async (port) => {
    const home = await makeServerHome();
    const dataFolder = mode === 'dev' ? devDataFolder(settings.cacheFolder) : home;
    return spawnIn({
      binary,
      ...{ home, dataFolder, port, prefer: settings.listen },
      configFile: [],
      args: [
        ...commonArguments(mode),
        ...['--enable-debug-command', 'local'],
        ...settings.args.flatMap(splitArgument),
      ],
      readyTimeoutMs: READY_TIMEOUT_MS[mode],
      signalOnExit: mode === 'dev' ? 'SIGTERM' : 'SIGKILL',
    });
  });
}

/** A server as {@link spawnIn} starts it. */
export interface SpawnPlan extends Pick<ProcessPlan, 'readyTimeoutMs' | 'signalOnExit'> {
  binary: RedisBinary;
  /** From `makeServerHome()`. */
  home: string;
  dataFolder: string;
  port: number | undefined;
  prefer: 'socket' | 'port';
  /** The path of its configuration file, or nothing. */
  configFile: readonly string[];
  /** Behind those for its addresses and folders. */
  args: readonly string[];
}

/** Starts a server on its socket and, if given, its port; `restart()` runs the very same command again. */
export async function spawnIn(plan: SpawnPlan): Promise<RedisServer> {
  const { binary, home, dataFolder, port, prefer, readyTimeoutMs, signalOnExit } = plan;
  // There is always a socket, in a folder that is nobody else's: who answers there is surely our server.
  const socketPath = join(home, SOCKET_NAME);
  const args = [
    ...plan.configFile,
    ...['--port', String(port ?? 0), '--bind', '127.0.0.1', '--protected-mode', 'yes'],
    ...['--unixsocket', socketPath, '--unixsocketperm', '700'],
    ...['--dir', dataFolder],
    ...plan.args,
  ];
  const bound = await bindToParent(runnablePath(binary, home), args, signalOnExit);
  const env = binaryEnvironment(binary.libraryPath);
  return startOwnServer({
    source: binary.source,
    version: binary.version,
    ...{ socketPath, port, prefer, dataFolder },
    temporaryFolder: home,
    pidIsTheServers: true,
    boot: () =>
      ServerProcess.start({ ...bound, env, ping: { path: socketPath }, readyTimeoutMs, signalOnExit }),
  });
}

/**
 * Between finding a free port and listening on it, another process can be faster: then on another one. Rejects with
 * `RedisServerUnavailableError`.
 */
export async function onPort<P extends number | undefined, S extends RedisServer>(
  choose: () => Promise<P>,
  start: (port: P) => Promise<S>,
): Promise<S> {
  for (let attempt = 1; ; attempt += 1) {
    const port = await choose();
    try {
      return await start(port);
    } catch (error) {
      const portTaken =
        port !== undefined && error instanceof ServerStartError && PORT_TAKEN.test(error.message);
      if (!portTaken || attempt >= PORT_ATTEMPTS) rethrowAsUnavailable(error);
    }
  }
}

/** What makes it a server for the queue, wherever it runs. */
export function commonArguments(mode: 'test' | 'dev'): string[] {
  const persistence =
    mode === 'dev' ? ['--appendonly', 'yes', '--appendfsync', 'everysec'] : ['--appendonly', 'no'];
  return ['--save', '', ...persistence, '--maxmemory-policy', 'noeviction', '--daemonize', 'no'];
}

/** `--maxmemory 10mb` given as one argument. */
export function splitArgument(argument: string): string[] {
  const parts = /^(--\S+)\s+(.*)$/.exec(argument);
  return parts === null ? [argument] : [parts[1] ?? '', parts[2] ?? ''];
}

/** The dev instance's data, by its real path: that is what the server reports as its `dir`. */
export function devDataFolder(cacheFolder: string): string {
  const folder = join(cacheFolder, 'data');
  mkdirSync(folder, { recursive: true });
  return realpathSync(folder);
}

/** A check-rdb program is a server under another name; the name is all that a link has to change. */
function runnablePath(binary: RedisBinary, home: string): string {
  if (serverName(binary.path) === basename(binary.path)) return binary.path;
  const link = join(home, serverName(binary.path));
  symlinkSync(binary.path, link);
  return link;
}
