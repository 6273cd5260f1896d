import type { BenchPayload } from '../payload.js';

/** Everybody who can be measured, in the order of every table. */
export const CONTENDER_NAMES = [
  'taskq',
  'taskq-nest',
  'taskq-nest-full',
  'taskq-listened',
  'bullmq',
  'groupmq',
  'bee-queue',
  'ceiling',
] as const;
export type ContenderName = (typeof CONTENDER_NAMES)[number];

/** What a contender is asked to be ready for. */
export interface Site {
  readonly host: string;
  readonly port: number;
  /** Queues that are worked on; tasks go to the first. */
  readonly queues: readonly string[];
  /** Handlers that may run at once, per queue. */
  readonly slots: number;
  /** Callers that enqueue at once: some have settings that help many and hurt one. */
  readonly callers: number;
  /** Starts of a task until it is given up. */
  readonly attempts: number;
  /** Whether there will be tasks that are due later: some have settings for that which cost something. */
  readonly delays: boolean;
  /** Whether tasks that were given up are kept. */
  readonly keepFailed: boolean;
  /** Set where the address is that of a node of a Cluster: into how many partitions each queue is split. */
  readonly partitions?: number;
}

/** What a contender's worker calls for every task; a rejection is a failed attempt. */
export type Handler = (payload: BenchPayload) => Promise<void>;

/** A contender that is connected. Nothing is closed: the process of a trial ends with it. */
export interface Rig {
  /** Resolves when Redis has the task. */
  enqueue(payload: BenchPayload): Promise<unknown>;
  /** The contender's way to enqueue many at once; resolves when Redis has them all. */
  enqueueMany(payloads: readonly BenchPayload[]): Promise<unknown>;
  /** Enqueues a task that is due at that time, in milliseconds since 1970. */
  enqueueAt?(payload: BenchPayload, dueAt: number): Promise<unknown>;
  /** Starts a worker for every queue. */
  work(handler: Handler): Promise<void>;
  /** Tasks of the first queue that are not done: ready, active and scheduled. */
  left(): Promise<number>;
  /** A bare round trip on the connection that enqueues. */
  roundTrip?(): Promise<unknown>;
}

/** One way to have tasks done. */
export interface Contender {
  readonly name: ContenderName;
  /** Whether it needs what is installed in benchmarks/contenders. */
  readonly foreign: boolean;
  /** How it is set up and why, for the document. */
  readonly settings: string;
  /**
   * Roughly what it does per second, with one caller or slot (`one`) and with many. It sizes the windows, so that each
   * takes about as long as the case says, and is in no figure.
   */
  readonly pace: {
    readonly enqueue: { readonly one: number; readonly many: number };
    readonly process: { readonly one: number; readonly many: number };
  };
  open(site: Site): Promise<Rig>;
}

/** Rough tasks per second with `width` callers or slots. */
export function paceOf(
  { one, many }: { readonly one: number; readonly many: number },
  width: number,
): number {
  return Math.min(many, one * width);
}
