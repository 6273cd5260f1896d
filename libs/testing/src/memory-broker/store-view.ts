import type { ConsumerInfo, DeadLetter, Lane, ScheduledTask, WakeReason } from '@taskq/core';
import { deadLetterOf } from './dead-letters.js';
import { entryId } from './entry-id.js';
import { listConsumers } from './inspection.js';
import {
  type ChannelRecord,
  type Control,
  type Fields,
  LANE_LIST,
  type MemoryQueue,
} from './memory-queue.js';
import type { MemoryStream } from './memory-stream.js';

/** All that a store holds, as plain data that nothing changes afterwards. Times are those of the store's clock. */
export interface StoreView {
  /** What the store's clock shows, in milliseconds since 1970. */
  readonly now: number;
  /** By name: every queue that anything was ever asked about. */
  readonly queues: Readonly<Record<string, QueueView>>;
}

/** All of one queue. */
export interface QueueView {
  readonly lanes: Readonly<Record<Lane, LaneView>>;
  /** Nudges that nobody acknowledged yet, oldest first; at most 8. */
  readonly wake: readonly { readonly entryId: string; readonly why: WakeReason }[];
  /** Tasks that wait for their time, soonest first. */
  readonly scheduled: readonly ScheduledTask[];
  /** Dead letters, oldest first, with `meta` of the task when it is replayed. */
  readonly dead: readonly (DeadLetter & { readonly replayMeta: string })[];
  /** Where tasks are, by id: a lane's letter and the entry, `s` for scheduled, `d` and the entry of the dead letter. */
  readonly index: Readonly<Record<string, string>>;
  /** Deduplication keys, and idempotency keys (those with a fingerprint): who holds them, until when. */
  readonly dedupe: Readonly<
    Record<string, { readonly id: string; readonly fingerprint: string | undefined; readonly until: number }>
  >;
  /**
   * Producers' channels: the last group of each, what it was answered (nothing when it was given up before it came),
   * and until when that is known.
   */
  readonly channels: Readonly<Record<string, ChannelRecord & { readonly until: number }>>;
  /** Who promotes and until when, when the next sweep may begin, and the name of the data set. */
  readonly control: Readonly<Control>;
  /** Members of the groups, but not the one that owns what was handed back. */
  readonly consumers: readonly ConsumerInfo[];
}

/** All of one lane. */
export interface LaneView {
  /** The last entry that was ever added; `0-0` for none. */
  readonly lastId: string;
  /** The last entry that was ever delivered; `undefined` when there is no group. */
  readonly lastDelivered: string | undefined;
  /** Oldest first. */
  readonly entries: readonly { readonly entryId: string; readonly fields: Fields }[];
  /** Entries that are leased, or were handed back (those belong to the consumer `released`); oldest first. */
  readonly pending: readonly {
    readonly entryId: string;
    readonly consumer: string;
    readonly idleMs: number;
    readonly deliveries: number;
  }[];
}

export function viewQueue(queue: MemoryQueue, now: number): QueueView {
  const [high, normal, low] = LANE_LIST.map((lane) => viewLane(queue.lanes[lane], now));
  return {
    lanes: { high: high!, normal: normal!, low: low! },
    wake: queue.wake.entries().map(({ id, body }) => ({ entryId: id, why: body })),
    scheduled: [...queue.scheduled.all()],
    dead: queue.dead
      .entries()
      .map((entry) => ({ ...deadLetterOf(queue.name, entry), replayMeta: entry.body.replayMeta })),
    index: Object.fromEntries(queue.index),
    dedupe: Object.fromEntries(
      queue.dedupe.entries(now).map(({ key, value, until }) => [key, { ...value, until }]),
    ),
    channels: Object.fromEntries(
      queue.channels.entries(now).map(({ key, value, until }) => [key, { ...value, until }]),
    ),
    control: { ...queue.control },
    consumers: listConsumers(queue, now),
  };
}

function viewLane(stream: MemoryStream<Fields>, now: number): LaneView {
  const entries = stream.entries();
  return {
    lastId: entryId(stream.last),
    lastDelivered: stream.lastDelivered && entryId(stream.lastDelivered),
    entries: entries.map(({ id, body }) => ({ entryId: id, fields: body })),
    pending: entries.flatMap(({ id, holder, deliveredAt, deliveries }) =>
      holder === undefined
        ? []
        : { entryId: id, consumer: holder.name, idleMs: Math.max(0, now - deliveredAt), deliveries },
    ),
  };
}
