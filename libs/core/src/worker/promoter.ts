import type { Broker, PromoteAnswer } from '../broker/broker.js';
import { type PeriodicOptions, PeriodicService } from '../runtime/service.js';

/** How long a consumer keeps a duty after it looked around: until it looks again, and a little. */
const DUTY_LOOKS = 1.25;

/**
 * Where nothing waits in any queue nobody has a duty, and whoever is given the word of the first task takes it. If that
 * one dies, the others need not look before its duty would have ended.
 */
const IDLE_LOOKS = 2;

/** Passes of one queue without a break: the rest is left to the next round, so that other queues get their turn. */
const PAGES_IN_A_ROW = 20;

/**
 * Moves due tasks to the stream. One consumer per queue has the duty and knows when the next task is due; whoever is
 * woken because a sooner one came in takes the duty over. Everybody looks now and then, at all queues at once, where
 * tasks wait and the duty is free.
 */
export class Promoter extends PeriodicService {
  private readonly woken = new Map<string, string>();
  /** By queue in which we have the duty, as of the steady clock: when the next task is due. */
  private readonly dueAt = new Map<string, number>();
  private lookAt = 0;

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

  override async runOnce(): Promise<number> {
    const woken = [...this.woken.keys()];
    await Promise.all(woken.map((queue) => this.promote(queue)));
    if (this.nowMs >= this.lookAt) await this.lookAround();
    await Promise.all(this.due().map((queue) => this.promote(queue)));
    return Math.max(0, Math.min(this.lookAt, ...this.dueAt.values()) - this.nowMs);
  }

  private get nowMs(): number {
    return this.options.clock.monotonicMs();
  }

  private get dutyMs(): number {
    return this.options.everyMs * DUTY_LOOKS;
  }

  private due(): readonly string[] {
    const now = this.nowMs;
    return [...this.dueAt].filter(([, at]) => at <= now).map(([queue]) => queue);
  }

  /** Finds out in which queues we have the duty, and keeps it there. */
  private async lookAround(): Promise<void> {
    const { everyMs, random } = this.options;
    const lookMs = everyMs * (0.9 + 0.2 * random());
    this.lookAt = this.nowMs + lookMs;
    const { consumer, queues, dutyMs } = this;
    const { duties, waiting } = await this.broker.takeDuties({ queues, consumer, dutyMs });
    const now = this.nowMs;
    this.dueAt.clear();
    for (const { queue, nextInMs } of duties) this.dueAt.set(queue, now + nextInMs);
    if (!waiting) this.lookAt += lookMs * (IDLE_LOOKS - 1);
  }

  /** A queue that fails holds up no other. */
  private async promote(queue: string): Promise<void> {
    try {
      await this.promotePages(queue);
    } catch (error) {
      const { name, logger } = this.options;
      logger.warn(`${name}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  private async promotePages(queue: string): Promise<void> {
    const wakeEntryId = this.woken.get(queue);
    this.woken.delete(queue);
    this.dueAt.delete(queue);
    let answer = await this.pass(queue, wakeEntryId);
    for (let page = 1; answer.nextInMs === 0 && page < PAGES_IN_A_ROW; page += 1)
      answer = await this.pass(queue);
    if (!answer.onDuty || answer.nextInMs === undefined) return;
    this.dueAt.set(queue, this.nowMs + answer.nextInMs);
    // A duty that was taken when nothing had waited must be kept, too.
    this.lookAt = Math.min(this.lookAt, this.nowMs + this.options.everyMs);
  }

  private pass(queue: string, wakeEntryId?: string): Promise<PromoteAnswer> {
    return this.broker.promote({
      queue,
      consumer: this.consumer,
      dutyMs: this.dutyMs,
      takeOver: wakeEntryId !== undefined,
      ...(wakeEntryId !== undefined && { wakeEntryId }),
    });
  }
}
