import type { Delivery, LaneQuota, Lease, Settlement } from '../broker/broker.js';
import { BrokerTimeoutError } from '../contract/errors.js';
import { sleep } from '../runtime/clock.js';
import { atEndOfTurn } from '../runtime/turn.js';
import type { ConsumerParts } from './worker-parts.js';

/** Outcomes of one script call: keeps it well below 5 ms. */
const GROUP_SIZE = 200;

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
  /** Its outcome was refused: another consumer owns the task, or it is gone. */
  stale(decision: Decision): void;
  /** Nobody will hear of it again: its lease was lost, or it could not be settled in time. */
  dropped(decision: Decision): void;
}

interface Waiting<Decision> {
  readonly settlement: Settlement;
  readonly decision: Decision | undefined;
  /** When it was first sent, if it was. */
  triedAt?: number;
  /** A try may have been applied though it was not answered: then being refused means nothing. */
  maybeApplied?: boolean;
}

/** Calls under way at once: while Redis works on one, the handlers of the other run. */
const CALLS = 2;

/** Fewer outcomes than this are not worth a second call: they leave with the answer of the first. */
const SECOND_CALL_MIN = 16;

/**
 * Settles outcomes in groups: those of one turn of the event loop leave together, in a call which also brings the
 * next entries. Under load they leave in two halves, so that Redis and this process work at the same time instead of
 * in turns. A call that fails is repeated while the leases last; after that the tasks are somebody else's and come
 * back by reclaim.
 */
export class Settler<Decision> {
  private waiting: Waiting<Decision>[] = [];
  private readonly underWay = new Set<readonly Waiting<Decision>[]>();
  private scheduled = false;
  private fetches = 0;
  private groupSize = GROUP_SIZE;
  private pause = RETRY_PAUSE_MS.first;
  private whenFlushed: (() => void)[] = [];
  private readonly closing = new AbortController();

  constructor(
    private readonly queue: string,
    private readonly parts: ConsumerParts,
    private readonly owner: SettlerOwner<Decision>,
  ) {}

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
    return [...[...this.underWay].flat(), ...this.waiting].map((entry) => entry.settlement.lease);
  }

  /** The lease is lost: its outcome would be refused. Unless it was lost because a try was applied: that is yet to be told. */
  forget(lease: Lease): void {
    this.waiting = this.waiting.filter(({ settlement, decision, maybeApplied }) => {
      const same = settlement.lease.entryId === lease.entryId && settlement.lease.lane === lease.lane;
      if (!same || maybeApplied) return true;
      if (decision !== undefined) this.owner.dropped(decision);
      return false;
    });
  }

  async flushed(): Promise<void> {
    if (this.waiting.length === 0 && this.underWay.size === 0) return;
    await new Promise<void>((resolve) => this.whenFlushed.push(resolve));
  }

  close(): void {
    this.closing.abort();
    this.tellFlushed();
  }

  private mayCallAgain(): boolean {
    return this.underWay.size < CALLS && this.waiting.length >= SECOND_CALL_MIN;
  }

  private flush(): void {
    const { length } = this.waiting;
    const halves = this.underWay.size === 0 && length >= 2 * SECOND_CALL_MIN;
    const share = halves ? Math.ceil(length / 2) : length;
    do {
      if (this.underWay.size > 0 && !this.mayCallAgain()) return;
      const { shares, urgent } = this.owner.want();
      if (this.waiting.length === 0 && !urgent) break;
      void this.send(this.waiting.splice(0, Math.min(share, this.groupSize)), shares);
    } while (this.waiting.length > 0);
    if (this.waiting.length === 0 && this.underWay.size === 0) this.tellFlushed();
  }

  private async send(group: readonly Waiting<Decision>[], want: LaneQuota): Promise<void> {
    this.underWay.add(group);
    if (want.total > 0) this.fetches += 1;
    this.owner.asked(want.total);
    const brought = await this.settle(group, want);
    this.underWay.delete(group);
    if (want.total > 0) this.fetches -= 1;
    this.owner.answered(want.total, brought);
    this.flush();
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
      this.notify(group, answer.stale);
      if (answer.recreated) events.emit('queue.recreated', { queue });
      return answer.deliveries;
    } catch (error) {
      await this.failed(group, error);
      return undefined;
    }
  }

  private notify(sent: readonly Waiting<Decision>[], stale: readonly number[]): void {
    const refused = stale.length === 0 ? undefined : new Set(stale);
    sent.forEach(({ decision, maybeApplied }, position) => {
      if (decision === undefined) return;
      if (refused?.has(position) && !maybeApplied) this.owner.stale(decision);
      else this.owner.settled(decision);
    });
  }

  /**
   * Keeps outcomes for the next try as long as their leases may last, and waits a little. Groups get smaller, so
   * that one outcome that Redis refuses does not hold up the others for ever.
   */
  private async failed(sent: readonly Waiting<Decision>[], error: unknown): Promise<void> {
    const now = this.parts.clock.monotonicMs();
    const kept = sent.filter((entry) => {
      entry.triedAt ??= now;
      entry.maybeApplied ||= error instanceof BrokerTimeoutError;
      if (now - entry.triedAt < this.parts.options.worker.leaseMs * 2) return true;
      if (entry.decision !== undefined) this.owner.dropped(entry.decision);
      return false;
    });
    const given = sent.length - kept.length;
    const message = error instanceof Error ? error.message : String(error);
    if (given > 0) {
      this.parts.logger.error(
        `queue "${this.queue}": ${given} outcomes could not be settled; their tasks will run again (${message})`,
      );
    } else this.parts.logger.warn(`queue "${this.queue}": settling failed, trying again (${message})`);
    this.groupSize = Math.max(1, Math.floor(this.groupSize / 2));
    // Behind the others: whatever it is, it is not to be tried first again.
    this.waiting = [...this.waiting, ...kept];
    await sleep(this.parts.clock, this.pause * (0.5 + this.parts.random()), this.closing.signal);
    this.pause = Math.min(this.pause * 2, RETRY_PAUSE_MS.longest);
  }

  private tellFlushed(): void {
    for (const resolve of this.whenFlushed.splice(0)) resolve();
  }
}
