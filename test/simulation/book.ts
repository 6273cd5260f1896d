import type { Delivery, EnqueueAnswer, EnqueueGroup, Lane, NewTask, Settlement } from '@taskq/core';
import type { Applied, Fact } from './facts.js';

/** A task that is accepted and has not ended. */
export interface BookTask {
  readonly id: string;
  /** The number of the user's call that it came from; -1 for an entry that no engine wrote. */
  readonly number: number;
  /** Whatever was enqueued under this id when another had ended is another task. */
  readonly life: number;
  readonly queue: string;
  readonly attempt: number;
  /** When it may run, by the store's clock, while it waits for that. */
  readonly dueAt: number | undefined;
  readonly place: 'lane' | 'scheduled' | 'dead';
  /** Deduplication key. */
  readonly unique: string | undefined;
}

/** Who may settle an entry, and since when that is so, by the store's clock. */
export interface BookLease {
  readonly consumer: string;
  readonly delivery: number;
  readonly renewedAt: number;
}

export interface BookKey {
  readonly id: string;
  readonly fingerprint: string;
  readonly until: number;
}

/** The last group of a channel; without answers when it was given up before it came. */
export interface BookGroup {
  readonly sequence: number;
  readonly answers: readonly EnqueueAnswer[] | undefined;
}

/** What is known of one queue. Its values are never changed, only replaced. */
export class QueueBook {
  readonly tasks: Map<string, BookTask>;
  readonly leases: Map<string, BookLease>;
  readonly keys: Map<string, BookKey>;
  readonly groups: Map<string, BookGroup>;

  constructor(other?: QueueBook) {
    this.tasks = new Map(other?.tasks);
    this.leases = new Map(other?.leases);
    this.keys = new Map(other?.keys);
    this.groups = new Map(other?.groups);
  }
}

/** What a store holds according to the book, at one moment. */
export type Page = ReadonlyMap<string, QueueBook>;

/**
 * What the store must hold, by what it was asked and what it answered: a second bookkeeping, which knows nothing of
 * how the store keeps its own.
 */
export class Book {
  /** The last life that each task of each call began: what is offered again goes on with it. */
  private readonly lives = new Map<string, number>();
  private begun = 0;
  private queues = new Map<string, QueueBook>();

  queue(name: string): QueueBook {
    let queue = this.queues.get(name);
    if (queue === undefined) {
      queue = new QueueBook();
      this.queues.set(name, queue);
    }
    return queue;
  }

  get names(): Iterable<string> {
    return this.queues.keys();
  }

  /** Tasks that have neither ended nor died. */
  get unfinished(): number {
    let count = 0;
    for (const { tasks } of this.queues.values())
      for (const { place } of tasks.values()) if (place !== 'dead') count += 1;
    return count;
  }

  /** Remembers this moment, to come back to it when the store does. */
  page(): Page {
    return new Map([...this.queues].map(([name, queue]) => [name, new QueueBook(queue)]));
  }

  goBackTo(page: Page): void {
    this.queues = new Map([...page].map(([name, queue]) => [name, new QueueBook(queue)]));
  }

  loseEverything(): void {
    this.queues = new Map();
  }

  loseLeases(queue: string): void {
    this.queue(queue).leases.clear();
  }

  /** An entry that somebody wrote who is no engine. */
  foreign(queue: string, id: string): void {
    this.begin({ queue, id, number: -1, place: 'lane', dueAt: undefined, unique: undefined }, false);
  }

  /** A task was moved to its lane. */
  promoted(queue: string, id: string): void {
    this.change(queue, id, { place: 'lane', dueAt: undefined });
  }

  /** Takes down what a call has changed. */
  take({ call }: Fact & { kind: 'applied' }, now: number): void {
    if (call.error !== undefined) return;
    switch (call.verb) {
      case 'enqueue':
        this.enqueued(call.request[0], call.answer.answers, now);
        break;
      case 'resolveGroup':
        this.resolved(call);
        break;
      case 'fetch':
        this.leased(call.answer.deliveries, call.request[0].consumer, now);
        break;
      case 'settle': {
        const [{ queue, consumer, outcomes }] = call.request;
        const refused = new Set(call.answer.stale);
        for (const [i, outcome] of outcomes.entries()) if (!refused.has(i)) this.settled(queue, outcome, now);
        this.leased(call.answer.deliveries, consumer, now);
        break;
      }
      case 'extend':
        this.extended(call, now);
        break;
      case 'reclaim':
        this.leased(call.answer.deliveries, call.request[0].consumer, now);
        break;
      case 'replay':
        if (call.answer > 0) for (const { id } of call.request[1]) this.replayed(call.request[0], id);
        break;
      case 'deleteDeadLetters':
        for (const { id } of call.request[1]) this.end(call.request[0], id);
        break;
      default: // changes nothing that tasks are about
    }
  }

  /** Whether this very group was applied before. */
  known({ queue, channel, sequence }: EnqueueGroup): BookGroup | undefined {
    const last = this.queue(queue).groups.get(channel);
    return last?.sequence === sequence ? last : undefined;
  }

  private enqueued(group: EnqueueGroup, answers: readonly EnqueueAnswer[], now: number): void {
    if (this.known(group)) return;
    const { queue, channel, sequence } = group;
    this.queue(queue).groups.set(channel, { sequence, answers });
    for (const [i, task] of group.tasks.entries())
      if (answers[i]?.status === 'accepted') this.accepted(queue, task, isOfferedAgain(channel), now);
  }

  private accepted(queue: string, task: NewTask, again: boolean, now: number): void {
    const dueAt = dueOf(task, now);
    const place = dueAt === undefined ? 'lane' : 'scheduled';
    const { id, unique } = task;
    this.begin({ queue, id, number: numberOf(task.payload), place, dueAt, unique: unique?.key }, again);
    if (task.idempotency) {
      const { key, fingerprint, windowMs } = task.idempotency;
      this.queue(queue).keys.set(key, { id: task.id, fingerprint, until: now + windowMs });
    }
  }

  private resolved({ request: [group], answer }: Applied & { verb: 'resolveGroup' }): void {
    const { groups } = this.queue(group.queue);
    if (answer === undefined) groups.set(group.channel, { sequence: group.sequence, answers: undefined });
  }

  private leased(deliveries: readonly Delivery[], consumer: string, now: number): void {
    for (const { queue, lane, entryId, delivery } of deliveries)
      this.queue(queue).leases.set(leaseKey(lane, entryId), { consumer, delivery, renewedAt: now });
  }

  private extended({ request }: Applied & { verb: 'extend' }, now: number): void {
    const [queue, consumer, leases] = request;
    const book = this.queue(queue).leases;
    for (const { lane, entryId, delivery } of leases) {
      const key = leaseKey(lane, entryId);
      const lease = book.get(key);
      if (lease?.consumer === consumer && lease.delivery === delivery)
        book.set(key, { ...lease, renewedAt: now });
    }
  }

  private settled(queue: string, outcome: Settlement, now: number): void {
    const { lane, entryId } = outcome.lease;
    const { leases } = this.queue(queue);
    const key = leaseKey(lane, entryId);
    if (outcome.kind === 'release') {
      leases.set(key, { consumer: RELEASED, delivery: 0, renewedAt: Number.NEGATIVE_INFINITY });
      return;
    }
    leases.delete(key);
    if (outcome.kind === 'remove') this.end(queue, outcome.id);
    else if (outcome.kind === 'dead-letter')
      this.change(queue, outcome.id, { place: 'dead', dueAt: undefined });
    else {
      const { attempt } = outcome.task;
      this.change(queue, outcome.id, { place: 'scheduled', dueAt: now + outcome.delayMs, attempt });
    }
  }

  private replayed(queue: string, id: string): void {
    this.change(queue, id, { place: 'lane', attempt: 1, unique: undefined });
  }

  private begin(task: Omit<BookTask, 'life' | 'attempt'>, again: boolean): void {
    const key = `${task.queue} ${task.id} ${task.number}`;
    const known = again ? this.lives.get(key) : undefined;
    if (known === undefined) this.begun += 1;
    const life = known ?? this.begun;
    this.lives.set(key, life);
    this.queue(task.queue).tasks.set(task.id, { ...task, life, attempt: 1 });
  }

  private end(queue: string, id: string): void {
    this.queue(queue).tasks.delete(id);
  }

  private change(queue: string, id: string, over: Partial<BookTask>): void {
    const { tasks } = this.queue(queue);
    const task = tasks.get(id);
    if (task) tasks.set(id, { ...task, ...over });
  }
}

/** In the book, the holder of what was handed back. */
export const RELEASED = 'released';

export function leaseKey(lane: Lane, entryId: string): string {
  return `${lane} ${entryId}`;
}

/** Channels on which a producer offers again what the store has lost. */
export function isOfferedAgain(channel: string): boolean {
  return /-again-\d+$/.test(channel);
}

/** Every payload of the simulation says which call it came from. */
export function numberOf(payload: string): number {
  return (JSON.parse(payload) as { n: number }).n;
}

function dueOf({ due }: NewTask, now: number): number | undefined {
  if (due === undefined) return undefined;
  const at = Math.trunc('at' in due ? due.at : now + due.afterMs);
  return at > now ? at : undefined;
}
