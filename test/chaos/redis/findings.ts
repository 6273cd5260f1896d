import type { Event } from '../history/history.js';
import type { Bounds } from '../bounds.js';

/** Longest time from the moment Redis answers again to the next completion. */
export const AT_WORK_MS = 5000;

/** Longest time from the moment Redis answers again to the word that something is gone. */
export const DETECTED_MS = 5000;

/** How long after `at` the first task was completed, and the first call answered. */
export function backAtWork(events: readonly Event[], at: number): { completed: number; accepted: number } {
  const first = (fits: (event: Event) => boolean): number => {
    const found = events.find((event) => event.at > at && fits(event));
    return found ? found.at - at : Number.POSITIVE_INFINITY;
  };
  return {
    completed: first((event) => event.e === 'fact' && event.name === 'task.completed'),
    accepted: first((event) => event.e === 'accepted'),
  };
}

/**
 * Tasks that Redis really lost, by the process that had enqueued them: accepted before `at`, without an effect by
 * then, and not among those that were `kept`.
 */
export function reallyLost(
  events: readonly Event[],
  at: number,
  kept: (id: string) => boolean,
): ReadonlyMap<string, readonly string[]> {
  const done = new Set<string>();
  const lost = new Map<string, string[]>();
  for (const event of events) {
    if (event.at < at && event.e === 'effect' && event.answer === 'applied') done.add(event.key);
  }
  for (const event of events) {
    if (event.e !== 'accepted' || event.at > at || done.has(event.key) || kept(event.id)) continue;
    lost.set(event.by, [...(lost.get(event.by) ?? []), event.key]);
  }
  return lost;
}

/** What `data.lost` and `data.lost.more` say. */
interface Told {
  readonly queue: string;
  readonly seenBy: 'producer' | 'connection';
  readonly how: string;
  readonly ranges: readonly { readonly of: string; readonly after: string; readonly upTo: string }[];
  readonly reoffered: number;
  readonly forgotten: number;
}

const LOSSES: ReadonlySet<string> = new Set(['data.lost', 'data.lost.more']);

/** Everything that was told of losses after `at`. */
export function toldOfLosses(events: readonly Event[], at: number): (Told & { by: string; at: number })[] {
  return events.flatMap((event) =>
    event.e === 'fact' && LOSSES.has(event.name) && event.at > at
      ? [{ ...(event.detail as Told), by: event.by, at: event.at }]
      : [],
  );
}

/**
 * Holds that each process whose tasks Redis lost said so, soon after Redis answered at `answered`, and named what is
 * gone. Answers how long each took.
 */
export function holdDetected(
  bounds: Bounds,
  events: readonly Event[],
  lost: ReadonlyMap<string, readonly string[]>,
  { killed, answered }: { readonly killed: number; readonly answered: number },
): number[] {
  const told = toldOfLosses(events, killed);
  return [...lost].map(([by, keys]) => {
    const first = told.find((one) => one.by === by && one.seenBy === 'producer');
    const tookMs = first ? Math.max(0, first.at - answered) : Number.POSITIVE_INFINITY;
    const what = `${by} lost ${keys.length} (${keys.slice(0, 3).join(', ')})`;
    bounds.hold(first !== undefined, `${what} and never said so`);
    bounds.hold(!first || tookMs <= DETECTED_MS, `${what} and said so after ${Math.round(tookMs)} ms`);
    bounds.hold(!first || first.how !== 'deleted', `${what} and called it deleted`);
    const named = first?.ranges.some(({ after, upTo }) => after !== upTo);
    bounds.hold(!first || named === true, `${what} and did not name it`);
    return tookMs;
  });
}

/** Sums what processes said was offered again. */
export function offeredAgain(events: readonly Event[]): number {
  return events.reduce((sum, event) => {
    if (event.e !== 'fact' || event.name !== 'data.reoffered') return sum;
    const { accepted, present } = event.detail as { accepted: number; present: number };
    return sum + accepted + present;
  }, 0);
}

/** Holds that no call was answered with anything but what it is: accepted, or of unknown outcome. */
export function holdNotRefused(bounds: Bounds, events: readonly Event[]): void {
  const refused = events.flatMap((event) => (event.e === 'refused' ? [event.reason] : []));
  bounds.hold(refused.length === 0, `${refused.length} calls were refused: ${[...new Set(refused)].join()}`);
}

/** Holds that what was refused, which says that nothing was written, was not: nobody ran it. */
export function holdRefusalsTrue(bounds: Bounds, events: readonly Event[]): void {
  const refused = new Set(events.flatMap((event) => (event.e === 'refused' ? [event.key] : [])));
  const run = new Set(
    events.flatMap((event) => (event.e === 'start' && refused.has(event.key) ? [event.key] : [])),
  );
  bounds.hold(run.size === 0, `refused, and run: ${[...run].join(', ')}`);
}

/** Tasks that were started in the last `ms` before `at`: what a Redis that goes back so far starts again. */
export function startedIn(events: readonly Event[], at: number, ms: number): number {
  return events.filter((event) => event.e === 'start' && event.at < at && event.at >= at - ms).length;
}
