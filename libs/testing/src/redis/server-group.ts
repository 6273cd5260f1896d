import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { RedisBinary } from './find-redis-binary.js';
import { withClient } from './identify-redis.js';
import { noRedisError } from './install-help.js';
import { findServerBinary, settle } from './launch-settings.js';
import { memberPort } from './member-port.js';
import type { LaunchSettings, RedisServer, StartRedisOptions } from './redis-server.interface.js';
import { RedisServerUnavailableError } from './redis-unavailable.error.js';
import { makeServerHome } from './server-home.js';
import { commonArguments, onPort, spawnIn, splitArgument } from './spawn-redis.js';

/** What servers that belong together can be told. */
export interface RedisGroupOptions extends Pick<StartRedisOptions, 'cacheFolder' | 'log'> {
  /**
   * Extra redis-server arguments for every server that holds data, given last so that they win: `['--appendonly',
   * 'yes']` or `['--appendonly yes']`. Passwords are not supported: the servers must be able to reach each other.
   */
  args?: readonly string[];
}

/** One server of a group: others know it by its host and port, which it keeps over `restart()`. */
export interface RedisNode extends RedisServer {
  /** Always `127.0.0.1`. */
  readonly host: string;
  readonly port: number;
}

/** How the members of a group differ from a single server, and from each other. */
interface MemberPlan {
  /** Behind the address and folders, before the caller's own. */
  args: readonly string[];
  /**
   * Lines of the configuration file it is started with. The server may rewrite the file, so what it has become (a
   * replica that was promoted) outlives a restart.
   */
  config?: readonly string[];
  withBus?: boolean;
}

/** A group may wait for this long until its members know each other; on a busy machine each step takes seconds. */
export const GROUP_TIMEOUT_MS = 60_000;
const MEMBER_TIMEOUT_MS = 30_000;
const ASK_TIMEOUT_MS = 5_000;
const CONFIG_NAME = 'redis.conf';

/** Starts the members of one group, all with the same program, and ends them. */
export class ServerGroup {
  private readonly members: Promise<RedisNode>[] = [];
  private stopping: Promise<void> | undefined;

  private constructor(
    private readonly binary: RedisBinary,
    private readonly settings: LaunchSettings,
  ) {}

  /**
   * Builds a group. When `build` fails, everything that it has started is stopped.
   *
   * Rejects with {@link RedisServerUnavailableError} when there is no server program (docker does not do: the members
   * must reach each other on the loopback), when a member does not start and when the group does not come together.
   */
  static async build<T>(options: RedisGroupOptions, build: (group: ServerGroup) => Promise<T>): Promise<T> {
    const settings = settle({ ...options, mode: 'test', listen: 'port' });
    const tried: string[] = [];
    const binary = await findServerBinary(settings, tried);
    if (binary === undefined) throw await noRedisError([...tried, 'docker: cannot run servers in a group']);
    const group = new ServerGroup(binary, settings);
    try {
      return await build(group);
    } catch (error) {
      await group.stop();
      if (error instanceof RedisServerUnavailableError) throw error;
      throw new RedisServerUnavailableError(
        `The Redis servers did not come together:\n  ${(error as Error).message}`,
      );
    }
  }

  /** A server that holds data. */
  startData(plan: MemberPlan): Promise<RedisNode> {
    return this.start({
      ...plan,
      args: [
        ...commonArguments('test'),
        ...['--enable-debug-command', 'local'],
        // A test does not wait for further replicas that might share a transfer.
        ...['--repl-diskless-sync-delay', '0'],
        // Replicas hear of a write offset at once, not after ten seconds: until then a cluster hides them.
        ...['--repl-ping-replica-period', '1'],
        ...plan.args,
        ...this.settings.args.flatMap(splitArgument),
      ],
    });
  }

  startSentinel(config: readonly string[]): Promise<RedisNode> {
    return this.start({ config, args: [] }, ['--sentinel']);
  }

  /** Ends every member at once and removes its folder. Nobody needs what they hold, so none is asked to save it. */
  stop(): Promise<void> {
    this.stopping ??= this.endAll();
    return this.stopping;
  }

  private async endAll(): Promise<void> {
    // When one could not be started, others may still be starting.
    const started = await Promise.allSettled(this.members);
    const servers = started.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []));
    await Promise.all(servers.map((server) => server.kill()));
    await Promise.all(servers.map((server) => server.stop()));
  }

  private start(plan: MemberPlan, firstArgs: readonly string[] = []): Promise<RedisNode> {
    const member = onPort(
      () => memberPort(plan.withBus ?? false),
      (port) => this.startOn(port, plan, firstArgs),
    );
    this.members.push(member);
    return member;
  }

  private async startOn(port: number, plan: MemberPlan, firstArgs: readonly string[]): Promise<RedisNode> {
    const home = await makeServerHome();
    const configFile = join(home, CONFIG_NAME);
    writeFileSync(configFile, (plan.config ?? []).map((line) => `${line}\n`).join(''));
    const server = await spawnIn({
      binary: this.binary,
      ...{ home, dataFolder: home, port, prefer: 'port' },
      configFile: [configFile, ...firstArgs],
      args: plan.args,
      readyTimeoutMs: MEMBER_TIMEOUT_MS,
      signalOnExit: 'SIGKILL',
    });
    return Object.assign(server, { host: '127.0.0.1', port });
  }
}

/** One command on a connection of its own; who does not answer in time is given up, with an Error. */
export function ask(
  node: RedisNode,
  command: readonly string[],
  timeoutMs = ASK_TIMEOUT_MS,
): Promise<unknown> {
  const [name = '', ...args] = command;
  return withClient(node.connection, (redis) => redis.call(name, ...args), timeoutMs);
}

/** Members that can be asked: neither down nor frozen. */
export function answering<N extends RedisNode>(nodes: readonly N[]): N[] {
  return nodes.filter(({ pid, frozen }) => pid !== undefined && !frozen);
}

/** A field of what INFO or CLUSTER INFO says. */
export function infoField(info: unknown, name: string): string | undefined {
  return new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(String(info))?.[1];
}
