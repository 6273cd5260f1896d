import type { Broker, EntryRef, ReclaimAnswer, ReclaimCursor, ReclaimRequest } from '../broker/broker.js';
import { type PeriodicOptions, PeriodicService } from '../runtime/service.js';
import type { QueueRunner } from './queue-runner.js';

/** Most entries taken by one page. */
const PAGE = 100;

/** Pages in one pass of a queue that bring nothing; a sweep that is longer goes on in the next, where it stopped. */
const IDLE_PAGES = 50;

/**
 * Of the time between two looks, for how long nobody begins another sweep: less than what lies between two looks at
 * least, or one's own sweep would keep one from the next.
 */
const GATE_SHARE = 0.8;

/** What a reclaimer goes by. */
export interface ReclaimerTimes {
  readonly leaseMs: number;
  /** For how long nothing is swept once every lease may seem to have run out, though their owners live. */
  readonly holdMs: number;
  /** How late a call may be, or how far Redis' clock may be set forward, before that is so. */
  readonly lateMs: number;
}

type How = Pick<ReclaimRequest, 'wakeEntryId' | 'strays'> & {
  readonly releasedOnly?: boolean;
  readonly cursor?: ReclaimCursor | undefined;
};

/**
 * Takes over tasks whose consumer has fallen silent, and tasks that were handed back. It never takes more than there
 * are slots without a handler, and has the next ones kept for what it had to leave. It leaves everything alone for a
 * while after the link to Redis was lost, after Redis stood still, and after Redis' clock was set forward: then every
 * task of every worker looks abandoned, until its owner has had the chance to say otherwise.
 */
export class Reclaimer extends PeriodicService {
  private readonly woken = new Map<string, string>();
  private readonly vacant = new Set<string>();
  private readonly cursors = new Map<string, ReclaimCursor>();
  /** By queue: Redis' clock minus the steady one, when its tasks were last looked at. */
  private readonly offsets = new Map<string, number>();
  /** Queues that have slots kept for what was left: for as long as it is there. */
  private readonly leftIn = new Set<string>();
  private heldUntil = 0;
  private lookAt = 0;

  constructor(
    private readonly broker: Broker,
    private readonly consumer: string,
    private readonly runners: readonly QueueRunner[],
    private readonly times: ReclaimerTimes,
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

  /** Sweeps nothing for a while. Tasks handed back are still taken: their owner has let go of them. */
  hold(ms = this.times.holdMs): void {
    this.heldUntil = Math.max(this.heldUntil, this.nowMs + ms);
  }

  override async runOnce(): Promise<number> {
    const others: QueueRunner[] = [];
    for (const runner of this.runners) if (!(await this.attend(runner))) others.push(runner);
    if (this.nowMs >= this.lookAt) await this.lookAround(others);
    return Math.max(0, this.lookAt - this.nowMs);
  }

  /** Looks into a queue if it was woken, has a free slot, or was left in the middle; answers whether it was. */
  private async attend(runner: QueueRunner): Promise<boolean> {
    const { queue } = runner;
    this.watchClock(queue);
    const wakeEntryId = this.woken.get(queue);
    this.woken.delete(queue);
    const vacant = this.vacant.delete(queue);
    if (wakeEntryId !== undefined) await this.page(runner, { releasedOnly: true, wakeEntryId });
    else if (vacant) await this.page(runner, { releasedOnly: true });
    else if (!this.cursors.has(queue) || this.heldMs > 0) return false;
    await this.sweep(runner);
    return true;
  }

  /** Looks at all queues together, and into those of the others in which there is something. */
  private async lookAround(others: readonly QueueRunner[]): Promise<void> {
    const { everyMs, random } = this.options;
    this.lookAt = this.nowMs + everyMs * (0.9 + 0.2 * random());
    const queues = this.runners.map(({ queue }) => queue);
    const notAfter = this.broker.now(queues[0]) + this.times.lateMs;
    const due = await this.broker.sweepsDue({ queues, everyMs: this.gateMs, notAfter });
    // It waited somewhere: what is sent now is not late, and would find every lease run out.
    if (due.late) this.hold();
    for (const queue of queues) this.learnClock(queue);
    for (const runner of others) {
      if (!due.queues.includes(runner.queue) && !this.leftIn.has(runner.queue)) continue;
      if (this.heldMs > 0) await this.page(runner, { releasedOnly: true });
      else await this.sweep(runner);
    }
    if (this.heldMs > 0) this.lookAt = Math.min(this.lookAt, this.heldUntil);
  }

  private get nowMs(): number {
    return this.options.clock.monotonicMs();
  }

  private get gateMs(): number {
    return this.options.everyMs * GATE_SHARE;
  }

  private get heldMs(): number {
    return Math.max(0, this.heldUntil - this.nowMs);
  }

  /** Somebody else may have been the first to hear that Redis' clock was set: then no call of ours is late. */
  private watchClock(queue: string): void {
    const offset = this.offsetOf(queue);
    const known = this.offsets.get(queue);
    if (known === undefined) return;
    if (offset - known > this.times.lateMs) this.hold();
    this.offsets.set(queue, offset);
  }

  /** The broker has just heard of the clock. */
  private learnClock(queue: string): void {
    if (this.offsets.has(queue)) this.watchClock(queue);
    else this.offsets.set(queue, this.offsetOf(queue));
  }

  private offsetOf(queue: string): number {
    return this.broker.now(queue) - this.nowMs;
  }

  private async sweep(runner: QueueRunner): Promise<void> {
    let goesOn = this.cursors.has(runner.queue);
    for (let idle = 0; idle < IDLE_PAGES && this.heldMs === 0;) {
      const { cursor, brought } = await this.page(runner, { cursor: this.cursors.get(runner.queue) });
      if (cursor) this.cursors.set(runner.queue, cursor);
      else this.cursors.delete(runner.queue);
      // One that went on has not seen what lies before where it began.
      if (!cursor && !goesOn) return;
      if (cursor && runner.room === 0) return;
      if (!cursor) goesOn = false;
      if (!brought) idle += 1;
    }
  }

  private async page(
    runner: QueueRunner,
    how: How,
  ): Promise<{ cursor: ReclaimCursor | undefined; brought: boolean }> {
    const { cursor, deliveries, left, own } = await this.reclaim(runner, how);
    const strays = straysAmong(own, runner);
    if (strays.length > 0) await this.reclaim(runner, { strays }, left);
    return { cursor, brought: deliveries.length + strays.length > 0 };
  }

  /** @param leftBefore what was left by the same page already */
  private async reclaim(runner: QueueRunner, how: How, leftBefore = 0): Promise<ReclaimAnswer> {
    const { queue } = runner;
    const limit = Math.min(runner.room, runner.page, PAGE);
    const giveUp = runner.reserve(limit);
    let answer: ReclaimAnswer;
    try {
      answer = await this.broker.reclaim({
        queue,
        consumer: this.consumer,
        leaseMs: this.times.leaseMs,
        limit,
        suspects: !runner.hasSuspect,
        releasedOnly: how.releasedOnly ?? false,
        everyMs: this.gateMs,
        notAfter: this.broker.now(queue) + this.times.lateMs,
        ...(how.strays && { strays: how.strays }),
        ...(how.cursor && { cursor: how.cursor }),
        ...(how.wakeEntryId !== undefined && { wakeEntryId: how.wakeEntryId }),
      });
    } finally {
      giveUp();
    }
    if (answer.late) this.hold();
    this.learnClock(queue);
    const left = leftBefore + answer.left;
    if (left > 0) this.leftIn.add(queue);
    else this.leftIn.delete(queue);
    runner.promise(left);
    runner.receive(answer.deliveries);
    return answer;
  }
}

/** Of the consumer's own entries those that it has no hand on: the replies that leased them were lost. */
function straysAmong(own: readonly EntryRef[], runner: QueueRunner): readonly EntryRef[] {
  if (own.length === 0) return [];
  const name = ({ lane, entryId }: EntryRef): string => `${lane} ${entryId}`;
  const held = new Set(runner.leases().map(name));
  return own.filter((entry) => !held.has(name(entry)));
}
