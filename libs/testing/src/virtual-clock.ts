import type { CancelTimer, Clock } from '@taskq/core';
import { SortedList } from './sorted-list.js';

/** What the wall clock shows at first: 2024-01-01T00:00:00Z. */
const WALL_START_MS = Date.UTC(2024, 0, 1);

/** As the machine's clock does: a timer set further away comes after so many milliseconds. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** For how long {@link VirtualClock.until} moves time at most, unless told otherwise: a day. */
const LONGEST_WAIT_MS = 24 * 60 * 60_000;

interface Timer {
  readonly at: number;
  /** Timers of the same time come in the order in which they were set. */
  readonly order: number;
  readonly run: () => void;
}

/**
 * A clock whose time moves only when it is told to, so that delays, retries and leases need no waiting. The same
 * program sees the same times and the same order of timers in every run.
 *
 * One process of a simulation has one clock. Times are milliseconds and need not be whole.
 */
export class VirtualClock implements Clock {
  private readonly timers = new SortedList<Timer>((a, b) => a.at - b.at || a.order - b.order);
  private timersSet = 0;
  private moving = false;
  /** The wall clock minus the steady one. */
  private wallOffset = WALL_START_MS;

  /** @param now what the clock shows at first, in milliseconds. Default 0. */
  constructor(private now = 0) {}

  /** What the clock shows, in milliseconds. */
  monotonicMs(): number {
    return this.now;
  }

  /** What the wall clock shows, in milliseconds since 1970: 2024-01-01T00:00:00Z at 0. */
  wallMs(): number {
    return Math.floor(this.now + this.wallOffset);
  }

  /**
   * The machine sleeps for `ms`, as a laptop with its lid closed or a paused virtual machine: its wall clock goes on,
   * the steady one and every timer stand still. A negative number sets the wall clock back.
   */
  suspend(ms: number): void {
    this.wallOffset += ms;
  }

  /** Calls `run` once when time has moved by `ms`, and not before it is moved; answers how to prevent that. */
  after(ms: number, run: () => void): CancelTimer {
    this.timersSet += 1;
    const timer = {
      at: this.now + (ms > 0 ? Math.min(ms, LONGEST_TIMER_MS) : 0),
      order: this.timersSet,
      run,
    };
    this.timers.add(timer);
    return () => void this.timers.delete(timer);
  }

  /** Timers that are set and have not fired. */
  get pending(): number {
    return this.timers.size;
  }

  /** Milliseconds until the next timer is due; `undefined` when none is set. */
  get nextTimerInMs(): number | undefined {
    const next = this.timers.first;
    return next && Math.max(0, next.at - this.now);
  }

  /**
   * Moves time by `ms` and fires every timer that becomes due, one by one: the soonest first, of the same time the one
   * set first. Before the first, and after each, everything runs that can run without time: promise reactions and
   * `setImmediate`. Timers set meanwhile that are due by then fire, too.
   *
   * `advance(0)` fires what is due now.
   * @throws RangeError `ms` is negative or no number
   * @throws Error time is being moved already; and whatever a timer throws, at the moment it was due
   */
  async advance(ms: number): Promise<void> {
    await this.advanceTo(this.now + ms);
  }

  /** Like {@link advance}, to what the clock shall show. @throws RangeError that is in the past */
  async advanceTo(atMs: number): Promise<void> {
    if (!(atMs >= this.now)) throw new RangeError(`time cannot move from ${this.now} ms to ${atMs} ms`);
    await this.alone(async () => {
      await this.fireUntil(atMs, () => false);
      this.now = atMs;
    });
  }

  /**
   * Moves time from timer to timer until `work` has ended, and answers as it does. For work that itself waits for
   * time, such as `worker.stop()`.
   * @param longestMs how far time may move for that, in milliseconds. Default 86,400,000: a day.
   * @throws Error the work did not end by then, or no timer is left that it could wait for
   */
  async until<T>(work: Promise<T>, longestMs = LONGEST_WAIT_MS): Promise<T> {
    let ended = false;
    const end = (): void => {
      ended = true;
    };
    work.then(end, end);
    await this.alone(() => this.fireUntil(this.now + longestMs, () => ended));
    if (ended) return work;
    throw new Error(
      this.timers.size === 0
        ? 'the work has not ended, and no timer is set that it could wait for'
        : `the work has not ended within ${longestMs} ms`,
    );
  }

  private async fireUntil(atMs: number, enough: () => boolean): Promise<void> {
    await everythingElse();
    while (!enough()) {
      const next = this.timers.first;
      if (next === undefined || next.at > atMs) return;
      this.timers.delete(next);
      this.now = Math.max(this.now, next.at);
      next.run();
      await everythingElse();
    }
  }

  private async alone(move: () => Promise<void>): Promise<void> {
    if (this.moving) throw new Error('time is being moved already: await that first');
    this.moving = true;
    try {
      await move();
    } finally {
      this.moving = false;
    }
  }
}

/**
 * Lets everything run that waits for no time. Twice around the event loop: what the first time is queued behind us,
 * by a promise reaction, has run by the second.
 */
function everythingElse(): Promise<void> {
  return new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
}
