import type { Lane } from './lane.js';
import type { AttemptRecord } from './task-message.js';

/** What a handler is told about the task it runs. */
export interface TaskContext {
  /** The task's id, the same for every attempt. */
  readonly id: string;
  readonly type: string;
  readonly queue: string;
  readonly priority: Lane;
  /** Version of the payload that the task was written with; what the handler gets has been upgraded to its own. */
  readonly version: number;
  /** Starts so far that count, this one included: 1 on the first. */
  readonly attempt: number;
  /** Starts allowed, the first included. */
  readonly maxAttempts: number;
  /**
   * A number that only grows for this task, at every start by whichever worker. Write it beside your own data and
   * refuse a smaller one: then a worker that was paused past its lease cannot overwrite what its successor did.
   */
  readonly fence: number;
  /** When the task was enqueued, in milliseconds of the Redis clock; `undefined` for entries written by others. */
  readonly enqueuedAt: number | undefined;
  /** Headers given at enqueue, such as a W3C `traceparent`. */
  readonly headers: Readonly<Record<string, string>>;
  /** What earlier attempts did, oldest first (bounded). */
  readonly history: readonly AttemptRecord[];
  /** Name of the consumer that runs the task. */
  readonly worker: string;
  /**
   * Aborted when the task times out, when the worker must hand it back, when another worker has taken it over, or
   * may have (`worker.whenUnproven`); `signal.reason` says which. Made on first use: a handler that never looks at it costs nothing.
   */
  readonly signal: AbortSignal;
}
