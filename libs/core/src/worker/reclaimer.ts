import type { Broker, ReclaimCursor } from '../broker/broker.js';
import { type PeriodicOptions, PeriodicService } from '../runtime/service.js';
import type { QueueRunner } from './queue-runner.js';

/** Most entries taken by one page. */
const PAGE = 100;

/** Pages looked at in one pass of a queue; a sweep that is longer goes on in the next, where it stopped. */
const PAGES_IN_A_ROW = 50;

/**
 * Takes over tasks whose consumer has fallen silent, and tasks that were handed back. It never takes more than there
 * are slots without a handler, has the next ones kept for what it had to leave, and leaves everything alone for one heartbeat after the link to Redis was lost: then every task of
 * every worker looks abandoned, until its owner has had the chance to say otherwise.
 */
export class Reclaimer extends PeriodicService {
  private readonly woken = new Map<string, string>();
  private readonly vacant = new Set<string>();
  private readonly cursors = new Map<string, ReclaimCursor>();
  private heldUntil = 0;

  constructor(
    private readonly broker: Broker,
    private readonly consumer: string,
    private readonly runners: readonly QueueRunner[],
    private readonly leaseMs: number,
    options: PeriodicOptions,
  ) {
    super(options);
  }

  /** Tasks were handed back, or were left for want of slots; `entryId` is the word of it. */
  wake(queue: string, entryId: string): void {
    this.woken.set(queue, entryId);
    this.trigger();
  }

  /** A slot that was kept for what had to be left is free. */
  vacated(queue: string): void {
    this.vacant.add(queue);
    this.trigger();
  }

  /** Sweeps nothing for `ms`. Tasks handed back are still taken: their owner has let go of them. */
  hold(ms: number): void {
    this.heldUntil = Math.max(this.heldUntil, this.options.clock.monotonicMs() + ms);
  }

  override async runOnce(): Promise<void> {
    for (const runner of this.runners) {
      const wakeEntryId = this.woken.get(runner.queue);
      this.woken.delete(runner.queue);
      if (wakeEntryId !== undefined) await this.page(runner, { releasedOnly: true, wakeEntryId });
      else if (this.vacant.delete(runner.queue)) await this.page(runner, { releasedOnly: true });
      if (this.options.clock.monotonicMs() >= this.heldUntil) await this.sweep(runner);
    }
  }

  private async sweep(runner: QueueRunner): Promise<void> {
    for (let page = 0; page < PAGES_IN_A_ROW && (runner.room > 0 || page === 0); page += 1) {
      const cursor = await this.page(runner, { releasedOnly: false, cursor: this.cursors.get(runner.queue) });
      if (!cursor) {
        this.cursors.delete(runner.queue);
        return;
      }
      this.cursors.set(runner.queue, cursor);
    }
  }

  private async page(
    runner: QueueRunner,
    how: { releasedOnly: boolean; wakeEntryId?: string; cursor?: ReclaimCursor | undefined },
  ): Promise<ReclaimCursor | undefined> {
    const limit = Math.min(runner.room, PAGE);
    const giveUp = runner.reserve(limit);
    try {
      const { cursor, deliveries, left } = await this.broker.reclaim({
        queue: runner.queue,
        consumer: this.consumer,
        leaseMs: this.leaseMs,
        limit,
        suspects: !runner.hasSuspect,
        releasedOnly: how.releasedOnly,
        everyMs: this.options.everyMs,
        held: runner.leases(),
        ...(how.cursor && { cursor: how.cursor }),
        ...(how.wakeEntryId !== undefined && { wakeEntryId: how.wakeEntryId }),
      });
      giveUp();
      runner.promise(left);
      runner.receive(deliveries);
      return cursor;
    } catch (error) {
      giveUp();
      throw error;
    }
  }
}
