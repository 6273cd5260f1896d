import { waitFor } from '../wait-for.js';
import { nodesSeenBy, selfPortraits } from './cluster-view.js';
import { answering, ask, GROUP_TIMEOUT_MS, type RedisNode } from './server-group.js';

/** How a failover that a test asks for goes about it. */
export interface ClusterFailoverOptions {
  /**
   * `false` (default): the master hands over, nothing that it acknowledged is lost. `true`: without the master and
   * without asking the others (`CLUSTER FAILOVER TAKEOVER`), for a master that is down or frozen.
   */
  force?: boolean;
}

type Node = RedisNode & { readonly id: string };

/** After 5 seconds a node gives up. The others may have refused because they voted on the same master just before. */
const TRY_AGAIN_AFTER_MS = 6_000;

/** Makes a replica the master of its slots, and waits until every answering node knows. */
export async function promote(
  nodes: readonly Node[],
  replica: Node,
  { force = false }: ClusterFailoverOptions,
): Promise<void> {
  if (!(await isReplica(replica))) throw new Error(`Node ${replica.id} is not an answering replica`);
  // A node that won an election in the last seconds takes those votes for new ones, and takes over with the epoch of
  // that time, which the others refuse when there has been a newer one. So it is given the newest beforehand.
  await ask(replica, ['CLUSTER', 'BUMPEPOCH']);
  const start = (): Promise<unknown> => ask(replica, ['CLUSTER', 'FAILOVER', ...(force ? ['TAKEOVER'] : [])]);
  await start();

  let tryAgainAt = performance.now() + TRY_AGAIN_AFTER_MS;
  await waitFor(
    async () => {
      if (performance.now() > tryAgainAt && (await isReplica(replica))) {
        tryAgainAt = performance.now() + TRY_AGAIN_AFTER_MS;
        await start();
      }
      const views = await Promise.all(answering(nodes).map(nodesSeenBy));
      return views.every((known) =>
        known.some(({ id, masterId, slots }) => id === replica.id && !masterId && slots.length > 0),
      );
    },
    { what: 'every node to know the new master', timeoutMs: GROUP_TIMEOUT_MS, intervalMs: 20 },
  );
}

async function isReplica(node: RedisNode): Promise<boolean> {
  const [self] = await selfPortraits([node]);
  return self?.masterId !== undefined;
}
