import type { CancelTimer, Clock } from '../runtime/clock.js';
import type { AcceptedTasks } from './accepted-tasks.js';

/** What {@link Forgetting} needs. */
export interface ForgettingParts {
  readonly clock: Clock;
  /** How often it is looked. */
  readonly everyMs: number;
  /** Resolves when the broker answers. */
  readonly ping: () => Promise<unknown>;
}

/**
 * Lets go of accepted tasks when their time is over, also those of a producer that enqueues nothing more: otherwise the
 * next one does that. One timer for all, and none while nothing is kept.
 */
export class Forgetting {
  private cancelTimer: CancelTimer | undefined;
  private closed = false;

  constructor(
    private readonly tasks: AcceptedTasks,
    private readonly parts: ForgettingParts,
  ) {}

  /** Something may be kept. */
  arm(): void {
    if (this.cancelTimer !== undefined || this.closed || this.tasks.bytes === 0) return;
    this.cancelTimer = this.parts.clock.after(this.parts.everyMs, () => void this.look());
  }

  /** Forgets nothing more; the timer is gone. */
  close(): void {
    this.closed = true;
    this.cancelTimer?.();
    this.cancelTimer = undefined;
  }

  /**
   * The broker may be away, and that time does not count: before it answers again we hear for how long it was. While it
   * does not answer everything is kept.
   */
  private async look(): Promise<void> {
    if (this.tasks.allOld)
      await this.parts.ping().then(
        () => this.tasks.forgetOld(),
        () => undefined,
      );
    this.cancelTimer = undefined;
    this.arm();
  }
}
