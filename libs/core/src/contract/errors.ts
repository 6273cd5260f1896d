/** Marks every error of this family, so that `instanceof` holds across duplicated copies of the package. */
const FAMILY = Symbol.for('taskq.error');

/** What may accompany an error: its cause and what the reader can do about it. */
export interface TaskqErrorOptions {
  cause?: unknown;
  /** One sentence that says what to do. */
  fix?: string;
}

/**
 * Base class of every error that taskq throws. `code` is stable across releases; `fix` says what to do.
 * `instanceof` compares codes along the classes, so it also holds between two installed copies of this package.
 */
export class TaskqError extends Error {
  static readonly code: string = 'TASKQ_ERROR';
  readonly code: string;
  declare readonly fix?: string;

  constructor(message: string, options: TaskqErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = new.target.code;
    this.name = new.target.name;
    if (options.fix !== undefined) Object.assign(this, { fix: options.fix });
    Object.defineProperty(this, FAMILY, { value: codesOf(new.target) });
  }

  static override [Symbol.hasInstance](value: unknown): boolean {
    if (Function.prototype[Symbol.hasInstance].call(this, value)) return true;
    if (typeof value !== 'object' || value === null || !(FAMILY in value)) return false;
    // A class that declares no code of its own (a user's subclass) is told apart by prototype alone.
    return Object.hasOwn(this, 'code') && (value[FAMILY] as readonly string[]).includes(this.code);
  }
}

/** Codes of a class and of those it extends: by them another copy of this package knows what the error is. */
function codesOf(type: typeof TaskqError): readonly string[] {
  const codes: string[] = [];
  for (
    let one: object | null = type;
    one !== null && 'code' in one;
    one = Object.getPrototypeOf(one) as object | null
  ) {
    if (Object.hasOwn(one, 'code')) codes.push(String(one.code));
  }
  return codes;
}

/** Options that cannot work. `problems` has one line per wrong field, each with its bound. */
export class ConfigurationError extends TaskqError {
  static override readonly code: string = 'TASKQ_CONFIGURATION';
  readonly problems: readonly string[];

  constructor(subject: string, problems: readonly string[], options: TaskqErrorOptions = {}) {
    super(`${subject}: ${problems.join('; ')}`, options);
    this.problems = problems;
  }
}

/** One thing that is wrong with a payload, and where. */
export interface PayloadIssue {
  /** Path of the offending value, such as `items[2].price`; empty for the payload itself. */
  path: string;
  message: string;
}

/** A payload that cannot be enqueued or handled. Nothing was written. `issues` names every path found wrong. */
export class InvalidPayloadError extends TaskqError {
  static override readonly code: string = 'TASKQ_INVALID_PAYLOAD';
  readonly type: string;
  readonly issues: readonly PayloadIssue[];

  constructor(type: string, issues: readonly PayloadIssue[], options: TaskqErrorOptions = {}) {
    const shown = issues
      .slice(0, 5)
      .map((issue) => (issue.path ? `${issue.path}: ${issue.message}` : issue.message));
    super(`payload of "${type}" is invalid: ${shown.join('; ')}`, options);
    this.type = type;
    this.issues = issues;
  }
}

/** An entry on the stream that is not a task: fields missing or out of bounds. It is dead-lettered, never retried. */
export class MalformedTaskError extends TaskqError {
  static override readonly code: string = 'TASKQ_MALFORMED';
}

/** The queue holds `maxReady` ready tasks. The task was not written; try again after `retryAfterMs`. */
export class QueueFullError extends TaskqError {
  static override readonly code: string = 'TASKQ_QUEUE_FULL';
  readonly queue: string;
  readonly maxReady: number;
  /** Milliseconds after which trying again is worth while; grows while the queue stays full. */
  readonly retryAfterMs: number;

  constructor(queue: string, maxReady: number, retryAfterMs: number) {
    super(`queue "${queue}" is full (${maxReady} ready tasks)`, {
      fix: `try again in ${retryAfterMs} ms, add workers, or raise maxReady`,
    });
    this.queue = queue;
    this.maxReady = maxReady;
    this.retryAfterMs = retryAfterMs;
  }
}

/**
 * More waits in this process to be sent to Redis than `producer.waitingBytes` allows: Redis is away or slow, or a
 * great deal was enqueued at once. The task was not sent; try again when some of the calls under way are answered.
 */
export class BacklogFullError extends TaskqError {
  static override readonly code: string = 'TASKQ_BACKLOG_FULL';
  readonly queue: string;
  /** The bound, in bytes. */
  readonly waitingBytes: number;
  /** Always: nothing is wrong with the call. */
  readonly retryable: boolean = true;

  constructor(queue: string, waitingBytes: number) {
    super(`task for "${queue}" was not sent: ${waitingBytes} bytes wait for Redis already`, {
      fix: 'wait for calls under way before you make more, or raise producer.waitingBytes',
    });
    this.queue = queue;
    this.waitingBytes = waitingBytes;
  }
}

/**
 * Redis did not answer in time: the task may or may not have been accepted. Enqueue again with the same `id` to be
 * sure: the producer that threw this recognises the first copy whatever has become of it, any other while the copy is
 * waiting, running or dead, and nothing is written twice. Also instead of a refusal, which is its `cause`, where Redis may
 * have had the task, and let it run, before it lost it.
 */
export class EnqueueOutcomeUnknownError extends TaskqError {
  static override readonly code: string = 'TASKQ_ENQUEUE_OUTCOME_UNKNOWN';
  readonly id: string;
  readonly queue: string;

  constructor(id: string, queue: string, cause: unknown) {
    const why = cause instanceof Error ? cause.message : 'Redis did not answer';
    super(`the outcome of enqueueing task ${id} in "${queue}" is unknown: ${why}`, {
      cause,
      fix: 'enqueue again with the same id',
    });
    this.id = id;
    this.queue = queue;
  }
}

/** Some of the tasks of one `enqueueMany` call failed. `outcomes` has, in order, a result or an error for each. */
export class EnqueueManyError<Result = unknown> extends TaskqError {
  static override readonly code: string = 'TASKQ_ENQUEUE_MANY';
  /** One per task, in order. Not printed with the error: there may be thousands. */
  readonly outcomes: readonly (Result | TaskqError)[];

  constructor(outcomes: readonly (Result | TaskqError)[]) {
    const failures = outcomes.filter((outcome): outcome is TaskqError => outcome instanceof TaskqError);
    super(`${failures.length} of ${outcomes.length} tasks were not enqueued: ${failures[0]?.message ?? ''}`, {
      cause: failures[0],
    });
    this.outcomes = outcomes;
    Object.defineProperty(this, 'outcomes', { enumerable: false });
  }
}

/** Redis refused or failed a command. Command arguments, which hold payloads, are never part of it. */
export class BrokerError extends TaskqError {
  static override readonly code: string = 'TASKQ_BROKER';
  /** Redis' own error code (`OOM`, `READONLY`, `LOADING` …), or the socket's (`ECONNREFUSED` …). */
  readonly reason: string;
  /** Whether the same call may succeed soon without anybody doing anything. */
  readonly retryable: boolean;

  constructor(reason: string, message: string, options: TaskqErrorOptions & { retryable?: boolean } = {}) {
    super(message, options);
    this.reason = reason;
    this.retryable = options.retryable ?? false;
  }
}

/** No answer from Redis within the time allowed, or the link broke first. What was asked may have happened. */
export class BrokerTimeoutError extends BrokerError {
  static override readonly code: string = 'TASKQ_BROKER_TIMEOUT';
}

/**
 * The durability that was asked for cannot be had from this Redis (nothing is appended to a file, too few replicas …).
 * Nothing was written; `fix` says what to change.
 */
export class DurabilityUnavailableError extends BrokerError {
  static override readonly code: string = 'TASKQ_DURABILITY_UNAVAILABLE';

  constructor(durability: string, why: string, fix: string, options: { retryable?: boolean } = {}) {
    super('DURABILITY', `durability "${durability}" cannot be had: ${why}`, { ...options, fix });
  }
}

/** Redis cannot be used: unreachable, too old, or set up so that tasks would be lost. Raised at boot. */
export class RedisUnusableError extends TaskqError {
  static override readonly code: string = 'TASKQ_REDIS_UNUSABLE';
}

/** Two handlers for one type in one queue, or a handler that cannot run as declared. Raised at boot. */
export class HandlerRegistrationError extends TaskqError {
  static override readonly code: string = 'TASKQ_HANDLER_REGISTRATION';
}

/** The operation was called in a state that does not allow it (a closed producer, a worker started twice …). */
export class LifecycleError extends TaskqError {
  static override readonly code: string = 'TASKQ_LIFECYCLE';
}

/** Throw it, or a subclass, from a handler when trying again cannot help: the task is dead-lettered at once. */
export class NonRetryableError extends TaskqError {
  static override readonly code: string = 'TASKQ_NON_RETRYABLE';
}

/** Why `context.signal` was aborted: the task ran longer than its timeout. */
export class TaskTimeoutError extends TaskqError {
  static override readonly code: string = 'TASKQ_TASK_TIMEOUT';
  readonly timeoutMs: number;

  constructor(type: string, timeoutMs: number) {
    super(`task "${type}" ran longer than ${timeoutMs} ms`);
    this.timeoutMs = timeoutMs;
  }
}

/** Why `context.signal` was aborted: the worker is shutting down and hands the task back. No attempt is spent. */
export class WorkerShutdownError extends TaskqError {
  static override readonly code: string = 'TASKQ_WORKER_SHUTDOWN';
}

/**
 * Why `context.signal` was aborted: Redis was out of reach for so long that another worker may take the task over any
 * moment (`worker.whenUnproven: 'abort'`). The task is handed back. No attempt is spent.
 */
export class LeaseUnprovenError extends TaskqError {
  static override readonly code: string = 'TASKQ_LEASE_UNPROVEN';
}

/** Why `context.signal` was aborted: another worker has taken the task over; whatever this one does is stale. */
export class LeaseLostError extends TaskqError {
  static override readonly code: string = 'TASKQ_LEASE_LOST';
}
