/** Asks for the duty of promoting. */
export interface DutyRequest {
  /** All of one part of `fetchGroups`. */
  readonly queues: readonly string[];
  readonly consumer: string;
  /** How long the duty is kept without a further call. */
  readonly dutyMs: number;
}

/** Of queues in which tasks wait for their time. */
export interface DutyAnswer {
  /** Of those, the queues in which this consumer has the duty, and how long until the next task there is due. */
  readonly duties: readonly { readonly queue: string; readonly nextInMs: number }[];
  /** Whether tasks wait in any of the queues, whoever has the duty there. */
  readonly waiting: boolean;
}

/** Asks where a sweep would find something. */
export interface SweepRequest {
  /** All of one part of `fetchGroups`. */
  readonly queues: readonly string[];
  /** As for `reclaim`: where a sweep has begun, another begins no sooner than this. */
  readonly everyMs: number;
  /** As for `reclaim`: by the broker's clock, after this the call is late. */
  readonly notAfter?: number;
}

/** Where a sweep would find something. */
export interface SweepAnswer {
  /** Queues of which somebody holds entries, or some were handed back, and in which a sweep may begin. */
  readonly queues: readonly string[];
  /** The call came after `notAfter`: by now every lease may seem to have run out, whoever lives. */
  readonly late: boolean;
}

/** Asks where there is something to clean up. */
export interface CleaningRequest {
  /** All of one part of `fetchGroups`. */
  readonly queues: readonly string[];
  /** Is not cleaned up itself. */
  readonly consumer: string;
  /** Consumers that hold nothing and were silent for so long. */
  readonly consumerAgeMs: number;
  /** More dead letters than this. */
  readonly deadLetters: number;
  /** Dead letters that were written so long ago. */
  readonly deadLetterAgeMs: number;
}
