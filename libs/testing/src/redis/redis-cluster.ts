import { waitFor } from '../wait-for.js';
import { joinNodes, SLOTS } from './cluster-build.js';
import { type ClusterFailoverOptions, promote } from './cluster-failover.js';
import { type MigrateSlotOptions, moveSlot } from './cluster-migration.js';
import { newestFirst, ownersIfWhole, owns, selfPortraits } from './cluster-view.js';
import { answering, ask, GROUP_TIMEOUT_MS } from './server-group.js';
import { type RedisGroupOptions, type RedisNode, ServerGroup } from './server-group.js';
import { checkWhole } from './whole-number.js';

/** Wishes for {@link startRedisCluster}. */
export interface StartRedisClusterOptions extends RedisGroupOptions {
  /** How many masters share the slots, evenly. Default 3; fewer cannot agree on a failover. */
  masters?: number;
  /** Default 1. */
  replicasPerMaster?: number;
  /**
   * `cluster-node-timeout`, in milliseconds: how long a node must be silent before the others find it dead. A dead
   * master is replaced after about two and a half times this. Default 1000.
   */
  nodeTimeoutMs?: number;
}

/** A node of a cluster. Its port, id, role and slots outlive `restart()`. */
export interface RedisClusterNode extends RedisNode {
  /** What the cluster calls it: 40 hexadecimal digits. */
  readonly id: string;
}

/** A cluster, and the handle to end it. */
export interface RedisCluster {
  /** All nodes: those that were masters at the start, in the order of their slots, then the replicas. */
  readonly nodes: readonly RedisClusterNode[];
  /** Every node's address: start-up nodes for `new Redis.Cluster(seeds)`. */
  readonly seeds: readonly { host: string; port: number }[];
  /** The slot of a key, from 0 to 16383. Rejects with an Error when no node answers. */
  slotOf(key: string): Promise<number>;
  /**
   * The node that owns the key's slot now. The nodes are asked about themselves; of two that claim the slot, the one
   * with the newer configuration is right. Rejects with an Error when no answering node owns it.
   */
  masterOf(key: string): Promise<RedisClusterNode>;
  /** The answering nodes that say that they follow this one now. */
  replicasOf(master: RedisClusterNode): Promise<RedisClusterNode[]>;
  /**
   * Moves a slot with its keys to another master, key by key, while clients go on using it. Resolves when all masters
   * know the new owner; does nothing when it owns the slot already. Given up half-way (a node died), the slot stays
   * half-way, and a further call goes on with it. Rejects with a RangeError for a slot outside 0 to 16383, and with
   * an Error when the target is not a master of this cluster or a node does not do its part.
   */
  migrateSlot(slot: number, to: RedisClusterNode, options?: MigrateSlotOptions): Promise<void>;
  /**
   * Makes a replica the master of its slots. Resolves once every node that is neither down nor frozen knows.
   * Rejects with an Error when it is not a replica, its master is down (unless `force`), or not everybody knows after
   * 60 seconds.
   *
   * A further one of the same slots right after may take about six seconds: no master votes twice within two on
   * the same master. Leave four seconds (four times `nodeTimeoutMs`, if that is longer) between a replica's promotion and the failure
   * of a master that makes the same node take over again: Redis 7.0 counts the votes of the first election for the
   * second, and the others do not follow.
   */
  failover(replica: RedisClusterNode, options?: ClusterFailoverOptions): Promise<void>;
  /**
   * Resolves once the cluster is whole, as after the start: all nodes are up and know each other, say that the
   * cluster's state is ok, agree on the owner of every slot, and list every replica in CLUSTER SLOTS. Rejects with an
   * Error after `timeoutMs` (default 60000), so also while a node is down or frozen.
   */
  untilReady(timeoutMs?: number): Promise<void>;
  /** Kills every node, frozen ones too, and removes their folders. May be called again. */
  stop(): Promise<void>;
}

/**
 * Starts a private cluster on ports of 127.0.0.1 (each with its bus port, 10000 above), and answers once it is whole,
 * see {@link RedisCluster.untilReady}. The nodes keep nothing but their part in the cluster unless `args` says so, and
 * end with this process. Slots without an owner do not stop the others (`cluster-require-full-coverage no`), a replica
 * may be promoted however long its link was down (`cluster-replica-validity-factor 0`), and stays with its master
 * (`cluster-allow-replica-migration no`).
 *
 * Environment variables that name a server are ignored. Rejects with `RedisServerUnavailableError` when there is no
 * server program (docker does not do) or the nodes do not come together, with a RangeError when a number is not a
 * whole one in its bounds (`masters` and `nodeTimeoutMs` from 1, `replicasPerMaster` from 0).
 */
export async function startRedisCluster(options: StartRedisClusterOptions = {}): Promise<RedisCluster> {
  const { masters = 3, replicasPerMaster = 1, nodeTimeoutMs = 1_000, ...groupOptions } = options;
  checkWhole('masters', masters, 1, SLOTS);
  checkWhole('replicasPerMaster', replicasPerMaster, 0);
  checkWhole('nodeTimeoutMs', nodeTimeoutMs);

  return ServerGroup.build(groupOptions, async (group) => {
    const nodes = await Promise.all(
      Array.from({ length: masters * (1 + replicasPerMaster) }, () => startNode(group, nodeTimeoutMs)),
    );
    const owners = nodes.slice(0, masters);
    const followers = nodes.slice(masters);
    await joinNodes(
      owners,
      followers.map((node, i) => ({ node, of: owners[i % masters] as RedisClusterNode })),
    );
    const expected = { nodes: nodes.length, replicas: followers.length };
    await whole(nodes, expected);
    return {
      nodes,
      seeds: nodes.map(({ host, port }) => ({ host, port })),
      slotOf: (key) => slotOf(nodes, key),
      masterOf: async (key) => ownerOf(nodes, await slotOf(nodes, key)),
      replicasOf: (master) => replicasOf(nodes, master),
      migrateSlot: (slot, to, how = {}) => migrate(nodes, slot, to, how),
      failover: (replica, how = {}) => promote(nodes, replica, how),
      untilReady: (timeoutMs) => whole(nodes, expected, timeoutMs),
      stop: () => group.stop(),
    };
  });
}

type Nodes = readonly RedisClusterNode[];

async function startNode(group: ServerGroup, nodeTimeoutMs: number): Promise<RedisClusterNode> {
  const node = await group.startData({
    withBus: true,
    args: [
      ...['--cluster-enabled', 'yes', '--cluster-config-file', 'nodes.conf'],
      ...['--cluster-node-timeout', String(nodeTimeoutMs)],
      ...['--cluster-require-full-coverage', 'no'],
      ...['--cluster-replica-validity-factor', '0'],
      ...['--cluster-allow-replica-migration', 'no'],
    ],
  });
  return Object.assign(node, { id: String(await ask(node, ['CLUSTER', 'MYID'])) });
}

async function slotOf(nodes: Nodes, key: string): Promise<number> {
  const [node] = answering(nodes);
  if (node === undefined) throw new Error('Every node of the cluster is down or frozen');
  return Number(await ask(node, ['CLUSTER', 'KEYSLOT', key]));
}

async function ownerOf(nodes: Nodes, slot: number): Promise<RedisClusterNode> {
  const claims = (await selfPortraits(nodes)).filter((self) => owns(self, slot)).toSorted(newestFirst);
  const [newest] = claims;
  if (newest === undefined) throw new Error(`No node that answers owns slot ${slot}`);
  return newest.node;
}

async function replicasOf(nodes: Nodes, master: RedisClusterNode): Promise<RedisClusterNode[]> {
  const selves = await selfPortraits(nodes);
  return selves.filter(({ masterId }) => masterId === master.id).map(({ node }) => node);
}

async function migrate(
  nodes: Nodes,
  slot: number,
  to: RedisClusterNode,
  options: MigrateSlotOptions,
): Promise<void> {
  checkWhole('slot', slot, 0, SLOTS - 1);
  const masters = (await selfPortraits(nodes)).filter(({ masterId }) => masterId === undefined);
  if (!masters.some(({ id }) => id === to.id)) {
    throw new Error(`Node ${to.id} is not an answering master of this cluster`);
  }
  const from = await ownerOf(nodes, slot);
  if (from.id === to.id) return;
  await moveSlot(slot, { from, to, masters: masters.map(({ node }) => node) }, options);
}

async function whole(
  nodes: Nodes,
  expected: { nodes: number; replicas: number },
  timeoutMs = GROUP_TIMEOUT_MS,
): Promise<void> {
  await waitFor(
    async () => {
      const owners = await Promise.all(nodes.map((node) => ownersIfWhole(node, expected)));
      return owners[0] !== undefined && new Set(owners).size === 1;
    },
    { what: 'the cluster to be whole', timeoutMs, intervalMs: 50 },
  );
}
