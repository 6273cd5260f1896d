import {
  type Broker,
  type CleaningRequest,
  type Clock,
  type ConsumerInfo,
  type DataLoss,
  type DeadLetter,
  type DeadLetterRef,
  type Durability,
  durabilityName,
  DurabilityUnavailableError,
  type DutyAnswer,
  type DutyRequest,
  type EnqueueAnswer,
  type EnqueueGroup,
  type EnqueueReply,
  type FetchAnswer,
  type FetchRequest,
  type GroupRef,
  type Lease,
  type LeaseGuard,
  type PartitionsRecord,
  type PromoteAnswer,
  type PromoteRequest,
  type QueueCounts,
  type ReclaimAnswer,
  type ReclaimRequest,
  type ScheduledTask,
  type SettleAnswer,
  type SettleRequest,
  type SweepAnswer,
  type SweepRequest,
  type TaskPlace,
} from '@taskq/core';
import { DataWatch } from './data-watch.js';
import { deleteDeadLetters, listDeadLetters, replay } from './dead-letters.js';
import type { KnownData } from './ensure.js';
import { enqueueGroup, resolveGroup } from './enqueue.js';
import { countQueue, findTask, isCleaningDue, listConsumers, removeConsumer } from './inspection.js';
import { extendLeases, isSweepDue, reclaim } from './leases.js';
import { MemoryLink } from './memory-link.js';
import type { MemoryQueue } from './memory-queue.js';
import { MemoryStore, type Verb } from './memory-store.js';
import { recordPartitions } from './partitions.js';
import { promote, takeDuty } from './promote.js';
import { settle } from './settle.js';
import { WaitingFetch } from './waiting-fetches.js';

/** Dead letters or scheduled tasks of one answer. */
const PAGE = 100;

/** How a {@link MemoryBroker} is made. */
export interface MemoryBrokerOptions {
  /** What it is connected to; brokers of one store meet there. @default a store of its own, on `clock` */
  store?: MemoryStore;
  /** The clock of its process. @default that of the store */
  clock?: Clock;
}

/**
 * A broker that keeps its queues in memory and answers as the one on Redis does: for tests that need no server, and
 * for simulations. One broker is one process' connection; it keeps nothing that Redis would keep, so one may be
 * dropped at any moment.
 *
 * A verb changes the store at once, in the turn in which it is called, and answers by a promise that is resolved
 * already. Only `fetch` waits, on the store's clock.
 *
 * Durability: `accepted` and `durable` are always reached, `{ replicated: k }` when the store has as many replicas.
 */
export class MemoryBroker implements Broker {
  readonly store: MemoryStore;
  private readonly clock: Clock;
  private readonly link: MemoryLink;
  private readonly watch: DataWatch;
  /** Queues whose data was asked for since the last reconnect. Nothing is leased before. */
  private readonly asked = new Set<string>();
  /** Which data each queue was when it was last asked: over reconnects, too. */
  private readonly known = new Map<string, KnownData>();
  /** The store's clock minus this process' steady clock, as last heard of. */
  private clockOffset = 0;

  constructor(options: MemoryBrokerOptions = {}) {
    this.store = options.store ?? new MemoryStore(options.clock && { clock: options.clock });
    this.clock = options.clock ?? this.store.clock;
    this.watch = new DataWatch(this.store, this.clock);
    this.link = new MemoryLink(this.clock);
    this.heard();
  }

  now(): number {
    return Math.round(this.clock.monotonicMs() + this.clockOffset);
  }

  async openForWork(): Promise<void> {
    this.link.demand();
  }

  async ensureQueue(queue: string): Promise<boolean> {
    this.link.demand();
    return this.learn(queue, true);
  }

  async recordedPartitions(queue: string): Promise<number | undefined> {
    return this.look(queue, ({ control }) => control.partitions);
  }

  async recordPartitions(request: PartitionsRecord): Promise<number> {
    return this.change(request.queue, (data) => recordPartitions(data, request));
  }

  /** @throws DurabilityUnavailableError the store has too few replicas; nothing was written */
  async enqueue(group: EnqueueGroup): Promise<EnqueueReply> {
    this.link.demand();
    this.demandReplicas(group.durability);
    const { queue } = group;
    const reply = this.store.change(queue, (data, now) => enqueueGroup(data, now, group));
    // Other data than before, also to one who never asked which it was.
    if (reply.lostAfter !== undefined && !this.known.has(queue)) this.known.set(queue, { epoch: '', era: 0 });
    return reply;
  }

  async resolveGroup(group: GroupRef): Promise<readonly EnqueueAnswer[] | undefined> {
    this.link.demand();
    return this.store.change(group.queue, (data, now) => resolveGroup(data, now, group));
  }

  async fetchGroups(queues: readonly string[]): Promise<readonly (readonly string[])[]> {
    this.link.demand();
    return [queues];
  }

  async fetch(request: FetchRequest): Promise<FetchAnswer> {
    this.link.demand();
    for (const queue of request.queues) this.demandKnown(queue);
    const fetch = this.store.fetch(request);
    const answer = fetch instanceof WaitingFetch ? await this.link.waited(fetch) : fetch;
    this.watch.saw(answer.deliveries);
    return answer;
  }

  async interruptFetch(part = ''): Promise<void> {
    this.link.interrupt(part);
  }

  async endFetch(part = ''): Promise<void> {
    this.link.end(part);
  }

  async settle(request: SettleRequest): Promise<SettleAnswer> {
    this.link.demand();
    if (request.want.total > 0) this.demandKnown(request.queue);
    const answer = this.change(request.queue, (data, now, names) =>
      settle(data, now, request, names, this.known.get(request.queue)),
    );
    if (answer.recreated) this.learn(request.queue, false); // it may be other data
    this.watch.saw(answer.deliveries);
    return answer;
  }

  async extend(queue: string, consumer: string, leases: readonly Lease[]): Promise<readonly Lease[]> {
    return this.change(queue, (data, now) => extendLeases(data, now, consumer, leases));
  }

  async takeDuties(request: DutyRequest): Promise<DutyAnswer> {
    const taken = request.queues.map((queue) => ({
      queue,
      ...this.change(queue, (data, now) => takeDuty(data, now, request)),
    }));
    const duties = taken.flatMap(({ queue, nextInMs }) =>
      nextInMs === undefined ? [] : { queue, nextInMs },
    );
    return { duties, waiting: taken.some(({ waiting }) => waiting) };
  }

  async promote(request: PromoteRequest): Promise<PromoteAnswer> {
    return this.change(request.queue, (data, now) => promote(data, now, request));
  }

  async sweepsDue(request: SweepRequest): Promise<SweepAnswer> {
    this.heard();
    const { notAfter = Number.POSITIVE_INFINITY, everyMs } = request;
    if (this.store.now() > notAfter) return { queues: [], late: true };
    const queues = request.queues.filter((queue) =>
      this.look(queue, (data, now) => isSweepDue(data, now, everyMs)),
    );
    return { queues, late: false };
  }

  async reclaim(request: ReclaimRequest): Promise<ReclaimAnswer> {
    this.link.demand();
    this.demandKnown(request.queue);
    return this.change(request.queue, (data, now) => reclaim(data, now, request));
  }

  async cleaningDue(request: CleaningRequest): Promise<readonly string[]> {
    this.heard();
    return request.queues.filter((queue) =>
      this.look(queue, (data, now) => isCleaningDue(data, now, request)),
    );
  }

  async listConsumers(queue: string): Promise<readonly ConsumerInfo[]> {
    return this.look(queue, listConsumers);
  }

  async removeConsumer(queue: string, consumer: string): Promise<boolean> {
    return this.change(queue, (data) => removeConsumer(data, consumer));
  }

  async replay(queue: string, letters: readonly DeadLetterRef[]): Promise<number> {
    return this.change(queue, (data, now) => replay(data, now, letters));
  }

  async deleteDeadLetters(queue: string, letters: readonly DeadLetterRef[]): Promise<number> {
    return this.change(queue, (data) => deleteDeadLetters(data, letters));
  }

  async listDeadLetters(queue: string, after: string, limit: number): Promise<readonly DeadLetter[]> {
    return this.look(queue, (data) => listDeadLetters(data, after, Math.min(limit, PAGE)));
  }

  async listScheduled(queue: string, offset: number, limit: number): Promise<readonly ScheduledTask[]> {
    return this.look(queue, ({ scheduled }) => scheduled.list(offset, Math.min(limit, PAGE)));
  }

  async counts(queue: string): Promise<QueueCounts> {
    this.heard();
    return this.look(queue, countQueue);
  }

  async find(queue: string, id: string): Promise<TaskPlace | undefined> {
    return this.look(queue, (data, now) => findTask(data, now, id));
  }

  async ping(): Promise<number> {
    this.link.demand();
    return 0;
  }

  onReconnect(listener: Parameters<Broker['onReconnect']>[0]): () => void {
    return this.link.onReconnect(listener);
  }

  onDataLoss(listener: (loss: DataLoss) => void): () => void {
    return this.watch.onLoss(listener);
  }

  /** Answers nothing: no thread is needed where nothing holds up a clock that is told to move. */
  guardLeases(): LeaseGuard | undefined {
    return undefined;
  }

  /**
   * Loses the links. A fetch that waits is rejected (`BrokerTimeoutError` `LINK`) and is given nothing any more;
   * every call is rejected with `UNAVAILABLE`, as retryable, until {@link reconnect}. Leases stay as they are.
   *
   * A process that dies is one that is disconnected and never comes back.
   */
  disconnect(): void {
    this.link.lose();
  }

  /**
   * Gets the links back: first listeners of `onReconnect` hear of each (`commands`, `blocking`, `maintenance`), with
   * the time since the store last answered and since the links were lost, then it is looked whether the store holds
   * less than it did. Does nothing while the links are up, or after `close`.
   * @param elsewhere whether they lead to another server now, as after a failover: then the first is infinite
   */
  reconnect(elsewhere = false): void {
    this.asked.clear();
    if (this.link.regain(elsewhere)) this.watch.look();
  }

  async close(): Promise<void> {
    this.link.close();
  }

  /** Applies a verb whose answer tells the store's time. */
  private change<Answer>(queue: string, verb: Verb<Answer>): Answer {
    this.link.demand();
    this.heard();
    return this.store.change(queue, verb);
  }

  private look<Answer>(queue: string, question: (data: MemoryQueue, now: number) => Answer): Answer {
    this.link.demand();
    return this.store.look(queue, question);
  }

  private demandKnown(queue: string): void {
    if (!this.asked.has(queue)) this.learn(queue, false);
  }

  private learn(queue: string, make: boolean): boolean {
    const { made, epoch, era } = this.store.ensure(queue, { make, known: this.known.get(queue) });
    this.asked.add(queue);
    this.known.set(queue, { epoch, era });
    this.watch.named(queue, epoch);
    return made;
  }

  private demandReplicas(durability: Durability): void {
    if (typeof durability === 'string') return;
    const { replicas } = this.store;
    if (replicas >= durability.replicated) return;
    throw new DurabilityUnavailableError(
      durabilityName(durability),
      `${replicas} of ${durability.replicated} replicas are connected`,
      'give the store replicas: new MemoryStore({ replicas: 1 })',
    );
  }

  private heard(): void {
    this.clockOffset = this.store.now() - this.clock.monotonicMs();
  }
}
