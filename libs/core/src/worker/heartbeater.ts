import type { Broker } from '../broker/broker.js';
import { PeriodicService, type PeriodicOptions } from '../runtime/service.js';
import type { QueueRunner } from './queue-runner.js';

/** Renews the lease of every task in our hands, by name; entries that we hold without knowing are left to expire. */
export class Heartbeater extends PeriodicService {
  constructor(
    private readonly broker: Broker,
    private readonly consumer: string,
    private readonly runners: readonly QueueRunner[],
    options: PeriodicOptions,
  ) {
    super(options);
  }

  override async runOnce(): Promise<void> {
    await Promise.all(this.runners.map((runner) => this.renew(runner)));
  }

  private async renew(runner: QueueRunner): Promise<void> {
    const leases = runner.leases();
    if (leases.length === 0) return;
    for (const lost of await this.broker.extend(runner.queue, this.consumer, leases)) runner.loseLease(lost);
  }
}
