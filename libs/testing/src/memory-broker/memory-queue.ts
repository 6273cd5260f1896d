import type { DeadLetter, EnqueueReply, Lane, ScheduledTask, StoredTask, WakeReason } from '@taskq/core';
import { ExpiringMap } from './expiring-map.js';
import { MemoryStream } from './memory-stream.js';
import { ScheduledTasks } from './scheduled-tasks.js';

/** Lanes of a queue, most urgent first. */
export const LANE_LIST: readonly Lane[] = ['high', 'normal', 'low'];

/** The letter of a lane inside the index. */
const LANE_LETTER: Readonly<Record<Lane, string>> = { high: 'h', normal: 'n', low: 'l' };

/** How many nudges the wake stream keeps. */
const WAKE_LENGTH = 8;

/** Names and values in turn. */
export type Fields = readonly string[];

/** A dead letter as it is kept: what it shows, and what replaying needs. */
export type LetterBody = Omit<DeadLetter, 'entryId' | 'queue'> & { readonly replayMeta: string };

/** Who holds a key: the task, and for an idempotency key what it was like. */
export interface KeyHolder {
  readonly id: string;
  readonly fingerprint: string | undefined;
}

/** The last group of a producer's channel, and what it was answered; nothing when it was given up before it came. */
export interface ChannelRecord {
  readonly sequence: number;
  readonly reply: EnqueueReply | undefined;
  /** The last group that was known before it, when that is earlier than expected. */
  readonly less?: number | undefined;
}

/** What consumers of a queue agree on. */
export interface Control {
  promoter?: string | undefined;
  promoterUntil?: number | undefined;
  nextSweepAt?: number | undefined;
  epoch?: string | undefined;
  era?: number | undefined;
  partitions?: number | undefined;
}

/** Everything that is kept of one queue, as Redis keeps it. */
export class MemoryQueue {
  lanes: Readonly<Record<Lane, MemoryStream<Fields>>> = {
    high: new MemoryStream(),
    normal: new MemoryStream(),
    low: new MemoryStream(),
  };
  wake = new MemoryStream<WakeReason>();
  dead = new MemoryStream<LetterBody>();
  scheduled = new ScheduledTasks();
  /** Where tasks are, by id: the lane's letter and the entry, `s` for scheduled, `d` and the entry of the dead letter. */
  index = new Map<string, string>();
  dedupe = new ExpiringMap<KeyHolder>();
  channels = new ExpiringMap<ChannelRecord>();
  control: Control = {};

  constructor(readonly name: string) {}

  /** The streams that a worker reads, in that order. */
  *read(): Generator<MemoryStream<Fields> | MemoryStream<WakeReason>> {
    for (const lane of LANE_LIST) yield this.lanes[lane];
    yield this.wake;
  }

  /** Writes a task to a lane, and where it is. It need not say that its attempt is the first, or that it has no meta. */
  writeTask(lane: Lane, task: StoredTask & { readonly id: string }, now: number): void {
    const { id, type, payload, attempt, enqueuedAt, meta } = task;
    const at = enqueuedAt === undefined ? '' : String(enqueuedAt);
    const fields = ['id', id, 'type', type, 'payload', payload];
    if (attempt !== 1) fields.push('attempt', String(attempt));
    fields.push('enqueuedAt', at);
    if (meta !== '') fields.push('meta', meta);
    this.writeEntry(lane, id, fields, now);
  }

  /** Writes an entry to a lane, as the place of the task `id`. */
  writeEntry(lane: Lane, id: string, fields: Fields, now: number): void {
    this.index.set(id, LANE_LETTER[lane] + this.lanes[lane].add(fields, now).id);
  }

  /** Keeps a task until it is due. Answers whether it is due sooner than any other. */
  writeScheduled(task: ScheduledTask): boolean {
    const { nextAt } = this.scheduled;
    this.scheduled.put({ ...task, dueAt: Math.trunc(task.dueAt) });
    this.index.set(task.id, 's');
    return nextAt === undefined || task.dueAt < nextAt;
  }

  /** Wakes one consumer that waits, if one does, or the next that will. */
  nudge(why: WakeReason, now: number): void {
    this.wake.add(why, now);
    this.wake.trim(WAKE_LENGTH);
  }

  /** Frees a deduplication key that this task holds. */
  freeKey(key: string | undefined, id: string, now: number): void {
    if (key === undefined) return;
    const holder = this.dedupe.get(key, now);
    if (holder?.id === id && holder.fingerprint === undefined) this.dedupe.delete(key);
  }

  /** The same again, sharing nothing that changes. */
  copy(): MemoryQueue {
    const copy = new MemoryQueue(this.name);
    const { high, normal, low } = this.lanes;
    copy.lanes = { high: high.copy(), normal: normal.copy(), low: low.copy() };
    copy.wake = this.wake.copy();
    copy.dead = this.dead.copy();
    copy.scheduled = this.scheduled.copy();
    copy.index = new Map(this.index);
    copy.dedupe = this.dedupe.copy();
    copy.channels = this.channels.copy();
    copy.control = { ...this.control };
    return copy;
  }
}

/** Tasks of a lane that nobody works on; what was handed back is nobody's. */
export function readyIn(lane: MemoryStream<Fields>): number {
  return lane.length - lane.pending + lane.released;
}

/** The lane that the first letter of a place in the index names. */
export function laneOfPlace(place: string): Lane {
  return LANE_LIST.find((lane) => LANE_LETTER[lane] === place[0]) ?? 'normal';
}
