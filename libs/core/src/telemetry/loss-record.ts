import type { LossFact, TaskEvents } from './task-events.js';

/** A loss with all that was found of it, and when this process learnt of it. */
export type KnownLoss = LossFact & {
  /** Milliseconds since 1970 by the clock of this process. */
  readonly at: number;
};

/** What Redis is known to have lost since this process began: for metrics and health. */
export class LossRecord {
  /** Losses found: one per queue for each time that Redis lost something. */
  count = 0;
  /** Tasks offered again because of them. */
  reoffered = 0;
  /** Tasks that could not be offered again: Redis refused, or did not answer in time. */
  failed = 0;
  /**
   * Groups of tasks that were too old, or too many, to be offered again. An upper bound for what is missed: nobody knows
   * which of their tasks had been done.
   */
  forgotten = 0;
  /** The last loss of each queue that had any. */
  private readonly byQueue = new Map<string, KnownLoss>();

  constructor(events: TaskEvents) {
    events.on('data.lost', (loss) => {
      this.count += 1;
      this.forgotten += loss.forgotten;
      this.byQueue.delete(loss.queue);
      this.byQueue.set(loss.queue, { ...loss, at: Date.now() });
    });
    events.on('data.lost.more', (more) => {
      this.forgotten += more.forgotten;
      const loss = this.byQueue.get(more.queue);
      if (loss?.loss === more.loss) this.byQueue.set(more.queue, withMore(loss, more));
    });
    events.on('data.reoffered', ({ accepted, present, failed }) => {
      this.reoffered += accepted + present;
      this.failed += failed;
    });
  }

  /** The last loss of each queue that had any, the latest last. */
  get lastOfEach(): readonly KnownLoss[] {
    return [...this.byQueue.values()];
  }

  /** The last loss of all. */
  get last(): KnownLoss | undefined {
    return this.lastOfEach.at(-1);
  }
}

/** The connection knows the data by its name; a producer only knows what it had written itself. */
function withMore(loss: KnownLoss, more: LossFact): KnownLoss {
  return {
    ...loss,
    how: more.seenBy === 'connection' ? more.how : loss.how,
    ranges: [...loss.ranges, ...more.ranges],
    reoffered: loss.reoffered + more.reoffered,
    forgotten: loss.forgotten + more.forgotten,
  };
}
