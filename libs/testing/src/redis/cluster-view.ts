import { answering, ask, infoField, type RedisNode } from './server-group.js';

/** One line of CLUSTER NODES: what a node knows about another, or about itself. */
export interface KnownNode {
  id: string;
  flags: readonly string[];
  /** The id of the node that it follows; undefined for a master. */
  masterId: string | undefined;
  /** The higher one is right where two claim the same slot. */
  configEpoch: number;
  isLinked: boolean;
  /** Both ends included. */
  slots: readonly (readonly [first: number, last: number])[];
}

/** A view that takes longer is not one of this moment any more. */
const VIEW_MS = 2_000;

/** What this node knows about every node. */
export async function nodesSeenBy(node: RedisNode): Promise<KnownNode[]> {
  const lines = String(await ask(node, ['CLUSTER', 'NODES'], VIEW_MS)).split('\n');
  return lines.filter((line) => line.trim() !== '').map(parseLine);
}

/** Only what each answering node says about itself: what others say about it may be old. */
export async function selfPortraits<N extends RedisNode>(
  nodes: readonly N[],
): Promise<(KnownNode & { node: N })[]> {
  const asked = await Promise.allSettled(
    answering(nodes).map(async (node) => {
      const self = (await nodesSeenBy(node)).find(({ flags }) => flags.includes('myself'));
      if (self === undefined) throw new Error('A node that does not know itself');
      return { ...self, node };
    }),
  );
  return asked.flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value] : []));
}

export function owns({ slots }: KnownNode, slot: number): boolean {
  return slots.some(([first, last]) => first <= slot && slot <= last);
}

/** Whether one of two masters whose claims may overlap is newer. */
export function newestFirst(a: KnownNode, b: KnownNode): number {
  return b.configEpoch - a.configEpoch;
}

/** Whether the cluster is whole in this node's eyes, and who owns what: all nodes should give the same answer. */
export async function ownersIfWhole(
  node: RedisNode,
  expected: { nodes: number; replicas: number },
): Promise<string | undefined> {
  const [info, replication, listed, known] = await Promise.all([
    ask(node, ['CLUSTER', 'INFO'], VIEW_MS),
    ask(node, ['INFO', 'replication'], VIEW_MS),
    ask(node, ['CLUSTER', 'SLOTS'], VIEW_MS),
    nodesSeenBy(node),
  ]);
  const replicas = known.filter(({ masterId }) => masterId !== undefined);
  const isWhole =
    infoField(info, 'cluster_state') === 'ok' &&
    ['up', undefined].includes(infoField(replication, 'master_link_status')) &&
    known.length === expected.nodes &&
    known.every(isWell) &&
    replicas.length === expected.replicas &&
    replicas.every((replica) => isListed(replica, known, listed));
  return isWhole
    ? JSON.stringify(known.map(({ id, slots }) => `${id} ${slots.join(' ')}`).toSorted())
    : undefined;
}

function parseLine(line: string): KnownNode {
  const [id = '', , flags = '', masterId, , , epoch, link, ...slots] = line.split(' ');
  return {
    id,
    flags: flags.split(','),
    masterId: masterId === '-' ? undefined : masterId,
    configEpoch: Number(epoch),
    isLinked: link === 'connected',
    // In brackets stand slots on the move, which the node owns or does not own all the same.
    slots: slots.filter((range) => !range.startsWith('[')).map(parseRange),
  };
}

function parseRange(range: string): [number, number] {
  const [first, last] = range.split('-');
  return [Number(first), Number(last ?? first)];
}

function isWell({ flags, isLinked }: KnownNode): boolean {
  const isIll = flags.some((flag) => ['fail', 'fail?', 'handshake', 'noaddr'].includes(flag));
  return isLinked && !isIll;
}

/** A replica is hidden from CLUSTER SLOTS while it has copied nothing; one of a master without slots is never there. */
function isListed(replica: KnownNode, known: readonly KnownNode[], listed: unknown): boolean {
  const master = known.find(({ id }) => id === replica.masterId);
  if (master === undefined || master.slots.length === 0) return master !== undefined;
  return JSON.stringify(listed).includes(replica.id);
}
