import type { Durability } from '../contract/durability.js';
import type { Lane } from '../contract/lane.js';
import type { DataLoss } from '../contract/data-loss.js';
import type { Delivery, Lease } from './lease.js';
import type { GuardRequest, LeaseGuard } from './lease-guard.js';
import type { SettleAnswer, SettleRequest, StoredTask } from './settlement.js';
import type { CleaningRequest, DutyAnswer, DutyRequest, SweepAnswer, SweepRequest } from './upkeep.js';

export type { Delivery, Lease } from './lease.js';
export type { LaneQuota, SettleAnswer, Settlement, SettleRequest, StoredTask } from './settlement.js';
export type { CleaningRequest, DutyAnswer, DutyRequest, SweepAnswer, SweepRequest } from './upkeep.js';

/**
 * The port between the engine and where tasks are kept: one method per verb. Every change is atomic, fenced by owner
 * and delivery, and timed by the broker's own clock. Times are milliseconds of that clock, durations milliseconds.
 */
export interface Broker {
  /**
   * The broker's clock as last heard of, where it keeps the queue if one is named; for measuring and records, and to
   * say after which time a call is late. Nothing is ever leased by it.
   */
  now(queue?: string): number;

  /** Opens what a worker of these queues needs beyond a producer, so that none of its passes begins by waiting. */
  openForWork(queues: readonly string[]): Promise<void>;

  /**
   * Makes the queue's streams and groups when they are missing, and answers whether any was. Never deletes.
   * Rejects when a key of the queue holds something else, before anything is made.
   */
  ensureQueue(queue: string): Promise<boolean>;

  /** Into how many parts the record of a queue says that its tasks are split; nothing where there is no record. */
  recordedPartitions(queue: string): Promise<number | undefined>;

  /**
   * Records into how many parts the tasks are split to which those of this name belong. Another number than before is
   * only taken while nothing at all is kept under the name. Answers what is recorded then.
   */
  recordPartitions(request: PartitionsRecord): Promise<number>;

  /**
   * Accepts a group of tasks, all in one step. Sending the same group again changes nothing and answers the same.
   * Rejects before anything is written when the durability cannot be had, and with a timeout when it was not reached
   * in time: then the group may be written, and sending it again goes on waiting. Rejects as `LAYOUT` when another number
   * of partitions is recorded than the group says.
   */
  enqueue(group: EnqueueGroup): Promise<EnqueueReply>;

  /**
   * Says what became of a group whose answer was lost: one answer per task, or nothing when it was not applied, and then
   * it never will be. Of one that was applied more than 15 minutes ago nothing is known any more, so that this answers
   * nothing either.
   */
  resolveGroup(group: GroupRef): Promise<readonly EnqueueAnswer[] | undefined>;

  /**
   * Splits queues by what one `fetch` can wait for: each part is waited for by itself, at the same time as the
   * others.
   */
  fetchGroups(queues: readonly string[]): Promise<readonly (readonly string[])[]>;

  /**
   * Waits for entries in any of the queues, up to `blockMs`; with 0 it looks once. Entries it answers are leased to
   * `consumer`.
   * Rejects when the link breaks; entries then leased without being answered come back by `reclaim`.
   */
  fetch(request: FetchRequest): Promise<FetchAnswer>;

  /** Ends the `fetch` of this part that waits, which then answers what it has: usually nothing. */
  interruptFetch(part?: string): Promise<void>;

  /** Nobody will `fetch` this part any more: what it held is let go. */
  endFetch(part?: string): Promise<void>;

  /** Applies outcomes of delivered tasks, then leases up to `want` more entries, in one step. */
  settle(request: SettleRequest): Promise<SettleAnswer>;

  /** Renews the leases named. Answers those that are no longer this consumer's. */
  extend(queue: string, consumer: string, leases: readonly Lease[]): Promise<readonly Lease[]>;

  /**
   * Takes the duty of promoting wherever tasks wait and nobody else has it, and says when the next is due there. A
   * queue that cannot be read is answered as one where a task is due, so that `promote` says what is wrong with it.
   */
  takeDuties(request: DutyRequest): Promise<DutyAnswer>;

  /** Moves tasks that are due to their lanes, at most a page, and says when the next one is due. */
  promote(request: PromoteRequest): Promise<PromoteAnswer>;

  /** Says in which of many queues `reclaim` is worth asking. Changes nothing. */
  sweepsDue(request: SweepRequest): Promise<SweepAnswer>;

  /** Leases entries whose holder has let its lease expire, or that were released: at most 100 are looked at. */
  reclaim(request: ReclaimRequest): Promise<ReclaimAnswer>;

  /** Names those of many queues in which there is something to clean up. Changes nothing. */
  cleaningDue(request: CleaningRequest): Promise<readonly string[]>;

  /** Names of the queue's consumers and for how long each has been silent. */
  listConsumers(queue: string): Promise<readonly ConsumerInfo[]>;

  /** Removes a consumer unless it holds entries; answers whether it is gone. */
  removeConsumer(queue: string, consumer: string): Promise<boolean>;

  /** Puts dead letters back on their lanes with their attempts reset; answers how many there still were. */
  replay(queue: string, letters: readonly DeadLetterRef[]): Promise<number>;

  /** Deletes dead letters for good; answers how many there still were. */
  deleteDeadLetters(queue: string, letters: readonly DeadLetterRef[]): Promise<number>;

  /** Dead letters from `after` (exclusive; '' for the start) on, oldest first, at most `limit` ≤ 100. */
  listDeadLetters(queue: string, after: string, limit: number): Promise<readonly DeadLetter[]>;

  /** Tasks waiting for their time, soonest first, at most `limit` ≤ 100. */
  listScheduled(queue: string, offset: number, limit: number): Promise<readonly ScheduledTask[]>;

  /** How many tasks are in which state, and how old the oldest ready one is. */
  counts(queue: string): Promise<QueueCounts>;

  /** Where a task is now, or `undefined` when the queue does not hold it. */
  find(queue: string, id: string): Promise<TaskPlace | undefined>;

  /** Round trip to the broker, in milliseconds. Rejects when it does not answer. */
  ping(): Promise<number>;

  /**
   * Calls `listener` each time a link has come back after it was lost, before anything is sent on it, with the name
   * of the link (`commands`, `blocking`, `maintenance` …) and for how long nothing at all was heard from where it
   * leads, in milliseconds: little means that only the link was lost, infinity that it leads elsewhere now; and, where
   * that is known, for how long nobody was there: an idle link hears nothing, and is not away. Answers how to stop that.
   */
  onReconnect(listener: (link: string, silentMs: number, awayMs?: number) => void): () => void;

  /**
   * Calls `listener` when the broker finds that it holds less than it did: after a restart, a failover, a restore or
   * a flush. Answers how to stop that. What each producer lost, `enqueue` tells it.
   */
  onDataLoss(listener: (loss: DataLoss) => void): () => void;

  /**
   * Keeps the leases on a board alive while this process cannot: from a thread that a busy event loop does not hold
   * up. Answers nothing where that is not possible, or not needed.
   */
  guardLeases(request: GuardRequest): LeaseGuard | undefined;

  /** Closes every link this broker opened. Calls under way are rejected. */
  close(): Promise<void>;
}

/** What {@link Broker.recordPartitions} is to record. */
export interface PartitionsRecord {
  /** A queue, or one of its partitions. */
  readonly queue: string;
  readonly partitions: number;
  /** What counts as recorded where nothing is. */
  readonly otherwise: number;
  /** What must be recorded for it to be replaced. @default whatever it is */
  readonly known?: number;
}

/** What names a group of tasks. */
export interface GroupRef {
  readonly queue: string;
  /** Who sends: at most one group of a channel is under way. Same channel and sequence = the same group. */
  readonly channel: string;
  /** Grows by one with each group of the channel. */
  readonly sequence: number;
  /** How far the group must have got before anything is said of it. @default 'accepted' */
  readonly durability?: Durability;
}

/** Tasks of one turn of one producer, for one queue. */
export interface EnqueueGroup extends GroupRef {
  /** The channel's last group that was answered and must still be known; 0 for none. */
  readonly after: number;
  /** Ready tasks at which the queue is full; 0 for no limit. */
  readonly maxReady: number;
  readonly durability: Durability;
  /** Into how many parts the tasks are split to which those of this queue belong. @default 1 */
  readonly partitions?: number;
  /** None at all is a fair group: it asks whether `after` is still known. */
  readonly tasks: readonly NewTask[];
}

/** What became of a group. */
export interface EnqueueReply {
  /** One per task, in order. */
  readonly answers: readonly EnqueueAnswer[];
  /**
   * The last group of the channel that the broker knew, when that was an earlier one than `after`: those in between
   * were answered and are gone. The group itself was applied nevertheless.
   */
  readonly lostAfter: number | undefined;
}

/** A task about to be enqueued, encoded. */
export interface NewTask {
  readonly id: string;
  readonly type: string;
  readonly payload: string;
  readonly meta: string;
  readonly lane: Lane;
  /** When it may run: at once, after a delay, or at a time. */
  readonly due?: { readonly afterMs: number } | { readonly at: number };
  /** Enqueued at most once per window, whatever became of the first; another fingerprint is a conflict. */
  readonly idempotency?: { readonly key: string; readonly fingerprint: string; readonly windowMs: number };
  /** Enqueued only while no task with this key is unfinished. */
  readonly unique?: { readonly key: string; readonly ttlMs: number };
  /** The id was given by the caller: a task with it that still exists is the same task. */
  readonly ownId?: boolean;
}

/** What became of one task of a group; `id` is the first task's when it is not this one. */
export type EnqueueAnswer =
  | { readonly status: 'accepted' }
  | { readonly status: 'duplicate' | 'conflict'; readonly id: string }
  | { readonly status: 'full' };

export interface FetchRequest {
  readonly consumer: string;
  /** Whole milliseconds; 0 looks once. */
  readonly blockMs: number;
  /** Names who reads: one `fetch` of a name at a time, each waits by itself. @default '' */
  readonly part?: string;
  /** At most this many entries per lane of each queue. */
  readonly count: number;
  /** All of one part of `fetchGroups`. */
  readonly queues: readonly string[];
}

export interface FetchAnswer {
  readonly deliveries: readonly Delivery[];
  /** Queues in which something happened that `promote` or `reclaim` should look at now. */
  readonly woken: readonly { readonly queue: string; readonly entryId: string; readonly why: WakeReason }[];
}

/** Why a consumer is woken: a task became due sooner than any before it, or tasks were handed back. */
export type WakeReason = 'due' | 'released';

export interface PromoteRequest {
  readonly queue: string;
  readonly consumer: string;
  /** Take the duty over even if another consumer has it: we were woken because a sooner task came in. */
  readonly takeOver: boolean;
  /** How long we keep the duty without a further call. */
  readonly dutyMs: number;
  /** Wake entry to acknowledge. */
  readonly wakeEntryId?: string;
}

export interface PromoteAnswer {
  /** Whether this consumer has the duty; one that has not need only ask again when the duty may be free. */
  readonly onDuty: boolean;
  readonly promoted: number;
  /** Milliseconds until the next task is due: 0 when more are due now, `undefined` when none is waiting. */
  readonly nextInMs: number | undefined;
}

export interface ReclaimRequest {
  readonly queue: string;
  readonly consumer: string;
  /** Entries silent for longer are taken. */
  readonly leaseMs: number;
  /** At most this many are taken. */
  readonly limit: number;
  /** Whether one that has outlived a consumer twice may be taken (at most one is). */
  readonly suspects: boolean;
  /** Look only at entries handed back, and at once. */
  readonly releasedOnly: boolean;
  /**
   * Own entries that this consumer has no hand on, answered as `own` before: takes these, if they are still silent and
   * its own, and looks at nothing else. At most 100.
   */
  readonly strays?: readonly EntryRef[];
  /**
   * By the broker's clock, after this the call is late: it takes nothing then, but for entries handed back. A call that
   * waited somewhere runs when every lease seems to have run out, whoever lives.
   */
  readonly notAfter?: number;
  /**
   * A sweep of this queue begins, by whomever, no sooner than this after one has begun, unless that one had to leave
   * something. One that goes on from a cursor, or looks at what was handed back, is no beginning.
   */
  readonly everyMs: number;
  /** Where the last page ended; absent for a new sweep. */
  readonly cursor?: ReclaimCursor;
  readonly wakeEntryId?: string;
}

/** What names an entry of a queue. */
export type EntryRef = Pick<Lease, 'lane' | 'entryId'>;

/** Where a sweep goes on: lane, consumer, and the entry after which ('' its first). */
export interface ReclaimCursor {
  readonly lane: Lane;
  readonly consumer: string;
  readonly after: string;
}

export interface ReclaimAnswer {
  readonly deliveries: readonly Delivery[];
  /** Where to go on, when the sweep is not at its end; with something left, there. */
  readonly cursor: ReclaimCursor | undefined;
  /** Entries seen that could be taken but were not, since they were over the limit. */
  readonly left: number;
  /**
   * Entries of this consumer that were silent for longer than the lease. It may work on them and be late with its
   * heartbeat, or know nothing of them since the reply that leased them was lost: these are `strays`.
   */
  readonly own: readonly EntryRef[];
  /** The call came after `notAfter`. */
  readonly late: boolean;
}

export interface ConsumerInfo {
  readonly name: string;
  readonly idleMs: number;
  readonly pending: number;
}

/** What names a dead letter: its entry on the dead-letter stream, and the task it was. */
export interface DeadLetterRef {
  readonly entryId: string;
  readonly id: string;
}

/** A dead letter with its provenance. */
export interface DeadLetter extends DeadLetterRef {
  readonly type: string;
  readonly payload: string;
  readonly queue: string;
  readonly lane: Lane;
  /**
   * One word: `attempts-exhausted`, `non-retryable`, `invalid-payload`, `malformed`, `no-handler`, `crash-loop`,
   * `handler`, `duplicate-id`.
   */
  readonly reason: string;
  /** One sentence for people. */
  readonly detail: string;
  readonly attempt: number;
  readonly enqueuedAt: number | undefined;
  readonly diedAt: number;
  readonly meta: string;
  readonly raw: string | undefined;
}

export interface ScheduledTask extends StoredTask {
  readonly id: string;
  readonly lane: Lane;
  readonly dueAt: number;
}

export interface QueueCounts {
  readonly ready: Readonly<Record<Lane, number>>;
  readonly active: number;
  readonly scheduled: number;
  readonly dead: number;
  /** Consumers that were given entries. Redis 7.0 does not know of one that has only waited so far. */
  readonly consumers: number;
  /** Age of the oldest ready task, in milliseconds; `undefined` when none is ready. */
  readonly oldestReadyMs: number | undefined;
}

/** Where a task is. */
export type TaskPlace =
  | {
      readonly state: 'ready';
      readonly lane: Lane;
      readonly entryId: string;
      readonly fields: readonly string[];
    }
  | {
      readonly state: 'active';
      readonly lane: Lane;
      readonly entryId: string;
      readonly fields: readonly string[];
      readonly consumer: string;
      readonly idleMs: number;
      readonly delivery: number;
    }
  | { readonly state: 'scheduled'; readonly task: ScheduledTask }
  | { readonly state: 'dead'; readonly letter: DeadLetter };
