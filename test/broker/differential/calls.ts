import type { Lane } from '@taskq/core';

/**
 * Times of calls, in milliseconds. Time passes by multiples of 7 s and no other length is within 1 s of one, so that
 * nothing depends on how long a call really takes. Of two tasks that are due at about the same time the one that was
 * kept later is due a little later.
 */
export const TIMES = {
  passes: [7_000, 21_000, 49_000, 210_000, 1_001_000],
  due: [-7_000, 0, 12_000, 54_000, 3_603_000],
  delay: [5_000, 19_000],
  window: 46_000,
  ttl: 47_000,
  duty: 25_000,
  every: [0, 16_000],
  lease: [0, 33_000],
  /** Consumers and dead letters cannot be made older than they are. */
  never: 100_000_000_000,
  late: 3_000,
} as const;

/** A task to enqueue. What a number stands for is the same on both sides. */
export interface TaskCall {
  readonly id: string;
  readonly own: boolean;
  readonly lane: Lane;
  readonly payload: string;
  readonly meta: string;
  readonly due?: { readonly ms: number; readonly absolute: boolean };
  readonly idempotency?: { readonly key: string; readonly fingerprint: string };
  readonly unique?: string;
}

/** How a delivery ends. `pick` chooses one of those that were seen. */
export interface OutcomeCall {
  readonly pick: number;
  readonly kind: 'remove' | 'schedule' | 'dead-letter' | 'release';
  readonly anyHolder: boolean;
  readonly wrong: boolean;
  readonly key?: string;
  readonly delayMs: number;
  readonly raw?: string;
  readonly started: boolean;
}

/** One call of the port, or one thing that happens, said so that it can be done on both sides. */
export type Call = { readonly broker: number; readonly consumer: string } & (
  | {
      readonly verb: 'enqueue';
      readonly channel: string;
      readonly step: number;
      readonly forgets: number;
      readonly maxReady: number;
      readonly tasks: readonly TaskCall[];
    }
  | { readonly verb: 'repeat' | 'resolve'; readonly pick: number; readonly behind: number }
  | { readonly verb: 'fetch'; readonly count: number }
  | { readonly verb: 'wait' | 'interrupt' }
  | {
      readonly verb: 'settle';
      readonly outcomes: readonly OutcomeCall[];
      readonly want: readonly [number, number, number, number];
    }
  | { readonly verb: 'extend'; readonly picks: readonly number[]; readonly wrong: boolean }
  | { readonly verb: 'takeDuties' }
  | { readonly verb: 'sweepsDue'; readonly everyMs: number; readonly late: boolean }
  | { readonly verb: 'cleaningDue'; readonly deadLetters: number }
  | { readonly verb: 'promote'; readonly takeOver: boolean; readonly acknowledge: boolean }
  | {
      readonly verb: 'reclaim';
      readonly leaseMs: number;
      readonly everyMs: number;
      readonly limit: number;
      readonly suspects: boolean;
      readonly releasedOnly: boolean;
      readonly goOn: boolean;
      /** Which of all that was ever given to anybody the consumer names as its own: the i-th when bit i is set. */
      readonly strays: number;
      /** Whether it is sent so that it comes too late. */
      readonly late: boolean;
      readonly acknowledge: boolean;
    }
  | { readonly verb: 'removeConsumer' | 'counts' | 'listConsumers' | 'ensureQueue' }
  | { readonly verb: 'find'; readonly id: string }
  | { readonly verb: 'listDeadLetters'; readonly after: number; readonly limit: number }
  | { readonly verb: 'listScheduled'; readonly offset: number; readonly limit: number }
  | { readonly verb: 'replay' | 'deleteDeadLetters'; readonly picks: readonly number[] }
  | { readonly verb: 'passTime'; readonly ms: number }
  | { readonly verb: 'addEntry'; readonly lane: Lane; readonly n: number; readonly id?: string }
  | { readonly verb: 'dropGroup' | 'flush' }
);
