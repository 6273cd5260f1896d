import type { Broker, DeadLetter } from '../broker/broker.js';
import type { ResolvedLimits } from '../policy/engine-options.js';
import { type PeriodicOptions, PeriodicService } from '../runtime/service.js';

/** Dead letters deleted per pass at most, in pages: a flood is worn down over several passes. */
const PAGES_PER_PASS = 10;
const PAGE = 100;

/** Removes what nobody needs: consumers that are gone, dead letters that are too many or too old. */
export class Janitor extends PeriodicService {
  constructor(
    private readonly broker: Broker,
    private readonly consumer: string,
    private readonly queues: readonly string[],
    private readonly limits: ResolvedLimits,
    options: PeriodicOptions,
  ) {
    super(options);
  }

  override async runOnce(): Promise<void> {
    const { broker, consumer, queues } = this;
    const { consumerAgeMs, deadLetters, deadLetterAgeMs } = this.limits;
    const request = { queues, consumer, consumerAgeMs, deadLetters, deadLetterAgeMs };
    for (const queue of await broker.cleaningDue(request)) {
      await this.removeConsumers(queue);
      await this.trimDeadLetters(queue);
    }
  }

  private async removeConsumers(queue: string): Promise<void> {
    for (const { name, idleMs, pending } of await this.broker.listConsumers(queue)) {
      if (!this.running) return;
      if (name === this.consumer || pending > 0 || idleMs < this.limits.consumerAgeMs) continue;
      await this.broker.removeConsumer(queue, name);
    }
  }

  private async trimDeadLetters(queue: string): Promise<void> {
    for (let page = 0; page < PAGES_PER_PASS && this.running; page += 1) {
      const { dead } = await this.broker.counts(queue);
      const oldest = await this.broker.listDeadLetters(queue, '', PAGE);
      const expired = this.expired(oldest, dead);
      if (expired.length > 0) await this.broker.deleteDeadLetters(queue, expired);
      if (expired.length < PAGE) return;
    }
  }

  private expired(oldest: readonly DeadLetter[], dead: number): readonly DeadLetter[] {
    const tooMany = Math.max(0, dead - this.limits.deadLetters);
    const before = this.broker.now() - this.limits.deadLetterAgeMs;
    return oldest.filter((letter, position) => position < tooMany || letter.diedAt < before);
  }
}
