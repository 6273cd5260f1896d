import { durationMs } from '../contract/duration.js';
import { NonRetryableError } from '../contract/errors.js';
import { FIRST_VERSION } from '../contract/payload-version.js';
import { isDirective } from '../contract/task-directive.js';
import {
  type AttemptRecord,
  type TaskMessage,
  type TaskMeta,
  versionOf,
  withAttempt,
} from '../contract/task-message.js';
import { backoffDelay } from './backoff.js';
import type { ResolvedTaskOptions } from './task-options.js';

/** Why a task is in the dead-letter stream. */
export type DeadLetterReason =
  | 'attempts-exhausted'
  | 'non-retryable'
  | 'invalid-payload'
  | 'malformed'
  | 'no-handler'
  | 'crash-loop'
  | 'handler'
  | 'duplicate-id';

/** How a delivery ended, before anybody decided what follows. */
export type ExecutionResult =
  | { readonly kind: 'returned'; readonly value: unknown }
  | { readonly kind: 'threw'; readonly error: unknown }
  | { readonly kind: 'invalid-payload'; readonly error: Error }
  | NoHandler
  | { readonly kind: 'crash-loop'; readonly deliveries: number }
  | { readonly kind: 'interrupted' };

/** Nobody here can run the task: its type has no handler, or one of a lower version than its payload. */
interface NoHandler {
  readonly kind: 'no-handler';
  /** The version of that handler, when there is one. */
  readonly handlerVersion?: number;
}

/** What becomes of the task. */
export type Outcome =
  | { readonly kind: 'complete' }
  | { readonly kind: 'discard'; readonly reason: string }
  | {
      readonly kind: 'retry';
      readonly delayMs: number;
      readonly attempt: number;
      readonly meta: TaskMeta;
      readonly error: unknown;
    }
  | { readonly kind: 'snooze'; readonly delayMs: number; readonly attempt: number; readonly meta: TaskMeta }
  | {
      readonly kind: 'no-handler';
      readonly handlerVersion: number | undefined;
      readonly delayMs: number;
      readonly attempt: number;
      readonly meta: TaskMeta;
    }
  | {
      readonly kind: 'dead-letter';
      readonly reason: DeadLetterReason;
      /** One sentence for people. */
      readonly detail: string;
      readonly meta: TaskMeta;
      readonly replayMeta: TaskMeta;
      readonly error: unknown;
    }
  | { readonly kind: 'release' };

/** The circumstances a decision is made in. */
export interface Circumstances {
  /** The broker's clock, milliseconds. */
  readonly now: number;
  /** Uniform in [0, 1). */
  readonly random: number;
  readonly worker: string;
  /** Starts of this task so far, this one included. */
  readonly starts: number;
  readonly options: ResolvedTaskOptions;
  readonly noHandlerDelayMs: number;
  readonly noHandlerTimeoutMs: number;
}

/** Delays are cut here, whoever asks for more. */
const LONGEST_DELAY_MS = 365 * 86_400_000;

/** What becomes of a task after its handler ran, or did not. A function of its arguments alone. */
export function decideOutcome(message: TaskMessage, result: ExecutionResult, c: Circumstances): Outcome {
  switch (result.kind) {
    case 'interrupted':
      return { kind: 'release' };
    case 'returned':
      return decideReturned(message, result.value, c);
    case 'threw':
      return decideThrown(message, result.error, c);
    case 'invalid-payload':
      return dead(message, c, 'invalid-payload', result.error.message, result.error);
    case 'no-handler':
      return decideNoHandler(message, result, c);
    case 'crash-loop':
      return dead(message, c, 'crash-loop', `delivered ${result.deliveries} times without any outcome`);
  }
}

/** The outcome of nearly all tasks. */
export const COMPLETE: Outcome = Object.freeze({ kind: 'complete' });

/** Whether a task is complete whatever the circumstances: its handler has returned, and nothing else was wished. */
export function justCompletes(result: ExecutionResult): boolean {
  return result.kind === 'returned' && !isDirective(result.value);
}

function decideReturned(message: TaskMessage, value: unknown, c: Circumstances): Outcome {
  if (!isDirective(value)) return COMPLETE;
  switch (value.kind) {
    case 'snooze':
      return {
        kind: 'snooze',
        delayMs: bounded(value.delayMs),
        attempt: message.attempt,
        meta: carried(message, c),
      };
    case 'discard':
      return { kind: 'discard', reason: value.reason };
    case 'dead-letter':
      return dead(message, c, 'handler', value.reason);
  }
}

function decideThrown(message: TaskMessage, error: unknown, c: Circumstances): Outcome {
  const record = attemptRecord(message, error, c);
  const meta: TaskMeta = { ...carried(message, c), history: withAttempt(message.meta.history, record) };
  const failed: TaskMessage = { ...message, meta };
  if (error instanceof NonRetryableError)
    return dead(failed, c, 'non-retryable', record.error.message, error);
  if (message.attempt >= c.options.maxAttempts) {
    return dead(
      failed,
      c,
      'attempts-exhausted',
      `attempt ${message.attempt} of ${c.options.maxAttempts} failed`,
      error,
    );
  }
  return { kind: 'retry', delayMs: retryDelay(message, error, c), attempt: message.attempt + 1, meta, error };
}

function decideNoHandler(message: TaskMessage, { handlerVersion }: NoHandler, c: Circumstances): Outcome {
  const since = message.meta.noHandlerSince ?? c.now;
  if (c.now - since >= c.noHandlerTimeoutMs) {
    return dead(message, c, 'no-handler', unhandledFor(c.now - since, message, handlerVersion));
  }
  const meta = { ...carried(message, c), noHandlerSince: since };
  // Some jitter, so that a crowd of such tasks does not come back as one.
  const delayMs = Math.round(c.noHandlerDelayMs * (0.75 + 0.5 * c.random));
  return { kind: 'no-handler', handlerVersion, delayMs, attempt: message.attempt, meta };
}

function unhandledFor(ms: number, { type, meta }: TaskMessage, handlerVersion: number | undefined): string {
  const version = versionOf(meta);
  const what = version > FIRST_VERSION ? `version ${version} of type "${type}"` : `type "${type}"`;
  const instead = handlerVersion === undefined ? '' : `; the last one asked has version ${handlerVersion}`;
  return `no worker handled ${what} for ${ms} ms${instead}`;
}

/** The error's own `retryAfter`, else the contract's function, else the backoff. */
function retryDelay(message: TaskMessage, error: unknown, c: Circumstances): number {
  try {
    const asked = (error as { retryAfter?: unknown } | null | undefined)?.retryAfter;
    const delay =
      durationMs(asked) ?? durationMs(c.options.retryDelay?.({ attempt: message.attempt, error }));
    if (delay !== undefined) return bounded(delay);
  } catch {
    // A broken error or delay function must not cost the task: the backoff applies.
  }
  return bounded(backoffDelay(c.options.backoff, message.attempt, c.random));
}

function dead(
  message: TaskMessage,
  c: Circumstances,
  reason: DeadLetterReason,
  detail: string,
  error?: unknown,
): Outcome {
  const { history: _history, noHandlerSince: _since, unique: _unique, ...kept } = carried(message, c);
  const replayMeta: TaskMeta = { ...kept, replays: (message.meta.replays ?? 0) + 1 };
  return {
    kind: 'dead-letter',
    reason,
    detail: clip(detail, 512),
    meta: carried(message, c),
    replayMeta,
    error,
  };
}

/** What travels on with the task: the starts are brought up to date, so that the fence keeps growing. */
function carried(message: TaskMessage, c: Circumstances): TaskMeta {
  const { noHandlerSince: _since, ...meta } = message.meta;
  return { ...meta, starts: c.starts };
}

function attemptRecord(message: TaskMessage, error: unknown, c: Circumstances): AttemptRecord {
  return { attempt: message.attempt, at: c.now, worker: c.worker, error: errorRecord(error) };
}

/** What is kept of anything thrown, an Error or not: name, message and the first lines of the stack, all bounded. */
export function errorRecord(error: unknown): AttemptRecord['error'] {
  try {
    return error instanceof Error
      ? readError(error)
      : { name: `thrown ${typeof error}`, message: clip(describe(error), 512) };
  } catch {
    return { name: 'thrown object', message: 'a value that cannot be read' };
  }
}

function readError(error: Error): AttemptRecord['error'] {
  const { name, message, stack } = error;
  const lines =
    typeof stack === 'string'
      ? stack
          .split('\n')
          .slice(1, 9)
          .map((line) => line.trim())
      : [];
  return {
    name: clip(String(name), 64),
    message: clip(String(message), 512),
    ...(lines.length > 0 && { stack: clip(lines.join('\n'), 1024) }),
  };
}

function describe(value: unknown): string {
  try {
    return typeof value === 'string' ? value : (JSON.stringify(value) ?? String(value));
  } catch {
    return 'a value that cannot be shown';
  }
}

function clip(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, length - 1)}…`;
}

function bounded(delayMs: number): number {
  return Math.min(delayMs, LONGEST_DELAY_MS);
}
