import type { LostRange } from '../contract/data-loss.js';
import type { Clock } from '../runtime/clock.js';
import type { TaskEventMap, TaskEvents } from './task-events.js';

/** What somebody misses. */
export interface LossFinding {
  readonly queue: string;
  readonly how: TaskEventMap['data.lost']['how'];
  readonly seenBy: TaskEventMap['data.lost']['seenBy'];
  readonly ranges: readonly LostRange[];
  readonly reoffered: number;
  readonly forgotten: number;
  /** When what is missing was last known to be there, in milliseconds of this process' steady clock. */
  readonly knownAt: number;
}

/**
 * Announces losses, each once. One loss is found by several: by every channel of a producer that had written something,
 * and by the connection. What was last known to be there before a loss was found is missing because of that one; what
 * was there afterwards, because of another.
 */
export class LossAnnouncer {
  private count = 0;
  private reconnectedAt = Number.NEGATIVE_INFINITY;
  /** The last loss of each queue. */
  private readonly losses = new Map<string, { readonly loss: number; readonly foundAt: number }>();

  constructor(
    private readonly events: TaskEvents,
    private readonly clock: Clock,
  ) {}

  /** The connection for commands is there anew. */
  reconnected(): void {
    this.reconnectedAt = this.clock.monotonicMs();
  }

  /**
   * Whether somebody deleted what was there at `knownAt`: as long as the connection lasts Redis forgets nothing by
   * itself, so somebody flushed or deleted, and meant it.
   */
  deleted(knownAt: number): boolean {
    return knownAt >= this.reconnectedAt;
  }

  /** Announces a loss, or that more is missing because of one that was announced. */
  found({ knownAt, ...finding }: LossFinding): void {
    const now = this.clock.monotonicMs();
    const last = this.losses.get(finding.queue);
    const fact = { ...finding, ...(this.deleted(knownAt) && { how: 'deleted' as const }) };
    if (last && knownAt < last.foundAt) {
      this.events.emit('data.lost.more', { loss: last.loss, ...fact });
      return;
    }
    this.count += 1;
    this.losses.set(finding.queue, { loss: this.count, foundAt: now });
    this.events.emit('data.lost', { loss: this.count, ...fact });
  }
}
