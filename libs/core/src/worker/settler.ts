import type { Delivery, LaneQuota, Lease, SettleAnswer, Settlement } from '../broker/broker.js';
import { BrokerError, BrokerTimeoutError } from '../contract/errors.js';
import { sleep } from '../runtime/clock.js';
import { callsAtOnce, GROUP_BYTES } from '../policy/group-size.js';
import { atEndOfTurn } from '../runtime/turn.js';
import { bytesOf } from './settlement.js';
import type { ConsumerParts } from './worker-parts.js';

/**
 * Outcomes of one script call: together with the bound on their bytes, and with the page that it may bring, this keeps it
 * well below 5 ms also where millions of tasks are kept, and nothing that it touches is in a cache.
 */
const GROUP_SIZE = 128;

/**
 * For how many leases an outcome is tried again that Redis refuses, so that nothing but somebody's help can make it
 * pass: after that its slot is worth more than its answer.
 */
const REFUSED_FOR_LEASES = 2;

/** First and longest pause between two tries. */
const RETRY_PAUSE_MS = { first: 25, longest: 1000 };

/** What the settler asks and tells its queue. `Decision` is what the queue wants to be told of, as it gave it. */
export interface SettlerOwner<Decision> {
  /** Entries to bring along; `urgent`: worth a trip of their own. */
  want(): { readonly shares: LaneQuota; readonly urgent: boolean };
  /** A call is under way that may bring so many entries. */
  asked(count: number): void;
  /** What it brought; nothing when it failed. */
  answered(asked: number, deliveries: readonly Delivery[] | undefined): void;
  /** Its outcome is true in Redis. */
  settled(decision: Decision): void;
  /** It is true in Redis in another way: another task with its id waits already, so this one became a dead letter. */
  buried(decision: Decision): void;
  /** Its outcome was refused: another consumer owns the task, or it is gone. */
  stale(decision: Decision): void;
  /** Nobody will hear of it again: its lease was lost, or it could not be settled in time. */
  dropped(decision: Decision): void;
}

interface Waiting<Decision> {
  readonly settlement: Settlement;
  readonly decision: Decision | undefined;
  /** A try failed. */
  hasFailed?: boolean;
  /** When Redis first refused it for good, if it did. */
  refusedAt?: number;
  /** A try may have been applied though it was not answered: then being refused means nothing. */
  maybeApplied?: boolean;
}

/** Fewer outcomes than this are not worth a second call: they leave with the answer of the first. */
const SECOND_CALL_MIN = 16;

/**
 * Settles outcomes in groups: those of one turn of the event loop leave together, in a call which also brings the
 * next entries. Under load they leave in two halves, so that Redis and this process work at the same time instead of
 * in turns. A call that fails is repeated until it is answered, however long Redis is away: an outcome in hand is worth
 * more than another start, and if the task is somebody else's by then it is refused. What Redis refuses for good is
 * given up after a while.
 */
export class Settler<Decision> {
  private waiting: Waiting<Decision>[] = [];
  /** Those that failed, behind the others: completions take with them what a full Redis refuses by itself. */
  private failed: Waiting<Decision>[] = [];
  private readonly underWay = new Set<readonly Waiting<Decision>[]>();
  private scheduled = false;
  private fetches = 0;
  private groupSize = GROUP_SIZE;
  /** Calls under way at once: while Redis works on one, the handlers of the other run. */
  private readonly calls: number;
  private pause = RETRY_PAUSE_MS.first;
  private whenFlushed: (() => void)[] = [];
  private readonly closing = new AbortController();
  private overdueCount = 0;
  private lastFailed = false;

  constructor(
    private readonly queue: string,
    private readonly parts: ConsumerParts,
    private readonly owner: SettlerOwner<Decision>,
  ) {
    this.calls = callsAtOnce(parts.partitions.optionsOf(queue).partitions);
  }

  /** Outcomes that could not be settled at the first try, and are not settled yet. */
  get overdue(): number {
    return this.overdueCount;
  }

  /** The last call that was over had failed. */
  get failing(): boolean {
    return this.lastFailed;
  }

  /** A call under way brings entries along. */
  get fetching(): boolean {
    return this.fetches > 0;
  }

  /** A call is under way, or about to be. */
  get busy(): boolean {
    return this.scheduled || this.underWay.size > 0;
  }

  add(settlement: Settlement, decision?: Decision): void {
    this.waiting.push({ settlement, decision });
    this.pump();
  }

  /** Sends what waits, and fetches if the queue wants to, at the end of this turn. */
  pump(): void {
    if (this.scheduled || this.closing.signal.aborted) return;
    if (this.underWay.size > 0 && !this.mayCallAgain()) return;
    this.scheduled = true;
    atEndOfTurn(() => {
      this.scheduled = false;
      this.flush();
    });
  }

  /** Leases of outcomes that are not settled yet: they must be kept alive until they are. */
  leases(): Lease[] {
    return [...[...this.underWay].flat(), ...this.waiting, ...this.failed].map(
      (entry) => entry.settlement.lease,
    );
  }

  /** The lease is lost: its outcome would be refused. Unless it was lost because a try was applied: that is yet to be told. */
  forget(lease: Lease): void {
    const keeps = (entry: Waiting<Decision>): boolean => {
      const { entryId, lane } = entry.settlement.lease;
      if (entryId !== lease.entryId || lane !== lease.lane || entry.maybeApplied) return true;
      this.drop(entry);
      return false;
    };
    this.waiting = this.waiting.filter(keeps);
    this.failed = this.failed.filter(keeps);
  }

  async flushed(): Promise<void> {
    if (this.count === 0 && this.underWay.size === 0) return;
    await new Promise<void>((resolve) => this.whenFlushed.push(resolve));
  }

  /** Nothing is sent any more. What is not settled by now comes back by its lease. */
  close(): void {
    this.closing.abort();
    const left = this.leases().length;
    if (left > 0) this.logGivenUp(left, 'the worker has stopped');
    this.tellFlushed();
  }

  private get count(): number {
    return this.waiting.length + this.failed.length;
  }

  private mayCallAgain(): boolean {
    return this.underWay.size < this.calls && this.count >= SECOND_CALL_MIN;
  }

  private flush(): void {
    if (this.closing.signal.aborted) return;
    const { count } = this;
    const halves = this.calls > 1 && this.underWay.size === 0 && count >= 2 * SECOND_CALL_MIN;
    const share = halves ? Math.ceil(count / 2) : count;
    do {
      if (this.underWay.size > 0 && !this.mayCallAgain()) return;
      const { shares, urgent } = this.owner.want();
      if (this.count === 0 && !urgent) break;
      void this.send(this.take(Math.min(share, this.groupSize)), shares);
    } while (this.count > 0);
    if (this.count === 0 && this.underWay.size === 0) this.tellFlushed();
  }

  /** Takes the next group away: at least one outcome, where there is one, and no more bytes than one call should hold. */
  private take(most: number): readonly Waiting<Decision>[] {
    const group: Waiting<Decision>[] = [];
    let bytes = 0;
    for (const from of [this.waiting, this.failed]) {
      let end = 0;
      for (; end < from.length && group.length + end < most; end += 1) {
        const more = bytesOf(from[end]!.settlement);
        if (bytes > 0 && bytes + more > GROUP_BYTES) break;
        bytes += more;
      }
      group.push(...from.splice(0, end));
    }
    return group;
  }

  private async send(group: readonly Waiting<Decision>[], want: LaneQuota): Promise<void> {
    this.underWay.add(group);
    if (want.total > 0) this.fetches += 1;
    this.owner.asked(want.total);
    const brought = await this.settle(group, want);
    this.underWay.delete(group);
    if (want.total > 0) this.fetches -= 1;
    this.owner.answered(want.total, brought);
    // After a full page not at once: most of that ends in this turn, and leaves with what had to wait for the answer.
    if (want.total > 0 && brought?.length === want.total) this.pump();
    else this.flush();
  }

  /** One try. Answers the entries it brought, or nothing when it failed and its outcomes wait for the next. */
  private async settle(
    group: readonly Waiting<Decision>[],
    want: LaneQuota,
  ): Promise<readonly Delivery[] | undefined> {
    const { queue } = this;
    const { broker, events, consumer, options } = this.parts;
    const { leaseMs } = options.worker;
    try {
      const outcomes = group.map((entry) => entry.settlement);
      const answer = await broker.settle({ queue, consumer, outcomes, want, leaseMs });
      this.groupSize = GROUP_SIZE;
      this.pause = RETRY_PAUSE_MS.first;
      this.lastFailed = false;
      this.notify(group, answer);
      if (answer.recreated) events.emit('queue.recreated', { queue });
      return answer.deliveries;
    } catch (error) {
      this.lastFailed = true;
      await this.keep(group, error);
      return undefined;
    }
  }

  private notify(
    sent: readonly Waiting<Decision>[],
    { stale, stillLeased, buried }: Pick<SettleAnswer, 'stale' | 'stillLeased' | 'buried'>,
  ): void {
    sent.forEach(({ decision, maybeApplied, hasFailed }, position) => {
      if (hasFailed) this.overdueCount -= 1;
      if (decision === undefined) return;
      // Refused and gone means nothing after a try that may have been applied; refused and still there means that it was not.
      const refused = stale.includes(position) && (!maybeApplied || stillLeased.includes(position));
      if (refused) this.owner.stale(decision);
      else if (buried.includes(position)) this.owner.buried(decision);
      else this.owner.settled(decision);
    });
  }

  /**
   * Keeps outcomes for the next try, and waits a little. Groups get smaller, so that one outcome that Redis refuses
   * does not hold up the others for ever.
   */
  private async keep(sent: readonly Waiting<Decision>[], error: unknown): Promise<void> {
    const now = this.parts.clock.monotonicMs();
    const longestMs = this.parts.options.worker.leaseMs * REFUSED_FOR_LEASES;
    const mayPass = error instanceof BrokerError && error.retryable;
    const kept = sent.filter((entry) => {
      if (!entry.hasFailed) this.overdueCount += 1;
      entry.hasFailed = true;
      entry.maybeApplied ||= error instanceof BrokerTimeoutError;
      if (mayPass) return true;
      entry.refusedAt ??= now;
      if (now - entry.refusedAt < longestMs) return true;
      this.drop(entry);
      return false;
    });
    const given = sent.length - kept.length;
    const message = error instanceof Error ? error.message : String(error);
    if (given > 0) this.logGivenUp(given, message);
    else this.parts.logger.warn(`queue "${this.queue}": settling failed, trying again (${message})`);
    this.groupSize = Math.max(1, Math.floor(this.groupSize / 2));
    await sleep(this.parts.clock, this.pause * (0.5 + this.parts.random()), this.closing.signal);
    this.pause = Math.min(this.pause * 2, RETRY_PAUSE_MS.longest);
    this.failed.push(...kept);
  }

  private drop({ decision, hasFailed }: Waiting<Decision>): void {
    if (hasFailed) this.overdueCount -= 1;
    if (decision !== undefined) this.owner.dropped(decision);
  }

  private logGivenUp(count: number, why: string): void {
    this.parts.logger.error(
      `queue "${this.queue}": ${count} outcomes could not be settled; their tasks will run again (${why})`,
    );
  }

  private tellFlushed(): void {
    for (const resolve of this.whenFlushed.splice(0)) resolve();
  }
}
