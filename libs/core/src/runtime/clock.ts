/**
 * The clocks and the timers of one process. The engine knows no other, so that a test can move time, stop one
 * process and let another go on.
 */
export interface Clock {
  /** Milliseconds since a moment that means nothing: for deadlines and lengths of time inside this process. */
  monotonicMs(): number;
  /**
   * Milliseconds since 1970, as far as the machine knows: may be set, and goes on while the machine sleeps. For noticing
   * that it slept, and for nothing else.
   */
  wallMs(): number;
  /** Calls `run` once after `ms` (at most 2³¹ - 1, longer is cut); answers how to prevent that. */
  after(ms: number, run: () => void): CancelTimer;
}

/** Prevents what was to come, if it has not come yet. May be called twice. */
export type CancelTimer = () => void;

/** Longer than this a timer of Node overflows and fires at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** The clock of the machine. */
export const systemClock: Clock = {
  monotonicMs: () => performance.now(),
  wallMs: () => Date.now(),
  after(ms, run) {
    const timer = setTimeout(run, Math.min(LONGEST_TIMER_MS, ms));
    return () => clearTimeout(timer);
  },
};

/** A moment, by both clocks of the machine. */
export interface Moment {
  readonly steadyMs: number;
  readonly wallMs: number;
}

/** The present moment. */
export function momentOf(clock: Clock): Moment {
  return { steadyMs: clock.monotonicMs(), wallMs: clock.wallMs() };
}

/**
 * How long ago that was, at least as much: the steady clock stands still while the machine sleeps (a laptop, a paused
 * virtual machine), and the wall clock may have been set back. For what others may have forgotten meanwhile.
 */
export function msSince(clock: Clock, { steadyMs, wallMs }: Moment): number {
  return Math.max(clock.monotonicMs() - steadyMs, clock.wallMs() - wallMs);
}

/** Resolves after `ms`, or at once when the signal is or becomes aborted. The timer does not outlive the wait. */
export function sleep(clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
  if (signal?.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const done = (): void => {
      cancel();
      signal?.removeEventListener('abort', done);
      resolve();
    };
    const cancel = clock.after(ms, done);
    signal?.addEventListener('abort', done, { once: true });
  });
}

/** The steady clock of the machine, for what is bound to real sockets anyway. */
export function monotonicMs(): number {
  return systemClock.monotonicMs();
}
