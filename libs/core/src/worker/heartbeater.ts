import type { Broker } from '../broker/broker.js';
import type { LeaseBoard } from '../broker/lease-guard.js';
import { PeriodicService, type PeriodicOptions } from '../runtime/service.js';
import type { LeaseWatch } from './lease-watch.js';
import type { QueueRunner } from './queue-runner.js';

/** A beat that failed is repeated so many times before the next would have been due. */
const TRIES_PER_BEAT = 10;

/** Renews the lease of every task in our hands, by name; entries that we hold without knowing are left to expire. */
export class Heartbeater extends PeriodicService {
  constructor(
    private readonly broker: Broker,
    private readonly consumer: string,
    private readonly runners: readonly QueueRunner[],
    options: PeriodicOptions,
    /** Told of every beat. */
    private readonly board: LeaseBoard,
    /** Told of every beat that succeeded. */
    private readonly watch: LeaseWatch,
  ) {
    super(options);
  }

  override async runOnce(): Promise<number | undefined> {
    this.board.beat();
    const renewals = await Promise.allSettled(this.runners.map((runner) => this.renew(runner)));
    const failed = renewals.find((renewal) => renewal.status === 'rejected');
    if (!failed) return undefined;
    this.options.logger.warn(`leases could not be renewed, trying again: ${String(failed.reason)}`);
    return this.options.everyMs / TRIES_PER_BEAT;
  }

  private async renew(runner: QueueRunner): Promise<void> {
    const leases = runner.leases();
    if (leases.length === 0) return;
    const sentAt = this.options.clock.monotonicMs();
    for (const lost of await this.broker.extend(runner.queue, this.consumer, leases)) runner.loseLease(lost);
    this.watch.renewed(runner, sentAt);
  }
}
