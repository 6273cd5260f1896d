import { type Clock, type FetchAnswer, type FetchRequest, type Lane, systemClock } from '@taskq/core';
import { beginEra, DataNames, ensure, type Ensured } from './ensure.js';
import { linkLost, noGroup, unblocked } from './faults.js';
import { readQueues } from './fetch.js';
import { MemoryQueue } from './memory-queue.js';
import { type StoreView, viewQueue } from './store-view.js';
import { type WaitingFetch, WaitingFetches } from './waiting-fetches.js';

/** What a store's clock shows at first where its clock is not the machine's: 2024-01-01T00:00:00Z. */
const VIRTUAL_START_MS = Date.UTC(2024, 0, 1);

/** How a {@link MemoryStore} is made. */
export interface MemoryStoreOptions {
  /** Moves the store's time and ends fetches that wait. @default the machine's */
  clock?: Clock;
  /**
   * What the store's own clock shows at first, in milliseconds since 1970.
   * @default now with the machine's clock, else 2024-01-01T00:00:00Z
   */
  startMs?: number;
  /** Uniform in [0, 1): part of the names of data sets. @default Math.random */
  random?: () => number;
  /** Replicas that a durability of `{ replicated: k }` may count on. @default 0 */
  replicas?: number;
}

/** The state of a store at one moment; see {@link MemoryStore.snapshot}. */
export interface MemorySnapshot {
  /** @internal */
  readonly queues: ReadonlyMap<string, MemoryQueue>;
}

/**
 * What a Redis server is to the engine, in memory: the data of any number of queues, and a clock of its own. Brokers
 * that share a store meet in it, as processes do in one Redis. Every change is made in one step.
 *
 * The rest is for simulating faults: going back to an earlier state, losing everything, a clock that jumps.
 */
export class MemoryStore {
  readonly clock: Clock;
  /** Replicas that a durability of `{ replicated: k }` may count on; may be changed at any time. */
  replicas: number;
  private readonly names: DataNames;
  private readonly waiting: WaitingFetches;
  /** The store's clock minus the steady one. */
  private offsetMs: number;
  private queues = new Map<string, MemoryQueue>();

  constructor(options: MemoryStoreOptions = {}) {
    this.clock = options.clock ?? systemClock;
    this.names = new DataNames(options.random ?? Math.random);
    this.replicas = options.replicas ?? 0;
    const startMs = options.startMs ?? (this.clock === systemClock ? Date.now() : VIRTUAL_START_MS);
    this.offsetMs = startMs - this.clock.monotonicMs();
    this.waiting = new WaitingFetches(this.clock, (request) => this.read(request));
  }

  /** What the store's clock shows, in milliseconds since 1970. It alone decides about leases and delays. */
  now(): number {
    return Math.floor(this.clock.monotonicMs() + this.offsetMs);
  }

  /**
   * Sets the store's clock forward, or back when `ms` is negative, as somebody may do with a server's: leases, delays
   * and lifetimes go by it. Fetches that wait go on for as long as they would have.
   */
  stepTime(ms: number): void {
    this.offsetMs += ms;
  }

  /** Remembers the present state, for {@link restore}. Costs as much as the store holds; later changes do not touch it. */
  snapshot(): MemorySnapshot {
    return { queues: copyOf(this.queues) };
  }

  /**
   * Goes back to an earlier state: a failover that lost its tail, a server that came up from an old file. Time does
   * not go back: it takes a millisecond, so that no entry gets the id of one that is gone. Deliveries have a greater
   * era from then on. Fetches that wait lose their link (`BrokerTimeoutError` `LINK`); brokers learn of the loss when
   * they are disconnected and reconnected. The same snapshot can be restored again.
   */
  restore(snapshot: MemorySnapshot): void {
    this.queues = copyOf(snapshot.queues);
    this.stepTime(1);
    const now = this.now();
    for (const queue of this.queues.values()) beginEra(queue, now, this.names);
    this.waiting.fail(linkLost);
  }

  /** Loses everything, as `FLUSHALL` does, and takes a millisecond. Fetches that wait are rejected with `UNBLOCKED`. */
  flush(): void {
    this.queues = new Map();
    this.stepTime(1);
    this.waiting.fail(unblocked);
  }

  /**
   * Destroys the consumer groups of a queue and with them every lease; entries stay. Fetches that wait for the queue
   * are rejected with `NOGROUP`. `ensureQueue` makes the groups anew, which then deliver every entry once more.
   */
  dropGroup(queue: string): void {
    for (const stream of this.queue(queue).read()) stream.dropGroup();
    this.waiting.fail(() => noGroup(queue), queue);
  }

  /** Adds an entry to a lane, as a producer in another language does with `XADD`; answers its id. */
  addEntry(queue: string, lane: Lane, fields: Readonly<Record<string, string>>): string {
    return this.change(queue, (data, now) => data.lanes[lane].add(Object.entries(fields).flat(), now).id);
  }

  /** All that is kept, as plain data: for a test's own checks. Costs as much as the store holds. */
  inspect(): StoreView {
    const now = this.now();
    const queues = [...this.queues].map(([name, queue]) => [name, viewQueue(queue, now)]);
    return { now, queues: Object.fromEntries(queues) };
  }

  /** @internal Says which data a queue is; with `make`, makes its groups where they are missing. */
  ensure(queue: string, how: Parameters<typeof ensure>[3]): Ensured {
    return this.change(queue, (data, now, names) => ensure(data, now, names, how));
  }

  /** @internal Applies a verb to a queue in one step, then serves whoever waits for what it brought. */
  change<Answer>(queue: string, verb: Verb<Answer>): Answer {
    const answer = verb(this.queue(queue), this.now(), this.names);
    this.waiting.serve(queue);
    return answer;
  }

  /** @internal Asks a queue something. */
  look<Answer>(queue: string, question: (data: MemoryQueue, now: number) => Answer): Answer {
    return question(this.queue(queue), this.now());
  }

  /** @internal Leases what is there, or waits for it. */
  fetch(request: FetchRequest): FetchAnswer | WaitingFetch {
    return this.waiting.fetch(request);
  }

  private read(request: FetchRequest): FetchAnswer | undefined {
    const queues = request.queues.map((queue) => this.queue(queue));
    return readQueues(queues, this.now(), request);
  }

  private queue(name: string): MemoryQueue {
    let queue = this.queues.get(name);
    if (queue === undefined) {
      queue = new MemoryQueue(name);
      this.queues.set(name, queue);
    }
    return queue;
  }
}

/** @internal What is done to the data of one queue, at one moment. */
export type Verb<Answer> = (data: MemoryQueue, now: number, names: DataNames) => Answer;

function copyOf(queues: ReadonlyMap<string, MemoryQueue>): Map<string, MemoryQueue> {
  return new Map([...queues].map(([name, queue]) => [name, queue.copy()]));
}
