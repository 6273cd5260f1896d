import type { Fact } from '../ledger/fact.js';

/** A task that the API accepted, as its caller was told. */
export interface AcceptedTask {
  readonly id: string;
  readonly queue: string;
}

/** A worker that was killed, and how many tasks it ran at once. */
export interface KilledWorker {
  readonly pid: number;
  readonly slots: number;
}

/** What Redis says of one queue when all is over. */
export interface QueueState {
  readonly queue: string;
  /** Tasks that are ready, active or scheduled. */
  readonly unfinished: number;
  /** How many dead letters it counts. */
  readonly dead: number;
  /** The dead letters themselves. */
  readonly deadLetters: readonly { readonly id: string; readonly reason: string }[];
}

/** Requests that were repeated on purpose, and how many of them were recognised. */
export interface Repeats {
  readonly sent: number;
  readonly recognised: number;
}

/** Everything that is known of a run, each part from a witness of its own. None of it was read from the others. */
export interface Evidence {
  /** From the answers of the API. */
  readonly accepted: readonly AcceptedTask[];
  /** From the files of the workers. */
  readonly facts: readonly Fact[];
  readonly killed: readonly KilledWorker[];
  /** How often each task did what it is for: records written, thumbnails made, webhooks that their receiver took. */
  readonly effects: ReadonlyMap<string, number>;
  /** From Redis. */
  readonly queues: readonly QueueState[];
  readonly duplicates: Repeats;
  readonly conflicts: Repeats;
  /** How many of the input must die, by reason: from looking at the input, not at the queue. */
  readonly mustDie: Readonly<Record<string, number>>;
  /** From SIGTERM until each task that was handed back started elsewhere, in milliseconds. */
  readonly handOverMs: readonly number[];
}
