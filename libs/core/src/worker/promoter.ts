import type { Broker, PromoteAnswer } from '../broker/broker.js';
import { type PeriodicOptions, PeriodicService } from '../runtime/service.js';

/** How long a consumer keeps the duty of promoting after a pass: until the next may be expected, and a little. */
const DUTY_PASSES = 1.25;

/** Passes of one queue without a break: the rest is left to the next round, so that other queues get their turn. */
const PAGES_IN_A_ROW = 20;

/**
 * Moves due tasks to the stream. One consumer per queue has the duty and knows when the next task is due; whoever is
 * woken because a sooner one came in takes the duty over. Everybody looks now and then whether it is free.
 */
export class Promoter extends PeriodicService {
  private readonly woken = new Map<string, string>();

  constructor(
    private readonly broker: Broker,
    private readonly consumer: string,
    private readonly queues: readonly string[],
    options: PeriodicOptions,
  ) {
    super(options);
  }

  /** A task that is due sooner than any other came in; `entryId` is the word of it. */
  wake(queue: string, entryId: string): void {
    this.woken.set(queue, entryId);
    this.trigger();
  }

  override async runOnce(): Promise<number | undefined> {
    const waits = await Promise.all(this.queues.map((queue) => this.promote(queue)));
    const soonest = Math.min(...waits.filter((wait) => wait !== undefined));
    return soonest < this.options.everyMs ? soonest : undefined;
  }

  private async promote(queue: string): Promise<number | undefined> {
    const wakeEntryId = this.woken.get(queue);
    this.woken.delete(queue);
    let answer = await this.pass(queue, wakeEntryId);
    for (let page = 1; answer.nextInMs === 0 && page < PAGES_IN_A_ROW; page += 1)
      answer = await this.pass(queue);
    return answer.onDuty ? answer.nextInMs : undefined;
  }

  private pass(queue: string, wakeEntryId?: string): Promise<PromoteAnswer> {
    return this.broker.promote({
      queue,
      consumer: this.consumer,
      dutyMs: this.options.everyMs * DUTY_PASSES,
      takeOver: wakeEntryId !== undefined,
      ...(wakeEntryId !== undefined && { wakeEntryId }),
    });
  }
}
