import type { CancelTimer, Clock } from './clock.js';

/**
 * Deadlines of many things over one timer. Most things end long before theirs, so adding and removing must cost next
 * to nothing: the timer is set to the earliest deadline known and, when it fires, looks through what is left.
 */
export class Deadlines<T> {
  private readonly at = new Map<T, number>();
  private cancelTimer: CancelTimer | undefined;
  private timerAt = Number.POSITIVE_INFINITY;

  constructor(
    private readonly clock: Clock,
    private readonly expired: (item: T) => void,
  ) {}

  /** Sets the deadline of `item`, in milliseconds from now; a deadline it had is replaced. */
  set(item: T, ms: number): void {
    const at = this.clock.monotonicMs() + ms;
    this.at.set(item, at);
    if (at < this.timerAt) this.arm(at);
  }

  remove(item: T): void {
    this.at.delete(item);
  }

  /** Forgets everything; the timer is gone afterwards. */
  clear(): void {
    this.at.clear();
    this.cancelTimer?.();
    this.timerAt = Number.POSITIVE_INFINITY;
  }

  private arm(at: number): void {
    this.cancelTimer?.();
    this.timerAt = at;
    // Firing early, as a timer that is cut does, only means looking once more.
    this.cancelTimer = this.clock.after(Math.max(0, Math.ceil(at - this.clock.monotonicMs())), () =>
      this.fire(),
    );
  }

  private fire(): void {
    this.timerAt = Number.POSITIVE_INFINITY;
    const now = this.clock.monotonicMs();
    let earliest = Number.POSITIVE_INFINITY;
    for (const [item, at] of this.at) {
      if (at <= now) {
        this.at.delete(item);
        this.expired(item);
      } else if (at < earliest) earliest = at;
    }
    if (earliest < this.timerAt) this.arm(earliest);
  }
}
