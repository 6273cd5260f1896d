import { randomBytes } from 'node:crypto';
import type { Broker, Lane } from '@taskq/core';
import { QUEUE } from './keys.js';
import { record } from './snapshot.js';

export type EnqueueGroup = Parameters<Broker['enqueue']>[0];
export type NewTask = EnqueueGroup['tasks'][number];
export type EnqueueAnswer = Awaited<ReturnType<Broker['enqueue']>>['answers'][number];
export type Delivery = Awaited<ReturnType<Broker['fetch']>>['deliveries'][number];
export type SettleRequest = Parameters<Broker['settle']>[0];
export type SettleAnswer = Awaited<ReturnType<Broker['settle']>>;
export type Settlement = SettleRequest['outcomes'][number];
export type Lease = Parameters<Broker['extend']>[2][number];
export type ReclaimRequest = Parameters<Broker['reclaim']>[0];
export type PromoteRequest = Parameters<Broker['promote']>[0];

export const LEASE_MS = 30_000;

const producer = randomBytes(9).toString('base64url');
let made = 0;

/** An id as a producer makes it. */
export function nextId(): string {
  made += 1;
  return `${producer}.${made.toString(36)}`;
}

export function newTask(over: Partial<NewTask> = {}): NewTask {
  return { id: nextId(), type: 'mail.send', payload: '{"n":1}', meta: '', lane: 'normal', ...over };
}

export function newTasks(count: number, over: Partial<NewTask> = {}): NewTask[] {
  return Array.from({ length: count }, () => newTask(over));
}

/** A group of a channel of its own, so that it is never taken for another one sent again. */
export function groupOf(tasks: readonly NewTask[], over: Partial<EnqueueGroup> = {}): EnqueueGroup {
  const channel = randomBytes(6).toString('hex');
  return {
    queue: QUEUE,
    channel,
    sequence: 1,
    after: 0,
    maxReady: 0,
    durability: 'accepted',
    tasks,
    ...over,
  };
}

/** Enqueues tasks as one group. */
export async function enqueue(
  broker: Broker,
  tasks: readonly NewTask[],
  over: Partial<EnqueueGroup> = {},
): Promise<readonly EnqueueAnswer[]> {
  return (await broker.enqueue(groupOf(tasks, over))).answers;
}

/** Applies outcomes, and leases `want` entries in the order of the lanes. */
export function settle(
  broker: Broker,
  outcomes: readonly Settlement[],
  over: Partial<Omit<SettleRequest, 'want'>> & { want?: number | Partial<SettleRequest['want']> } = {},
): Promise<SettleAnswer> {
  const { want = 0, ...rest } = over;
  const quota = typeof want === 'number' ? { total: want } : want;
  return broker.settle({
    queue: QUEUE,
    consumer: 'w1',
    outcomes,
    leaseMs: LEASE_MS,
    ...rest,
    want: { total: 0, high: 0, normal: 0, low: 0, ...quota },
  });
}

/** Leases up to `count` ready entries without waiting. */
export async function lease(
  broker: Broker,
  count: number,
  consumer = 'w1',
  queue = QUEUE,
): Promise<readonly Delivery[]> {
  return (await settle(broker, [], { want: count, consumer, queue })).deliveries;
}

/** Enqueues one task and leases it. */
export async function leaseOne(
  broker: Broker,
  over: Partial<NewTask> = {},
  consumer = 'w1',
): Promise<Delivery> {
  await enqueue(broker, [newTask(over)]);
  return (await lease(broker, 1, consumer))[0]!;
}

export function leaseOf(delivery: Delivery): Lease {
  return { lane: delivery.lane, entryId: delivery.entryId, delivery: delivery.delivery };
}

/** The value of one field of an entry. */
export function field(delivery: Delivery, name: string): string {
  return record(delivery.fields)[name]!;
}

export function idOf(delivery: Delivery): string {
  return field(delivery, 'id');
}

export function complete(delivery: Delivery, uniqueKey?: string): Settlement {
  return { kind: 'remove', lease: leaseOf(delivery), id: idOf(delivery), ...(uniqueKey && { uniqueKey }) };
}

export function retry(
  delivery: Delivery,
  over: Partial<Extract<Settlement, { kind: 'schedule' }>> = {},
): Settlement {
  return {
    kind: 'schedule',
    lease: leaseOf(delivery),
    id: idOf(delivery),
    delayMs: 60_000,
    task: {
      type: field(delivery, 'type'),
      payload: field(delivery, 'payload'),
      attempt: 2,
      enqueuedAt: Number(field(delivery, 'enqueuedAt')),
      meta: '{"starts":1}',
    },
    ...over,
  };
}

export function deadLetterOf(
  delivery: Delivery,
  over: Partial<Extract<Settlement, { kind: 'dead-letter' }>> = {},
): Settlement {
  return {
    kind: 'dead-letter',
    lease: leaseOf(delivery),
    id: idOf(delivery),
    task: {
      type: field(delivery, 'type'),
      payload: field(delivery, 'payload'),
      attempt: 3,
      enqueuedAt: Number(field(delivery, 'enqueuedAt')),
      meta: '{"starts":3}',
    },
    reason: 'attempts-exhausted',
    detail: 'attempt 3 of 3 failed',
    replayMeta: '{"replays":1}',
    ...over,
  };
}

export function release(delivery: Delivery, started = false): Settlement {
  return { kind: 'release', lease: leaseOf(delivery), started };
}

export function reclaimRequest(over: Partial<ReclaimRequest> = {}): ReclaimRequest {
  return {
    queue: QUEUE,
    consumer: 'w2',
    leaseMs: LEASE_MS,
    limit: 100,
    suspects: true,
    releasedOnly: false,
    everyMs: 0,
    ...over,
  };
}

/** What `reclaim` answers when there is nothing to say. */
export const NOTHING_TAKEN = { deliveries: [], cursor: undefined, left: 0, own: [], late: false } as const;

export function promoteRequest(over: Partial<PromoteRequest> = {}): PromoteRequest {
  return { queue: QUEUE, consumer: 'w1', takeOver: false, dutyMs: 10_000, ...over };
}

export const ALL_LANES: readonly Lane[] = ['high', 'normal', 'low'];
