/**
 * Calls `run` when this turn of the event loop has nothing left to do by itself: after the promise reactions that are
 * queued now and those that they queue, but before any timer or socket is looked at. Work gathered until then leaves
 * together, and a lone piece of work waits for nothing.
 */
export function atEndOfTurn(run: () => void): void {
  // Ticks run before promise reactions when a callback ends, and after all of them when queued by one of them.
  queueMicrotask(() => process.nextTick(run));
}
