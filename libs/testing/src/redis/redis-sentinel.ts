import { checkWhole } from './whole-number.js';
import type { StartRedisReplicationOptions } from './redis-replication.js';
import { startLinked } from './redis-replication.js';
import { askPrimary, hurry, sentinelSeesAll } from './sentinel-view.js';
import { answering, ask, GROUP_TIMEOUT_MS, type RedisNode, ServerGroup } from './server-group.js';
import { waitFor } from '../wait-for.js';

/** Wishes for {@link startRedisSentinel}. `args` are for the data servers, not for the sentinels. */
export interface StartRedisSentinelOptions extends StartRedisReplicationOptions {
  /** How many sentinels. Default 3. */
  sentinels?: number;
  /** How many sentinels must find the primary dead before one of them may replace it. Default 2, or 1 with one sentinel. */
  quorum?: number;
  /** How long the primary must be silent to be found dead, in milliseconds. Default 500. */
  downAfterMs?: number;
  /** `failover-timeout`, in milliseconds: a failover that failed is tried again after twice this. Default 3000. */
  failoverTimeoutMs?: number;
}

/** A primary with replicas that sentinels watch, and the handle to end them all. */
export interface RedisSentinel {
  /** What the sentinels call the primary: `name` of the ioredis options. */
  readonly name: string;
  /** Where the sentinels listen: `sentinels` of the ioredis options. */
  readonly sentinels: readonly { host: string; port: number }[];
  /** The sentinels as servers, in the order of `sentinels`: to kill, freeze and restart. They hold no data. */
  readonly sentinelServers: readonly RedisNode[];
  /** The servers that hold data: the first primary first. */
  readonly servers: readonly RedisNode[];
  /**
   * The server that is the primary now, as the sentinels know: when they differ, the one with the newest
   * configuration is right. Rejects with an Error when no sentinel answers within 2 seconds.
   */
  primary(): Promise<RedisNode>;
  /**
   * Lets the sentinels make a replica the primary although nothing is wrong with the old one (`SENTINEL FAILOVER`),
   * which becomes a replica. Resolves once every sentinel that is neither down nor frozen names the new one. Rejects
   * with an Error when there is no fit replica, or after 60 seconds.
   */
  failover(): Promise<void>;
  /**
   * Resolves once every sentinel that is neither down nor frozen knows the same primary, all replicas and all other
   * sentinels, and finds them well, as after the start: that is also, after a failover, once the old primary is
   * back as a replica. Rejects with an Error after `timeoutMs` (default 60000).
   */
  untilReady(timeoutMs?: number): Promise<void>;
  /** Kills every server and sentinel, frozen ones too, and removes their folders. May be called again. */
  stop(): Promise<void>;
}

const NAME = 'taskq';

/**
 * Starts a private primary, its replicas and the sentinels that watch them, on ports of 127.0.0.1, and answers once
 * every sentinel knows all the others: from then on a failover works. They keep nothing unless `args` says so, and
 * end with this process. What a failover made of a server, and what a sentinel has learnt, is kept over `restart()`.
 *
 * The sentinels look and talk more often than by default, so that they know each other at once, and an old primary
 * that comes back is a replica after about five seconds. When they find the primary dead is `downAfterMs` alone.
 *
 * Environment variables that name a server are ignored. Rejects with `RedisServerUnavailableError` when there is no
 * server program (docker does not do) or the servers do not come together, with a RangeError when a number is not a
 * whole one of at least 1, or `quorum` is above `sentinels`.
 */
export async function startRedisSentinel(options: StartRedisSentinelOptions = {}): Promise<RedisSentinel> {
  const { replicas = 1, sentinels: count = 3, quorum = Math.min(2, count), ...others } = options;
  const { downAfterMs = 500, failoverTimeoutMs = 3_000, ...groupOptions } = others;
  for (const [name, value] of Object.entries({ replicas, count, downAfterMs, failoverTimeoutMs })) {
    checkWhole(name === 'count' ? 'sentinels' : name, value);
  }
  checkWhole('quorum', quorum, 1, count);

  return ServerGroup.build(groupOptions, async (group) => {
    const { primary, replicas: followers } = await startLinked(group, replicas);
    const servers = [primary, ...followers];
    // Only now: a sentinel that finds a replica missing looks for it again after ten seconds.
    const config = [
      `sentinel monitor ${NAME} ${primary.host} ${primary.port} ${quorum}`,
      `sentinel down-after-milliseconds ${NAME} ${downAfterMs}`,
      `sentinel failover-timeout ${NAME} ${failoverTimeoutMs}`,
    ];
    const sentinelServers = await Promise.all(
      Array.from({ length: count }, async () => hurried(await group.startSentinel(config))),
    );
    const view = { servers, sentinelServers };
    const untilReady = (timeoutMs?: number): Promise<void> => ready(view, timeoutMs);
    await untilReady();
    return {
      name: NAME,
      sentinels: sentinelServers.map(({ host, port }) => ({ host, port })),
      ...view,
      primary: () => currentPrimary(view),
      failover: () => replacePrimary(view),
      untilReady,
      stop: () => group.stop(),
    };
  });
}

type View = Pick<RedisSentinel, 'servers' | 'sentinelServers'>;

/** What {@link hurry} sets is lost with the process. */
async function hurried(sentinel: RedisNode): Promise<RedisNode> {
  const restart = sentinel.restart.bind(sentinel);
  await hurry(sentinel);
  return Object.assign(sentinel, {
    restart: async () => {
      await restart();
      await hurry(sentinel);
    },
  });
}

async function currentPrimary({ servers, sentinelServers }: View): Promise<RedisNode> {
  const asked = await Promise.allSettled(
    answering(sentinelServers).map((sentinel) => askPrimary(sentinel, NAME)),
  );
  const answers = asked.flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value] : []));
  const newest = answers.toSorted((a, b) => b.epoch - a.epoch)[0];
  const primary = servers.find(({ port }) => port === newest?.port);
  if (primary === undefined) throw new Error('No sentinel answers who is the primary');
  return primary;
}

async function replacePrimary(view: View): Promise<void> {
  const [sentinel] = answering(view.sentinelServers);
  if (sentinel === undefined) throw new Error('Every sentinel is down or frozen');
  const old = await currentPrimary(view);
  await ask(sentinel, ['SENTINEL', 'FAILOVER', NAME]);
  await waitFor(
    async () => {
      const answers = await Promise.all(answering(view.sentinelServers).map((s) => askPrimary(s, NAME)));
      return answers.every(({ port }) => port !== old.port);
    },
    { what: 'every sentinel to name a new primary', timeoutMs: GROUP_TIMEOUT_MS, intervalMs: 20 },
  );
}

async function ready(view: View, timeoutMs = GROUP_TIMEOUT_MS): Promise<void> {
  const { servers, sentinelServers } = view;
  const expected = { replicas: servers.length - 1, others: sentinelServers.length - 1 };
  await waitFor(
    async () => {
      const { port } = await currentPrimary(view);
      const seen = await Promise.all(
        answering(sentinelServers).map((sentinel) => sentinelSeesAll(sentinel, NAME, { port, ...expected })),
      );
      return seen.every(Boolean);
    },
    { what: 'the sentinels to know the servers and each other', timeoutMs, intervalMs: 20 },
  );
}
