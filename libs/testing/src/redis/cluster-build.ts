import { waitFor } from '../wait-for.js';
import { nodesSeenBy } from './cluster-view.js';
import { withClient } from './identify-redis.js';
import { ask, GROUP_TIMEOUT_MS, type RedisNode } from './server-group.js';

export const SLOTS = 16_384;

/** Makes a cluster of nodes that know nothing of each other yet: the masters share the slots evenly. */
export async function joinNodes(
  masters: readonly Joining[],
  replicas: readonly { node: Joining; of: Joining }[],
): Promise<void> {
  const all = [...masters, ...replicas.map(({ node }) => node)];
  // Different from the start, so that the nodes need not settle whose is whose. Allowed only before they meet.
  await Promise.all(all.map((node, i) => ask(node, ['CLUSTER', 'SET-CONFIG-EPOCH', String(i + 1)])));
  await Promise.all(
    masters.map((master, i) => {
      const first = Math.floor((i * SLOTS) / masters.length);
      const last = Math.floor(((i + 1) * SLOTS) / masters.length) - 1;
      return ask(master, ['CLUSTER', 'ADDSLOTSRANGE', String(first), String(last)]);
    }),
  );
  await meet(all);
  await Promise.all(replicas.map(({ node, of }) => follow(node, of)));
}

type Joining = RedisNode & { readonly id: string };

/** Every one is introduced to every other: by hearsay alone they need a second or two. */
async function meet(nodes: readonly RedisNode[]): Promise<void> {
  await Promise.all(
    nodes.map((node, i) =>
      withClient(
        node.connection,
        async (redis) => {
          for (const { host, port } of nodes.slice(i + 1))
            await redis.call('CLUSTER', 'MEET', host, String(port));
        },
        GROUP_TIMEOUT_MS,
      ),
    ),
  );
}

async function follow(replica: Joining, master: Joining): Promise<void> {
  await waitFor(
    async () => {
      const known = await nodesSeenBy(replica);
      return known.some(({ id, flags }) => id === master.id && !flags.includes('handshake'));
    },
    { what: 'a replica to know its master', timeoutMs: GROUP_TIMEOUT_MS, intervalMs: 20 },
  );
  await ask(replica, ['CLUSTER', 'REPLICATE', master.id]);
}
