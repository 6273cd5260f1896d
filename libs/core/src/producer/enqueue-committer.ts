import type { Broker } from '../broker/broker.js';
import { atEndOfTurn } from '../runtime/turn.js';
import { EnqueueChannel, type PendingTask } from './enqueue-channel.js';

/** Tasks of one script call: keeps it well below 5 ms. */
const GROUP_SIZE = 200;

/** Groups under way at once: while Redis works on one, the next is made. */
const CHANNELS = 2;

/** From here on a turn's tasks leave in two halves, so that Redis and this process do not work in turns. */
const SPLIT_FROM = 32;

/**
 * Gathers the tasks that are enqueued in one queue during one turn of the event loop and sends them together. A lone
 * task leaves at the end of its turn; tasks that come while every channel is busy leave with the next group.
 */
export class EnqueueCommitter {
  private readonly idle: EnqueueChannel[];
  private readonly waiting: PendingTask[] = [];
  private scheduled = false;
  private sending = 0;
  private whenIdle: (() => void)[] = [];

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

  /** Resolves when everything added so far is answered. */
  async settled(): Promise<void> {
    if (this.waiting.length === 0 && this.sending === 0) return;
    await new Promise<void>((resolve) => this.whenIdle.push(resolve));
  }

  private flush(): void {
    const { length } = this.waiting;
    const share = length >= SPLIT_FROM ? Math.ceil(length / Math.max(1, this.idle.length)) : length;
    while (this.waiting.length > 0 && this.idle.length > 0) {
      void this.send(this.idle.pop()!, this.waiting.splice(0, Math.min(share, GROUP_SIZE)));
    }
    if (this.waiting.length > 0 || this.sending > 0) return;
    for (const resolve of this.whenIdle.splice(0)) resolve();
  }

  private async send(channel: EnqueueChannel, group: readonly PendingTask[]): Promise<void> {
    this.sending += 1;
    await channel.send(group);
    this.sending -= 1;
    this.idle.push(channel);
    this.flush();
  }
}
