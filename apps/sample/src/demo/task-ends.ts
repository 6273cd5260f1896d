import type { Fact } from '../ledger/fact.js';
import type { Evidence } from './evidence.js';

/** How the tasks of a run ended. */
export interface Ends {
  readonly completed: ReadonlySet<string>;
  /** Reason by id. */
  readonly dead: ReadonlyMap<string, string>;
  /** Accepted, and no trace of how they ended. */
  readonly lost: readonly string[];
  /** Heard of, but never accepted. */
  readonly unexpected: readonly string[];
  /** Said to have ended more than once. */
  readonly twice: readonly string[];
  /** Ended on a worker that was killed before it could say so; told by their effect or by Redis instead. */
  readonly unannounced: readonly string[];
}

/** Finds out how every task ended. */
export function endsOf(evidence: Evidence): Ends {
  const { accepted, facts, queues } = evidence;
  const known = new Set(accepted.map(({ id }) => id));
  const letters = new Map(
    queues.flatMap(({ deadLetters }) => deadLetters.map(({ id, reason }) => [id, reason])),
  );
  const said = facts.filter(({ fact }) => fact === 'completed' || fact === 'dead' || fact === 'discarded');
  const completed = new Set(said.filter(({ fact }) => fact !== 'dead').map(({ id }) => id));
  const dead = new Map(said.filter(({ fact }) => fact === 'dead').map(({ id, reason = '' }) => [id, reason]));
  const lost: string[] = [];
  const unannounced: string[] = [];
  const lastSeen = lastFacts(facts);
  for (const id of known) {
    if (completed.has(id) || dead.has(id)) continue;
    const end = unannouncedEnd(evidence, letters.get(id), lastSeen.get(id));
    if (end === undefined) {
      lost.push(id);
      continue;
    }
    unannounced.push(id);
    if (end === 'completed') completed.add(id);
    else dead.set(id, end.reason);
  }
  return {
    completed,
    dead,
    lost,
    unannounced,
    unexpected: [...new Set([...facts.map(({ id }) => id), ...letters.keys()])].filter(
      (id) => !known.has(id),
    ),
    twice: repeated(said.map(({ id }) => id)),
  };
}

/**
 * A fact is written when it is true in Redis. A worker that is killed between the two leaves a task that has ended and
 * nobody who says so. It counts as ended only if the last that was heard of it is its start on a killed worker, and
 * another witness saw the end: its dead letter, or its effect.
 */
function unannouncedEnd(
  { killed, effects }: Evidence,
  letter: string | undefined,
  last: Fact | undefined,
): 'completed' | { reason: string } | undefined {
  if (last?.fact !== 'started' || !killed.some(({ pid }) => pid === last.pid)) return undefined;
  if (letter !== undefined) return { reason: letter };
  return effects.has(last.id) ? 'completed' : undefined;
}

function lastFacts(facts: readonly Fact[]): ReadonlyMap<string, Fact> {
  const last = new Map<string, Fact>();
  for (const fact of facts) if (fact.at >= (last.get(fact.id)?.at ?? 0)) last.set(fact.id, fact);
  return last;
}

function repeated(ids: readonly string[]): string[] {
  const seen = new Set<string>();
  return [...new Set(ids.filter((id) => seen.size === seen.add(id).size))];
}
