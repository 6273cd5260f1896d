import type { Delivery, Lease } from './lease.js';

/** How a delivered task ends, as told to the broker. */
export type Settlement =
  | { readonly kind: 'remove'; readonly lease: Lease; readonly id: string; readonly uniqueKey?: string }
  | {
      readonly kind: 'schedule';
      readonly lease: Lease;
      readonly id: string;
      readonly delayMs: number;
      readonly task: StoredTask;
      readonly unique?: { readonly key: string; readonly ttlMs: number };
    }
  | {
      readonly kind: 'dead-letter';
      readonly lease: Lease;
      readonly id: string;
      readonly task: StoredTask;
      /** One word of a fixed set, and one sentence for people. */
      readonly reason: string;
      readonly detail: string;
      /** `meta` of the task when it is replayed. */
      readonly replayMeta: string;
      /** Fields of an entry that is no task, kept as they were; JSON of names and values in turn. */
      readonly raw?: string;
      readonly uniqueKey?: string;
    }
  | {
      readonly kind: 'release';
      readonly lease: Lease;
      /** Whether its handler was started: then deaths are counted anew. No delivery count is given out twice. */
      readonly started: boolean;
    };

/** A task as it is kept while it waits. */
export interface StoredTask {
  readonly type: string;
  readonly payload: string;
  readonly attempt: number;
  readonly enqueuedAt: number | undefined;
  readonly meta: string;
}

export interface SettleRequest {
  readonly queue: string;
  readonly consumer: string;
  readonly outcomes: readonly Settlement[];
  /** Entries wanted per lane first, and in all. */
  readonly want: LaneQuota;
  /** How long a released entry must seem idle so that anyone may take it: longer than the lease. */
  readonly leaseMs: number;
}

/** How many entries to take from each lane first; what a lane lacks is taken from the others, most urgent first. */
export interface LaneQuota {
  readonly total: number;
  readonly high: number;
  readonly normal: number;
  readonly low: number;
}

export interface SettleAnswer {
  /** Positions of outcomes that were refused: another consumer owns the task, or it is gone. */
  readonly stale: readonly number[];
  /**
   * Those of `stale` whose entry is still somebody's, by another delivery: no earlier try of such an outcome was applied
   * either, or the entry would be gone. A release leaves the entry where it is, so it is never one of them.
   */
  readonly stillLeased: readonly number[];
  /**
   * Outcomes `schedule` that were applied as dead letters, since another task with the same id is waiting already:
   * ids that producers in other languages gave twice.
   */
  readonly buried: readonly number[];
  readonly deliveries: readonly Delivery[];
  /** The group had vanished and was made again. */
  readonly recreated: boolean;
}
