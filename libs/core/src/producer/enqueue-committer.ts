import type { Broker, NewTask } from '../broker/broker.js';
import { atEndOfTurn } from '../runtime/turn.js';
import { EnqueueChannel, type TaskOutcome } from './enqueue-channel.js';

/** A task on its way, and whom to tell. */
export interface PendingTask {
  readonly task: NewTask;
  readonly settle: (outcome: TaskOutcome) => void;
}

/** Tasks of one script call: keeps it well below 5 ms. */
const GROUP_SIZE = 200;

/** Groups under way at once: while Redis works on one, the next is made. */
const CHANNELS = 2;

/**
 * When a group is as large as this, and what else is under way is less than half of it, half of its callers are answered in this turn of the event loop
 * and half in the next. What they enqueue then leaves in two groups, so that Redis and this process work at the same
 * time instead of in turns.
 */
const SPREAD_FROM = 32;

/**
 * Gathers the tasks that are enqueued in one queue during one turn of the event loop and sends them together. A lone
 * task leaves at the end of its turn; tasks that come while every channel is busy leave with the next group.
 */
export class EnqueueCommitter {
  private readonly idle: EnqueueChannel[];
  private readonly waiting: PendingTask[] = [];
  private scheduled = false;
  /** Tasks under way. */
  private sending = 0;

  constructor(
    broker: Broker,
    queue: string,
    producerId: string,
    options: { readonly maxReady: number; readonly timeoutMs: number; readonly random: () => number },
  ) {
    const { maxReady, timeoutMs, random } = options;
    this.idle = Array.from(
      { length: CHANNELS },
      (_, i) => new EnqueueChannel(broker, queue, `${producerId}-${i}`, maxReady, timeoutMs, random),
    );
  }

  add(pending: PendingTask): void {
    this.waiting.push(pending);
    if (this.scheduled || this.idle.length === 0) return;
    this.scheduled = true;
    atEndOfTurn(() => {
      this.scheduled = false;
      this.flush();
    });
  }

  private flush(): void {
    while (this.waiting.length > 0 && this.idle.length > 0) {
      void this.send(this.idle.pop()!, this.waiting.splice(0, GROUP_SIZE));
    }
  }

  private async send(channel: EnqueueChannel, group: readonly PendingTask[]): Promise<void> {
    this.sending += group.length;
    const answers = await channel.send(group.map((pending) => pending.task));
    this.sending -= group.length;
    this.idle.push(channel);
    const alone = group.length >= SPREAD_FROM && this.sending < group.length / 2;
    const now = alone ? Math.ceil(group.length / 2) : group.length;
    answer(group, answers, 0, now);
    if (now < group.length) setImmediate(() => answer(group, answers, now, group.length));
    this.flush();
  }
}

function answer(
  group: readonly PendingTask[],
  answers: readonly TaskOutcome[],
  from: number,
  to: number,
): void {
  for (let i = from; i < to; i += 1) group[i]!.settle(answers[i]!);
}
