import {
  BrokerTimeoutError,
  type EnqueueAnswer,
  type EnqueueGroup,
  type EnqueueReply,
  type GroupRef,
  type NewTask,
} from '@taskq/core';
import { type ChannelRecord, LANE_LIST, type MemoryQueue, readyIn } from './memory-queue.js';
import { demandPartitions } from './partitions.js';

/** How long the last group of a producer's channel is remembered. */
export const RECORD_TTL_MS = 15 * 60_000;

const ACCEPTED: EnqueueAnswer = Object.freeze({ status: 'accepted' });
const FULL: EnqueueAnswer = Object.freeze({ status: 'full' });

/**
 * Accepts a group of tasks, once (`enqueue.lua`).
 * @throws BrokerTimeoutError `LATE` a later group of the channel was applied already, or it was given up
 * @throws BrokerError `LAYOUT` another number of partitions is recorded than the group says
 */
export function enqueueGroup(queue: MemoryQueue, now: number, group: EnqueueGroup): EnqueueReply {
  const { channel, sequence, after } = group;
  const record = queue.channels.get(channel, now);
  if (record?.sequence === sequence) return record.reply ?? tooLate();
  if (record !== undefined && record.sequence > sequence) return tooLate();
  const known = knownOf(record, after);
  demandPartitions(queue, group.partitions ?? 1);

  const writer = new GroupWriter(queue, now, roomIn(queue, group));
  const answers = group.tasks.map((task) => writer.accept(task));
  if (writer.dueSooner) queue.nudge('due', now);
  const reply = { answers, lostAfter: known < after ? known : undefined };
  queue.channels.set(
    channel,
    { sequence, reply, ...(reply.lostAfter !== undefined && { less: reply.lostAfter }) },
    now + RECORD_TTL_MS,
    now,
  );
  return reply;
}

/**
 * What became of a group whose answer was lost; nothing when it was not applied, and then it never will be
 * (`resolve.lua`).
 * @throws BrokerTimeoutError `LATE` a later group of the channel was applied already
 */
export function resolveGroup(
  queue: MemoryQueue,
  now: number,
  { channel, sequence }: GroupRef,
): readonly EnqueueAnswer[] | undefined {
  const record = queue.channels.get(channel, now);
  if (record?.sequence === sequence) return record.reply?.answers;
  if (record !== undefined && record.sequence > sequence) return tooLate();
  const less = knownOf(record, 0);
  queue.channels.set(channel, { sequence, reply: undefined, less }, now + RECORD_TTL_MS, now);
  return undefined;
}

/** The last group that counts as known: one that was given up knew less than its number says, until that is heard. */
function knownOf(record: ChannelRecord | undefined, after: number): number {
  if (record === undefined) return 0;
  return record.less !== undefined && after < record.sequence ? record.less : record.sequence;
}

function tooLate(): never {
  throw new BrokerTimeoutError('LATE', 'the group came after a later one, or after it was given up');
}

/** Ready tasks that may still be added. */
function roomIn(queue: MemoryQueue, { maxReady, tasks }: EnqueueGroup): number {
  if (maxReady === 0) return Number.POSITIVE_INFINITY;
  let ready = 0;
  for (const lane of LANE_LIST) ready += readyIn(queue.lanes[lane]);
  return ready + tasks.length <= maxReady ? Number.POSITIVE_INFINITY : maxReady - ready;
}

/** Decides about the tasks of one group, one after the other. */
class GroupWriter {
  /** A task was accepted that is due sooner than any other. */
  dueSooner = false;

  constructor(
    private readonly queue: MemoryQueue,
    private readonly now: number,
    private room: number,
  ) {}

  accept(task: NewTask): EnqueueAnswer {
    const known = this.known(task);
    if (known !== undefined) return known;
    const dueAt = this.dueAt(task);
    if (dueAt === undefined) {
      if (this.room < 1) return FULL;
      this.room -= 1;
    }
    this.write(task, dueAt);
    this.remember(task, dueAt === undefined ? 0 : dueAt - this.now);
    return ACCEPTED;
  }

  private known({ id, idempotency, unique, ownId }: NewTask): EnqueueAnswer | undefined {
    const { queue, now } = this;
    const keyed = idempotency && queue.dedupe.get(idempotency.key, now);
    if (keyed) {
      const same = keyed.fingerprint === idempotency.fingerprint;
      return { status: same ? 'duplicate' : 'conflict', id: keyed.id };
    }
    const holder = unique && queue.dedupe.get(unique.key, now);
    if (holder) return { status: 'duplicate', id: holder.id };
    // The index forgets an id when one of two entries with it ends: what waits must not be overwritten.
    const isThere = ownId === true && (queue.index.has(id) || queue.scheduled.get(id) !== undefined);
    return isThere ? { status: 'duplicate', id } : undefined;
  }

  /** When the task may run; nothing when that is now. */
  private dueAt({ due }: NewTask): number | undefined {
    if (due === undefined) return undefined;
    const at = 'at' in due ? due.at : this.now + due.afterMs;
    return at > this.now ? at : undefined;
  }

  private write({ id, type, payload, meta, lane }: NewTask, dueAt: number | undefined): void {
    const task = { id, type, payload, meta, attempt: 1, enqueuedAt: this.now };
    if (dueAt === undefined) this.queue.writeTask(lane, task, this.now);
    else if (this.queue.writeScheduled({ ...task, lane, dueAt })) this.dueSooner = true;
  }

  private remember({ id, idempotency, unique }: NewTask, waitMs: number): void {
    const { queue, now } = this;
    if (idempotency) {
      const { key, fingerprint, windowMs } = idempotency;
      queue.dedupe.set(key, { id, fingerprint }, now + windowMs, now);
    }
    if (unique)
      queue.dedupe.set(
        unique.key,
        { id, fingerprint: undefined },
        now + Math.trunc(unique.ttlMs + waitMs),
        now,
      );
  }
}
