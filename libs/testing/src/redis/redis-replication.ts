import { waitFor } from '../wait-for.js';
import { checkWhole } from './whole-number.js';
import { answering, ask, GROUP_TIMEOUT_MS, infoField } from './server-group.js';
import { type RedisGroupOptions, type RedisNode, ServerGroup } from './server-group.js';

/** Wishes for {@link startRedisReplication}. */
export interface StartRedisReplicationOptions extends RedisGroupOptions {
  /** How many replicas. Default 1. */
  replicas?: number;
}

/** A primary and its replicas, and the handle to end them. */
export interface RedisReplication {
  /** The server that was the primary at the start, whatever commands made of it since. */
  readonly primary: RedisNode;
  /** The servers that were replicas at the start. */
  readonly replicas: readonly RedisNode[];
  /**
   * Resolves once every replica that is neither down nor frozen has its link to its primary up (`master_link_status`
   * and the primary's own list), as after the start. Rejects with an Error after `timeoutMs` (default 60000).
   */
  untilLinked(timeoutMs?: number): Promise<void>;
  /** Kills every server, frozen ones too, and removes their folders. May be called again. */
  stop(): Promise<void>;
}

/**
 * Starts a private primary and its replicas on ports of 127.0.0.1, and answers once every replica's link is up. They
 * keep nothing unless `args` says so, end with this process, and each can be killed, frozen and restarted. A restarted
 * server keeps its address and the role that its configuration file names: a role that a command gave it
 * (`REPLICAOF`) is kept after `CONFIG REWRITE` only.
 *
 * Environment variables that name a server are ignored. Rejects with `RedisServerUnavailableError` when there is no
 * server program (docker does not do) or the servers do not come together, with a RangeError when `replicas` is not a
 * whole number of at least 1.
 */
export async function startRedisReplication(
  options: StartRedisReplicationOptions = {},
): Promise<RedisReplication> {
  const { replicas = 1, ...others } = options;
  checkWhole('replicas', replicas);
  return ServerGroup.build(others, async (group) => {
    const linked = await startLinked(group, replicas);
    return { ...linked, stop: () => group.stop() };
  });
}

/** Primary first, for its port; the replicas then start as such, and never hold a write of their own. */
export async function startLinked(
  group: ServerGroup,
  count: number,
): Promise<Omit<RedisReplication, 'stop'>> {
  const primary = await group.startData({ args: [] });
  const config = [`replicaof ${primary.host} ${primary.port}`];
  const replicas = await Promise.all(
    Array.from({ length: count }, () => group.startData({ args: [], config })),
  );
  const untilLinked = (timeoutMs?: number): Promise<void> =>
    waitUntilLinked([primary, ...replicas], timeoutMs);
  await untilLinked();
  return { primary, replicas, untilLinked };
}

async function waitUntilLinked(servers: readonly RedisNode[], timeoutMs = GROUP_TIMEOUT_MS): Promise<void> {
  await waitFor(
    async () => {
      const states = await Promise.all(answering(servers).map(replicationState));
      const replicas = states.filter(({ role }) => role === 'slave');
      const online = states.reduce((sum, { replicasOnline }) => sum + replicasOnline, 0);
      return replicas.every(({ isLinked }) => isLinked) && online >= replicas.length;
    },
    { what: 'the replicas to be linked to their primary', timeoutMs, intervalMs: 20 },
  );
}

async function replicationState(
  server: RedisNode,
): Promise<{ role: string | undefined; isLinked: boolean; replicasOnline: number }> {
  const info = await ask(server, ['INFO', 'replication']);
  return {
    role: infoField(info, 'role'),
    isLinked: infoField(info, 'master_link_status') === 'up',
    replicasOnline: [...String(info).matchAll(/^slave\d+:.*state=online/gm)].length,
  };
}
