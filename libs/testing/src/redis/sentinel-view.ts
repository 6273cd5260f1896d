import { ask, type RedisNode } from './server-group.js';

/** One of the tables with which a sentinel answers: names and values by turns. */
type Fields = Readonly<Record<string, string>>;

const ANSWER_MS = 2_000;

/** Which address a sentinel takes for the primary's, and the age of that opinion: the higher epoch is the newer. */
export async function askPrimary(
  sentinel: RedisNode,
  name: string,
): Promise<{ port: number; epoch: number }> {
  const [address, state] = await Promise.all([
    ask(sentinel, ['SENTINEL', 'GET-MASTER-ADDR-BY-NAME', name], ANSWER_MS),
    ask(sentinel, ['SENTINEL', 'MASTER', name], ANSWER_MS),
  ]);
  // While a failover is under way, only the address is the new one's already.
  return { port: Number((address as string[])[1]), epoch: Number(fields(state)['config-epoch']) };
}

/** Whether a sentinel finds the primary at this port well, and so many replicas of it and other sentinels. */
export async function sentinelSeesAll(
  sentinel: RedisNode,
  name: string,
  expected: { port: number; replicas: number; others: number },
): Promise<boolean> {
  const [primary, replicas, others] = await Promise.all([
    ask(sentinel, ['SENTINEL', 'MASTER', name], ANSWER_MS),
    ask(sentinel, ['SENTINEL', 'REPLICAS', name], ANSWER_MS),
    ask(sentinel, ['SENTINEL', 'SENTINELS', name], ANSWER_MS),
  ]);
  const { port, flags } = fields(primary);
  // Any further flag says that something is wrong with it: s_down, disconnected, a failover under way.
  return (
    Number(port) === expected.port &&
    flags === 'master' &&
    count(replicas, (replica) => isWellReplica(replica, expected.port)) === expected.replicas &&
    count(others, (other) => other['flags'] === 'sentinel') === expected.others
  );
}

/**
 * Lets a sentinel tell the others more often what it knows (ordinarily every 2 s) and ask the servers more often for
 * their roles (10 s); and lets it recover soon from having been held up for 2 s itself (30 s), be that by a test or
 * by a busy machine. Not kept over a restart of the sentinel.
 */
export async function hurry(sentinel: RedisNode): Promise<void> {
  const periods = ['PUBLISH-PERIOD', '500', 'INFO-PERIOD', '1000', 'TILT-PERIOD', '1000'];
  await ask(sentinel, ['SENTINEL', 'DEBUG', ...periods]);
}

function isWellReplica(replica: Fields, primaryPort: number): boolean {
  const { flags, 'master-port': masterPort, 'master-link-status': link } = replica;
  return flags === 'slave' && Number(masterPort) === primaryPort && link === 'ok';
}

function count(tables: unknown, fits: (table: Fields) => boolean): number {
  return (tables as unknown[]).filter((table) => fits(fields(table))).length;
}

function fields(table: unknown): Fields {
  const flat = table as string[];
  return Object.fromEntries(
    flat.flatMap((name, i) => (i % 2 === 0 ? [[name, flat[i + 1] ?? ''] as const] : [])),
  );
}
