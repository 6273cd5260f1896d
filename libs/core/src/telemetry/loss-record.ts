import type { TaskEventMap, TaskEvents } from './task-events.js';

/** A loss, and when this process learnt of it. */
export type KnownLoss = TaskEventMap['data.lost'] & {
  /** Milliseconds since 1970 by the clock of this process. */
  readonly at: number;
};

/** What Redis is known to have lost since this process began: for metrics and health. */
export class LossRecord {
  /** Losses found. */
  count = 0;
  /** Tasks offered again because of them. */
  reoffered = 0;
  /** Tasks that could not be offered again: Redis refused, or did not answer in time. */
  failed = 0;
  /** Groups of tasks that were too old, or too many, to be offered again. */
  forgotten = 0;
  last: KnownLoss | undefined;

  constructor(events: TaskEvents) {
    events.on('data.lost', (loss) => {
      this.count += 1;
      this.forgotten += loss.forgotten;
      this.last = { ...loss, at: Date.now() };
    });
    events.on('data.reoffered', ({ accepted, present, failed }) => {
      this.reoffered += accepted + present;
      this.failed += failed;
    });
  }
}
