import type {
  DeadLetter,
  Delivery,
  EnqueueAnswer,
  EnqueueReply,
  Lease,
  ScheduledTask,
} from '../broker/broker.js';
import { BrokerTimeoutError, RedisUnusableError } from '../contract/errors.js';
import type { Lane } from '../contract/lane.js';
import { laneOf } from './keys.js';

/** An entry as Redis answers it: id, and names and values in turn (null when it was deleted). */
export type RawEntry = readonly [string, readonly string[] | null];

/**
 * Answer of the `enqueue` script.
 * @throws BrokerTimeoutError when the group came too late: a later one was applied, or it was given up
 */
export function enqueueReply(text: string): EnqueueReply {
  if (text === 'late' || text.startsWith('-'))
    throw new BrokerTimeoutError('LATE', 'the group came after a later one, or after it was given up');
  const words = text.split(' ');
  const lostAfter = words[0]!.startsWith('!') ? Number(words.shift()!.slice(1)) : undefined;
  return { lostAfter, answers: words.flatMap(enqueueAnswers) };
}

/** Answer of the `resolve` script: as for `enqueue`, or nothing when the group was not applied. */
export function resolvedAnswers(text: string): readonly EnqueueAnswer[] | undefined {
  return text.startsWith('-') ? undefined : enqueueReply(text).answers;
}

const ACCEPTED: EnqueueAnswer = Object.freeze({ status: 'accepted' });
const FULL: EnqueueAnswer = Object.freeze({ status: 'full' });

/** What one word of the `enqueue` script's answer means. */
function enqueueAnswers(word: string): EnqueueAnswer[] {
  const rest = word.slice(1);
  switch (word[0]) {
    case 'a':
      return Array<EnqueueAnswer>(Number(rest)).fill(ACCEPTED);
    case 'f':
      return Array<EnqueueAnswer>(Number(rest)).fill(FULL);
    case 'd':
      return [{ status: 'duplicate', id: rest }];
    case 'c':
      return [{ status: 'conflict', id: rest }];
    default: // a group without tasks has no words
      return [];
  }
}

/** Entries that were never delivered before. */
export function freshDeliveries(
  queue: string,
  lane: Lane,
  era: number,
  entries: readonly RawEntry[] | null,
): Delivery[] {
  const deliveries: Delivery[] = [];
  for (const [entryId, fields] of entries ?? []) {
    if (fields) deliveries.push({ queue, lane, entryId, delivery: 1, era, fields });
  }
  return deliveries;
}

/** An entry as the `settle` script answers it: one text when it is as we write it, else as it is. */
type TakenEntry = string | RawEntry;

/** Answer of the `settle` script; `done` are the outcomes it was told of without their position, in that order. */
export function settleAnswer(queue: string, done: readonly number[], reply: unknown) {
  const [now, refused, missing, era, high, normal, low, leased = [], late = []] = reply as [
    number,
    number[],
    number,
    number,
    TakenEntry[],
    TakenEntry[],
    TakenEntry[],
    number[]?,
    number[]?,
  ];
  const deliveries: Delivery[] = [];
  takeDeliveries(deliveries, queue, 'high', era, high);
  takeDeliveries(deliveries, queue, 'normal', era, normal);
  takeDeliveries(deliveries, queue, 'low', era, low);
  const placed = (position: number): number => (position < 0 ? -1 - position : done[position]!);
  const [stale, stillLeased, buried] = [refused.map(placed), leased.map(placed), late.map(placed)];
  const newest = { high, normal, low };
  return { now, stale, stillLeased, buried, groupMissing: missing === 1, deliveries, newest };
}

function takeDeliveries(
  into: Delivery[],
  queue: string,
  lane: Lane,
  era: number,
  entries: readonly TakenEntry[],
): void {
  for (const entry of entries) {
    if (typeof entry === 'string') into.push(compactDelivery(queue, lane, era, entry));
    else into.push(...freshDeliveries(queue, lane, era, [entry]));
  }
}

/** Entry, id, type, attempt, enqueuedAt, meta and payload, of which only the payload may hold a newline. */
function compactDelivery(queue: string, lane: Lane, era: number, text: string): Delivery {
  const entry = text.indexOf('\n');
  const id = text.indexOf('\n', entry + 1);
  const type = text.indexOf('\n', id + 1);
  const attempt = text.indexOf('\n', type + 1);
  const enqueuedAt = text.indexOf('\n', attempt + 1);
  const meta = text.indexOf('\n', enqueuedAt + 1);
  const fields = ['id', text.slice(entry + 1, id), 'type', text.slice(id + 1, type)];
  fields.push('payload', text.slice(meta + 1));
  if (attempt > type + 1) fields.push('attempt', text.slice(type + 1, attempt));
  fields.push('enqueuedAt', text.slice(attempt + 1, enqueuedAt));
  if (meta > enqueuedAt + 1) fields.push('meta', text.slice(enqueuedAt + 1, meta));
  return { queue, lane, entryId: text.slice(0, entry), delivery: 1, era, fields };
}

/** Answer of the `reclaim` script. */
export function reclaimAnswer(queue: string, reply: unknown) {
  const [now, era, late, lane, consumer, after, left, own, taken] = reply as [
    number,
    number,
    number,
    number,
    string,
    string,
    number,
    [number, string][],
    [number, RawEntry, number, string][],
  ];
  return {
    now,
    late: late === 1,
    cursor: lane === 0 ? undefined : { lane: laneOf(lane), consumer, after },
    left,
    own: own.map(([of, entryId]) => ({ lane: laneOf(of), entryId })),
    deliveries: taken.map(([of, [entryId, fields], delivery, from]): Delivery => ({
      queue,
      lane: laneOf(of),
      entryId,
      delivery,
      era,
      fields: fields ?? [],
      from,
    })),
  };
}

/** Answer of the `counts` script. */
export function countsAnswer(reply: unknown) {
  const [now, [high, normal, low], active, scheduled, dead, oldest] = reply as [
    number,
    [number, number, number],
    number,
    number,
    number,
    string,
  ];
  const oldestReadyMs = oldest === '' ? undefined : Math.max(0, now - Number(oldest));
  return { now, ready: { high, normal, low }, active, scheduled, dead, oldestReadyMs };
}

/** Leases named by position in the answer of the `extend` script. */
export function lostLeases(leases: readonly Lease[], reply: unknown): { now: number; lost: Lease[] } {
  const [now, positions] = reply as [number, number[]];
  return { now, lost: positions.map((position) => leases[position]!) };
}

/** Which data a queue is, and the last entry ever written to each lane. */
export interface DataSet {
  /** '' when there is none. */
  readonly epoch: string;
  readonly last: Readonly<Record<Lane, string>>;
}

/** Answer of the `data-set` script. */
export function dataSetAnswer(reply: unknown): DataSet {
  const [epoch, high, normal, low] = reply as [string, string, string, string];
  return { epoch, last: { high, normal, low } };
}

/**
 * Answer of the `ensure` script.
 * @throws RedisUnusableError naming every key that holds something else
 */
export function ensureAnswer(queue: string, reply: unknown): { made: number; epoch: string; era: number } {
  const [made, ...rest] = reply as [number, ...string[]];
  if (made >= 0) return { made, epoch: rest[0] ?? '', era: Number(rest[1] ?? 0) };
  const wrong: string[] = [];
  for (let i = 0; i < rest.length; i += 3)
    wrong.push(`${rest[i]} holds a ${rest[i + 1]}, not a ${rest[i + 2]}`);
  throw new RedisUnusableError(`queue "${queue}" cannot be used: ${wrong.join('; ')}`, {
    fix: 'choose another prefix or queue name, or delete what is there if nobody needs it; nothing was changed',
  });
}

/** A waiting task: `lane \n attempt \n enqueuedAt \n type \n meta \n payload`, of which only the payload may hold a newline. */
export function scheduledTask(id: string, dueAt: number, text: string): ScheduledTask {
  const parts = text.split('\n');
  const [lane, attempt, enqueuedAt, type, meta] = parts;
  return {
    id,
    dueAt,
    lane: laneOf(lane),
    attempt: Number(attempt),
    enqueuedAt: enqueuedAt ? Number(enqueuedAt) : undefined,
    type: type ?? '',
    meta: meta ?? '',
    payload: parts.slice(5).join('\n'),
  };
}

/** Where neighbours stand that were enqueued together: the letter of their lane, and their first and last entry. */
export interface IndexRun {
  readonly mark: string;
  readonly first: string;
  readonly last: string;
}

/** The run in which a task came that has no place of its own in its index bucket: the last one that begins before it. */
export function runOf(field: string, places: Readonly<Record<string, string>>): IndexRun | undefined {
  const begins = Object.keys(places).filter((name) => name.startsWith('~') && name.slice(1) <= field);
  const text = places[begins.toSorted().at(-1) ?? ''];
  const [, mark, first, last] = /^(.)([\d-]+)~([\d-]+)$/.exec(text ?? '') ?? [];
  return mark && first && last ? { mark, first, last } : undefined;
}

/** An entry of the dead-letter stream. */
export function deadLetter(queue: string, [entryId, fields]: RawEntry): DeadLetter {
  const field = fieldsOf(fields ?? []);
  return {
    entryId,
    queue,
    id: field.id ?? entryId,
    type: field.type ?? '',
    payload: field.payload ?? '',
    lane: laneOf(field.lane),
    reason: field.reason ?? '',
    detail: field.detail ?? '',
    attempt: Number(field.attempt ?? 1),
    enqueuedAt: field.enqueuedAt ? Number(field.enqueuedAt) : undefined,
    diedAt: Number(field.diedAt ?? 0),
    meta: field.meta ?? '',
    raw: field.raw || undefined,
  };
}

/** Names and values in turn as an object without a prototype: names come from whoever wrote the entry. */
export function fieldsOf(fields: readonly string[]): Readonly<Record<string, string | undefined>> {
  const record = Object.create(null) as Record<string, string>;
  for (let i = 0; i + 1 < fields.length; i += 2) record[fields[i]!] = fields[i + 1]!;
  return record;
}
