/** How much work to hold beyond what runs: what the slots of a queue do in so many milliseconds. */
const AHEAD_MS = 5;

/** How much one run more changes the mean: what was before is forgotten within a few dozen. */
const WEIGHT = 1 / 16;

/** The moving mean of how long handlers run, in milliseconds, when one more has ended; the first is the mean. */
export function meanRunMs(mean: number | undefined, runMs: number): number {
  return mean === undefined ? runMs : mean + (runMs - mean) * WEIGHT;
}

/**
 * How many tasks to lease beyond the slots of a queue, so that the next is at hand when a handler ends: as many as are
 * done within a few milliseconds, so that none waits here while a peer could run it. None before anything is known.
 */
export function prefetchSize(slots: number, mean: number | undefined, most: number): number {
  if (mean === undefined) return 0;
  return Math.min(most, Math.floor((slots * AHEAD_MS) / Math.max(mean, Number.MIN_VALUE)));
}
