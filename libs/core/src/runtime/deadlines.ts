import { monotonicMs } from './clock.js';

/**
 * Deadlines of many things over one timer. Most things end long before theirs, so adding and removing must cost next
 * to nothing: the timer is set to the earliest deadline known and, when it fires, looks through what is left.
 */
export class Deadlines<T> {
  private readonly at = new Map<T, number>();
  private timer: NodeJS.Timeout | undefined;
  private timerAt = Number.POSITIVE_INFINITY;

  constructor(private readonly expired: (item: T) => void) {}

  /** Sets the deadline of `item`, in milliseconds from now; a deadline it had is replaced. */
  set(item: T, ms: number): void {
    const at = monotonicMs() + ms;
    this.at.set(item, at);
    if (at < this.timerAt) this.arm(at);
  }

  remove(item: T): void {
    this.at.delete(item);
  }

  /** Forgets everything; the timer is gone afterwards. */
  clear(): void {
    this.at.clear();
    clearTimeout(this.timer);
    this.timerAt = Number.POSITIVE_INFINITY;
  }

  private arm(at: number): void {
    clearTimeout(this.timer);
    this.timerAt = at;
    // Longer than this a timer overflows; firing early only means looking once more.
    this.timer = setTimeout(
      () => this.fire(),
      Math.min(2 ** 31 - 1, Math.max(0, Math.ceil(at - monotonicMs()))),
    );
  }

  private fire(): void {
    this.timerAt = Number.POSITIVE_INFINITY;
    const now = monotonicMs();
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
