import type { TaskQueue } from '@taskq/core';
import { TASK_QUEUE } from '../actors/actor-config.js';

/** Longest time that a look at a full queue may take, at the client. */
export const INSPECTION_BOUND_MS = 50;

/** What an inspection took, at the client. */
export interface Look {
  readonly name: string;
  readonly ms: number;
}

/** Ids to look for. */
export interface KnownIds {
  readonly ready: readonly string[];
  readonly active: readonly string[];
  readonly scheduled: readonly string[];
  readonly dead: readonly string[];
}

/** Most that a page holds. */
const PAGE = 100;

/**
 * Everything that an inspector can be asked, in turns, each `times` times, and one thing that it can be told; answers
 * what each took. What should be found and is not is an error.
 */
export async function inspectAll(
  { inspector }: TaskQueue,
  known: KnownIds,
  scheduled: number,
  times: number,
): Promise<Look[]> {
  const letters = await inspector.deadLetters(TASK_QUEUE);
  const after = letters[Math.floor(letters.length / 2)]!.entryId;
  const find = async (state: keyof KnownIds, round: number): Promise<void> => {
    const id = known[state][round % known[state].length]!;
    const task = await inspector.find(TASK_QUEUE, id);
    if (task?.state !== state) throw new Error(`${id} is ${task?.state ?? 'unknown'}, not ${state}`);
  };
  const page = (offset: number, limit = PAGE) => inspector.scheduled(TASK_QUEUE, { offset, limit });
  const asked: Readonly<Record<string, (round: number) => Promise<unknown>>> = {
    counts: () => inspector.counts(TASK_QUEUE),
    'find ready': (round) => find('ready', round),
    'find active': (round) => find('active', round),
    'find scheduled': (round) => find('scheduled', round),
    'find dead': (round) => find('dead', round),
    'find unknown': () => inspector.find(TASK_QUEUE, 'AAAAAAAAAAAA.1'),
    'find an id of others': () => inspector.find(TASK_QUEUE, 'order-4711'),
    'scheduled: default page': () => inspector.scheduled(TASK_QUEUE),
    'scheduled: one': () => page(0, 1),
    'scheduled: middle page': () => page(Math.floor(scheduled / 2)),
    'scheduled: last page': () => page(scheduled - PAGE),
    'dead letters: default page': () => inspector.deadLetters(TASK_QUEUE),
    'dead letters: one': () => inspector.deadLetters(TASK_QUEUE, { limit: 1 }),
    'dead letters: a page further on': () => inspector.deadLetters(TASK_QUEUE, { after, limit: PAGE }),
    ping: () => inspector.ping(),
  };
  const looks: Look[] = [];
  const look = async (name: string, ask: () => Promise<unknown>): Promise<void> => {
    const from = performance.now();
    await ask();
    looks.push({ name, ms: performance.now() - from });
  };
  for (let round = 0; round < times; round += 1) {
    for (const [name, ask] of Object.entries(asked)) await look(name, () => ask(round));
  }
  await look('replay', () => inspector.replay(TASK_QUEUE, known.dead[0]!));
  return looks;
}

/** The slowest look of each name, slowest first. */
export function slowestLooks(looks: readonly Look[]): readonly Look[] {
  const byName = new Map<string, Look>();
  for (const look of looks) if (look.ms > (byName.get(look.name)?.ms ?? -1)) byName.set(look.name, look);
  return [...byName.values()].toSorted((a, b) => b.ms - a.ms);
}
