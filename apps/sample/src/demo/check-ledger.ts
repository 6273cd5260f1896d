import type { Fact } from '../ledger/fact.js';
import type { Evidence } from './evidence.js';
import { type Ends, endsOf } from './task-ends.js';

/** One thing that must hold, and what was found. */
export interface Check {
  readonly name: string;
  readonly ok: boolean;
  readonly found: string;
}

/** The figures of a run. */
export interface Tally {
  readonly accepted: number;
  readonly completed: number;
  /** Attempts that failed and were followed by another. */
  readonly retried: number;
  readonly deadByReason: Readonly<Record<string, number>>;
  /** Tasks taken from the killed worker. */
  readonly reclaimed: number;
  /** Tasks handed back at SIGTERM. */
  readonly handedBack: number;
  readonly lost: number;
  /** Starts of an attempt that had been started before by a worker that was killed. */
  readonly startedTwice: number;
  /** Effects beyond the first of each task. */
  readonly repeatedEffects: number;
  /** Tasks that ended at the moment of the kill: done, but nobody was left to say so. */
  readonly unannounced: number;
  readonly waitP50Ms: number;
  readonly waitP99Ms: number;
}

/** What the ledger says of a run, and whether everybody agrees. */
export interface Verdict {
  readonly tally: Tally;
  readonly checks: readonly Check[];
  readonly ok: boolean;
}

/** Longest time from SIGTERM until a task that was handed back runs elsewhere. */
const HAND_OVER_LIMIT_MS = 1000;

/** Compares what all witnesses say. A function of its argument alone. */
export function checkLedger(evidence: Evidence): Verdict {
  const ends = endsOf(evidence);
  const tally = tallyOf(evidence, ends);
  const checks = [
    ...checkTasks(evidence, ends, tally),
    ...checkRedis(evidence, ends),
    ...checkEffects(evidence, ends, tally),
    ...checkRequests(evidence),
    checkHandOver(evidence),
  ];
  return { tally, checks, ok: checks.every(({ ok }) => ok) };
}

function tallyOf({ accepted, facts, effects }: Evidence, ends: Ends): Tally {
  const count = (name: Fact['fact']): number => facts.filter(({ fact }) => fact === name).length;
  const waits = firstWaits(facts).toSorted((a, b) => a - b);
  return {
    accepted: accepted.length,
    completed: ends.completed.size,
    retried: count('retrying'),
    deadByReason: countBy(ends.dead.values()),
    reclaimed: facts.filter(({ fact, from }) => fact === 'reclaimed' && from !== 'released').length,
    handedBack: count('released'),
    lost: ends.lost.length,
    startedTwice: startedTwice(facts),
    repeatedEffects: [...effects.values()].reduce((sum, times) => sum + times - 1, 0),
    unannounced: ends.unannounced.length,
    waitP50Ms: percentile(waits, 0.5),
    waitP99Ms: percentile(waits, 0.99),
  };
}

function checkTasks({ accepted, killed }: Evidence, ends: Ends, tally: Tally): Check[] {
  const dead = ends.dead.size;
  const slots = killed.reduce((sum, worker) => sum + worker.slots, 0);
  return [
    {
      name: 'accepted = completed + dead-lettered',
      ok: accepted.length === tally.completed + dead,
      found: `${accepted.length} = ${tally.completed} + ${dead}`,
    },
    none('nothing was lost', ends.lost),
    none('nothing ran that was not accepted', ends.unexpected),
    none('no task ended twice', ends.twice),
    {
      name: 'started twice ≤ slots of the killed worker',
      ok: tally.startedTwice <= slots,
      found: `${tally.startedTwice} ≤ ${slots}`,
    },
  ];
}

function checkRedis({ queues, mustDie }: Evidence, ends: Ends): Check[] {
  const unfinished = queues.filter((queue) => queue.unfinished > 0);
  const letters = queues.flatMap(({ deadLetters }) => deadLetters);
  const counted = queues.reduce((sum, { dead }) => sum + dead, 0);
  const disagree = letters.filter(({ id, reason }) => ends.dead.get(id) !== reason).map(({ id }) => id);
  const found = countBy(ends.dead.values());
  return [
    none(
      'Redis: the queues are empty',
      unfinished.map(({ queue, unfinished: n }) => `${queue}: ${n}`),
    ),
    {
      name: 'Redis: its dead letters are those of the ledger',
      ok: disagree.length === 0 && letters.length === ends.dead.size && counted === ends.dead.size,
      found: `${letters.length} listed, ${counted} counted, ${ends.dead.size} in the ledger`,
    },
    {
      name: 'dead are those that had to die',
      ok: show(found) === show(mustDie),
      found: show(found) === show(mustDie) ? show(found) : `${show(found)}, expected ${show(mustDie)}`,
    },
  ];
}

function checkEffects({ effects, killed }: Evidence, ends: Ends, tally: Tally): Check[] {
  const missing = [...ends.completed].filter((id) => !effects.has(id));
  const wrong = [...effects.keys()].filter((id) => !ends.completed.has(id));
  const bound = killed.reduce((sum, worker) => sum + worker.slots, 0) + tally.handedBack;
  return [
    none('every completed task had its effect', missing),
    none('no other task had one', wrong),
    {
      name: 'repeated effects ≤ slots killed + handed back',
      ok: tally.repeatedEffects <= bound,
      found: `${tally.repeatedEffects} ≤ ${bound}`,
    },
  ];
}

function checkRequests({ duplicates, conflicts }: Evidence): Check[] {
  const recognised = (name: string, repeats: { sent: number; recognised: number }): Check => ({
    name,
    ok: repeats.sent === repeats.recognised,
    found: `${repeats.recognised} of ${repeats.sent}`,
  });
  return [
    recognised('repeated requests were recognised', duplicates),
    recognised('keys used for another body were refused', conflicts),
  ];
}

function checkHandOver({ handOverMs }: Evidence): Check {
  const longest = Math.max(0, ...handOverMs);
  return {
    name: `handed back at SIGTERM, started elsewhere within ${HAND_OVER_LIMIT_MS} ms`,
    ok: handOverMs.length > 0 && longest <= HAND_OVER_LIMIT_MS,
    found: handOverMs.length === 0 ? 'none was handed back' : `${handOverMs.length}, at most ${longest} ms`,
  };
}

/** An attempt may be started again after it was handed back; any other second start is a duplicate. */
function startedTwice(facts: readonly Fact[]): number {
  const starts = new Map<string, number>();
  for (const { fact, id, attempt } of facts) {
    const step = fact === 'started' ? 1 : fact === 'released' ? -1 : 0;
    const key = `${id} ${attempt}`;
    if (step !== 0) starts.set(key, (starts.get(key) ?? 0) + step);
  }
  return [...starts.values()].reduce((sum, times) => sum + Math.max(0, times - 1), 0);
}

/** How long each task waited for its first start. */
function firstWaits(facts: readonly Fact[]): number[] {
  const waits = new Map<string, number>();
  for (const { fact, id, attempt, waitMs } of facts) {
    if (fact !== 'started' || attempt !== 1 || waitMs === undefined) continue;
    waits.set(id, Math.min(waitMs, waits.get(id) ?? waitMs));
  }
  return [...waits.values()];
}

/** The smallest value that `share` of all are not above. */
export function percentile(sorted: readonly number[], share: number): number {
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? 0;
}

function none(name: string, found: readonly string[]): Check {
  const shown = found.slice(0, 3).join(', ') + (found.length > 3 ? ' …' : '');
  return { name, ok: found.length === 0, found: found.length === 0 ? '0' : `${found.length} (${shown})` };
}

function countBy(reasons: Iterable<string>): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const reason of reasons) counts[reason] = (counts[reason] ?? 0) + 1;
  return counts;
}

function show(counts: Readonly<Record<string, number>>): string {
  const shown = Object.entries(counts)
    .filter(([, count]) => count > 0)
    .toSorted(([a], [b]) => a.localeCompare(b))
    .map(([reason, count]) => `${count} ${reason}`);
  return shown.join(', ') || 'none';
}
