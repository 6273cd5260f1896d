import { createHash, randomBytes } from 'node:crypto';
import { freePort } from './free-port.js';
import { rethrowAsUnavailable, startOwnServer } from './own-server.js';
import type { LaunchSettings, RedisServer } from './redis-server.interface.js';
import { findOnPath, runCommand } from './run-command.js';
import { ServerProcess, ServerStartError } from './server-process.js';
import { commonArguments, splitArgument } from './spawn-redis.js';

const IMAGE = 'valkey/valkey:8';
/** Where a container of ours keeps its data; what `CONFIG GET dir` says there. */
export const DOCKER_DATA_FOLDER = '/data';
const ENGINE_TIMEOUT_MS = 3_000;
/** The first start pulls the image. */
const READY_TIMEOUT_MS = 300_000;
const PORT_TAKEN = /port is already allocated|address already in use/i;
const PORT_ATTEMPTS = 10;

/**
 * Inside the container: the server ends when the docker client's input does, that is when the process that started
 * it is gone, however it went. `exec` keeps the server at the shell's own pid, which the watching child signals.
 */
const SERVE_WHILE_INPUT_LASTS =
  'exec 3<&0; (cat <&3 >/dev/null; kill -TERM "$$") & exec valkey-server "$@" </dev/null';

/** The docker client, if an engine answers: the client alone proves nothing. */
export async function findDockerEngine(tried: string[]): Promise<string | undefined> {
  const docker = findOnPath('docker');
  if (docker === undefined) {
    tried.push('docker: not on this system');
    return undefined;
  }
  const info = await runCommand(docker, ['info', '--format', '{{.ServerVersion}}'], {
    timeoutMs: ENGINE_TIMEOUT_MS,
  });
  if (info.failure === undefined && info.stdout.trim() !== '') return docker;
  tried.push(`docker: no working engine (${info.failure ?? 'it tells no version'})`);
  return undefined;
}

/** A private Valkey in a container, published on a free port of 127.0.0.1 only, removed when it ends. */
export async function runRedisInDocker(docker: string, settings: LaunchSettings): Promise<RedisServer> {
  settings.log(`taskq: no Redis found; running ${IMAGE} with docker`);
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await runOn(docker, settings, await freePort());
    } catch (error) {
      const portTaken = error instanceof ServerStartError && PORT_TAKEN.test(error.message);
      if (!portTaken || attempt >= PORT_ATTEMPTS) rethrowAsUnavailable(error);
    }
  }
}

async function runOn(docker: string, settings: LaunchSettings, port: number): Promise<RedisServer> {
  const { mode, cacheFolder } = settings;
  const id = randomBytes(6).toString('hex');
  const project = createHash('sha256').update(cacheFolder).digest('hex').slice(0, 12);
  // A named volume outlives the container, so that restart() finds its data and a dev instance its queue.
  const volume = mode === 'dev' ? `taskq-redis-${project}` : `taskq-redis-${id}`;
  let starts = 0;
  const boot = (): Promise<ServerProcess> => {
    starts += 1;
    const container = `taskq-redis-${id}-${starts}`;
    return ServerProcess.start({
      command: docker,
      args: [
        ...['run', '--rm', '--interactive', '--name', container, '--label', `taskq.project=${project}`],
        ...(process.env['REDIS_AUTO_DOWNLOAD'] === '0' ? ['--pull', 'never'] : []),
        ...['--publish', `127.0.0.1:${port}:6379`, '--volume', `${volume}:${DOCKER_DATA_FOLDER}`],
        ...['--entrypoint', 'sh', IMAGE, '-c', SERVE_WHILE_INPUT_LASTS, 'sh'],
        // The host's loopback is not the container's: what may connect is decided by `--publish`.
        ...['--port', '6379', '--protected-mode', 'no', '--dir', DOCKER_DATA_FOLDER],
        ...commonArguments(mode),
        ...['--enable-debug-command', 'yes'],
        ...settings.args.flatMap(splitArgument),
      ],
      env: process.env,
      ping: undefined,
      readyTimeoutMs: READY_TIMEOUT_MS,
      needsWatchdog: false,
      signalOnExit: 'SIGTERM',
      relay: {
        killNow: async () => void (await runCommand(docker, ['kill', container], { timeoutMs: 10_000 })),
      },
    });
  };
  return startOwnServer({
    source: 'docker',
    version: undefined,
    socketPath: undefined,
    port,
    prefer: 'port',
    dataFolder: undefined,
    temporaryFolder: undefined,
    pidIsTheServers: false,
    boot,
    cleanUp: async () => {
      if (mode === 'test')
        await runCommand(docker, ['volume', 'rm', '--force', volume], { timeoutMs: 10_000 });
    },
  });
}
