import { type Durability, DURABILITY_RULE, isDurability } from '../contract/durability.js';
import type { Duration } from '../contract/duration.js';
import { ConfigurationError } from '../contract/errors.js';
import { isLane, type Lane, LANES } from '../contract/lane.js';
import { isName, NAME_RULE } from '../contract/names.js';
import { FIRST_VERSION, idleUpgrade, VERSIONS } from '../contract/payload-version.js';
import type { ContractOptions, RetryInfo, TaskOptions } from '../contract/task-contract.js';
import type { TaskMeta } from '../contract/task-message.js';
import type { ResolvedBackoff } from './backoff.js';
import {
  decimal,
  duration,
  group,
  integer,
  oneOf,
  optional,
  passed,
  resolveOptions,
  text,
} from './option-check.js';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const ATTEMPTS = { min: 1, max: 1000 };
const TIMEOUT = { min: 1, max: 7 * DAY };

/** {@link TaskOptions} with every default filled in. */
export interface ResolvedTaskOptions {
  readonly maxAttempts: number;
  readonly timeoutMs: number;
  readonly backoff: ResolvedBackoff;
  readonly retryDelay: RetryDelay | undefined;
  readonly durability: Durability;
}

/** Options of a contract or handler with every default filled in. */
export interface ResolvedContractOptions extends ResolvedTaskOptions {
  readonly queue: string;
  readonly priority: Lane;
  readonly version: number;
  readonly upgrade: Upgrade | undefined;
}

type RetryDelay = (info: RetryInfo) => Duration;
type Upgrade = NonNullable<ContractOptions['upgrade']>;

/** What applies when nobody says otherwise. */
export const TASK_DEFAULTS: ResolvedTaskOptions = {
  maxAttempts: 5,
  timeoutMs: 5 * 60_000,
  backoff: { baseMs: 1000, factor: 2, maxMs: HOUR },
  retryDelay: undefined,
  durability: 'accepted',
};

/** The field of `tasks` in the engine's options. */
export const taskDefaultsField = group<CheckedTaskDefaults>({
  maxAttempts: integer(ATTEMPTS, TASK_DEFAULTS.maxAttempts),
  timeout: duration(TIMEOUT, TASK_DEFAULTS.timeoutMs),
  backoff: backoffField(TASK_DEFAULTS.backoff),
  durability: durabilityField(TASK_DEFAULTS.durability),
});

interface CheckedTaskDefaults {
  readonly maxAttempts: number;
  readonly timeout: number;
  readonly backoff: ResolvedBackoff;
  readonly durability: Durability;
}

/** Options of a contract or handler over the engine's. @throws ConfigurationError naming the field and its bound */
export function resolveContractOptions(
  type: string,
  options: ContractOptions,
  defaults: ResolvedTaskOptions,
): ResolvedContractOptions {
  const { maxAttempts, timeout, backoff, durability, queue, priority, retryDelay, version, upgrade } =
    options;
  const written = {
    ...{ maxAttempts, timeout, backoff, durability },
    ...{ queue, priority, retryDelay, version, upgrade },
  };
  const resolved = resolveOptions<CheckedContractOptions>(`task "${type}"`, written, {
    maxAttempts: integer(ATTEMPTS, defaults.maxAttempts),
    timeout: duration(TIMEOUT, defaults.timeoutMs),
    backoff: backoffField(defaults.backoff),
    durability: durabilityField(defaults.durability),
    queue: text({ fits: isName, says: NAME_RULE }, 'default'),
    priority: oneOf(LANES, 'normal'),
    retryDelay: passed<RetryDelay>('a function', (value) => typeof value === 'function'),
    version: integer(VERSIONS, FIRST_VERSION),
    upgrade: passed<Upgrade>('a function', (value) => typeof value === 'function'),
  });
  const idle = idleUpgrade(resolved);
  if (idle) throw new ConfigurationError(`task "${type}"`, [idle]);
  const { timeout: timeoutMs, ...rest } = resolved;
  return { ...rest, timeoutMs };
}

interface CheckedContractOptions extends Omit<ResolvedContractOptions, 'timeoutMs'> {
  readonly timeout: number;
}

/** Options of one enqueue call. */
export interface EnqueueOptions extends TaskOptions {
  /**
   * Id of the task: `A-Z a-z 0-9 _ . -`, 1 to 64 characters. Give it to repeat a call whose outcome is unknown; while
   * a task with this id exists, another is answered as `duplicate`. @default a new one
   */
  id?: string;
  /** Run after this delay, 0 to 365 days. Not together with `runAt`. */
  delay?: Duration;
  /** Run at this time (milliseconds since 1970 or a Date, of the Redis clock); one in the past means at once. */
  runAt?: number | Date;
  /** Lane. @default the contract's, else 'normal' */
  priority?: Lane;
  /**
   * Two calls with the same key within the window are one task, whatever has become of it. The same key with another
   * payload is answered as `conflict`. 1 to 512 characters; stored as a hash.
   */
  idempotencyKey?: string;
  /** How long `idempotencyKey` is remembered, 1 s to 90 days. @default '24h' */
  idempotencyWindow?: Duration;
  /**
   * Not while a task with the same key is unfinished: a key of your own, or `true` for type and payload. Freed when
   * the task completes, is discarded or dead-lettered.
   */
  deduplicate?: string | true;
  /** Longest time after the task is due for which `deduplicate` holds, 1 s to 90 days. @default '24h' */
  deduplicateFor?: Duration;
  /**
   * Tasks of a queue with partitions that have the same key are kept in the same one, in the order in which they are
   * enqueued; 1 to 512 characters. Needed where a call has several of `id`, `idempotencyKey` and `deduplicate`: each of
   * them only compares tasks of one partition. Without effect on a queue that is not split.
   * @default by the one of these, else spread evenly
   */
  partitionKey?: string;
  /** Strings that travel beside the payload, at most 64 of them and 8 KiB in all. */
  headers?: Readonly<Record<string, string>>;
}

/** {@link EnqueueOptions} resolved; `meta` is what travels. */
export interface ResolvedEnqueueOptions {
  readonly id: string | undefined;
  readonly due: { readonly afterMs: number } | { readonly at: number } | undefined;
  readonly priority: Lane | undefined;
  readonly idempotencyKey: string | undefined;
  readonly idempotencyWindowMs: number;
  readonly deduplicate: string | true | undefined;
  readonly deduplicateForMs: number;
  readonly partitionKey: string | undefined;
  readonly durability: Durability | undefined;
  readonly meta: TaskMeta;
}

const NO_OPTIONS: ResolvedEnqueueOptions = Object.freeze({
  id: undefined,
  due: undefined,
  priority: undefined,
  idempotencyKey: undefined,
  idempotencyWindowMs: DAY,
  deduplicate: undefined,
  deduplicateForMs: DAY,
  partitionKey: undefined,
  durability: undefined,
  meta: Object.freeze({}),
});

const KEY_RULE = { fits: (key: string) => key.length >= 1 && key.length <= 512, says: '1 to 512 characters' };
const WINDOW = { min: 1000, max: 90 * DAY };

/** Options of a call. @throws ConfigurationError naming the field and its bound */
export function resolveEnqueueOptions(
  type: string,
  options: EnqueueOptions | undefined,
): ResolvedEnqueueOptions {
  if (options === undefined || Object.keys(options).length === 0) return NO_OPTIONS;
  const o = resolveOptions<CheckedEnqueueOptions>(`enqueue "${type}"`, options, ENQUEUE_FIELDS);
  if (o.delay !== undefined && o.runAt !== undefined) {
    throw new ConfigurationError(`enqueue "${type}"`, ['delay and runAt exclude each other: give one']);
  }
  const meta: TaskMeta = {
    ...(o.headers && Object.keys(o.headers).length > 0 && { headers: { ...o.headers } }),
    ...(o.maxAttempts !== undefined && { maxAttempts: o.maxAttempts }),
    ...(o.timeout !== undefined && { timeoutMs: o.timeout }),
    ...(o.backoff !== undefined && { backoff: o.backoff }),
  };
  return {
    id: o.id,
    due: dueOf(o.delay, o.runAt),
    priority: o.priority,
    idempotencyKey: o.idempotencyKey,
    idempotencyWindowMs: o.idempotencyWindow,
    deduplicate: o.deduplicate,
    deduplicateForMs: o.deduplicateFor,
    partitionKey: o.partitionKey,
    durability: o.durability,
    meta,
  };
}

interface CheckedEnqueueOptions {
  readonly id: string | undefined;
  readonly delay: number | undefined;
  readonly runAt: number | Date | undefined;
  readonly priority: Lane | undefined;
  readonly idempotencyKey: string | undefined;
  readonly idempotencyWindow: number;
  readonly deduplicate: string | true | undefined;
  readonly deduplicateFor: number;
  readonly partitionKey: string | undefined;
  readonly headers: Readonly<Record<string, string>> | undefined;
  readonly maxAttempts: number | undefined;
  readonly timeout: number | undefined;
  readonly backoff: ResolvedBackoff | undefined;
  readonly durability: Durability | undefined;
}

const ENQUEUE_FIELDS = {
  id: text({ fits: isName, says: NAME_RULE }, undefined),
  delay: optional(duration({ min: 0, max: 365 * DAY }, 0)),
  runAt: passed<number | Date>('a Date or whole milliseconds since 1970', (value) => {
    const at = value instanceof Date ? value.getTime() : value;
    return Number.isSafeInteger(at) && (at as number) >= 0;
  }),
  priority: passed<Lane>(`one of ${LANES.join(', ')}`, isLane),
  idempotencyKey: text(KEY_RULE, undefined),
  idempotencyWindow: duration(WINDOW, DAY),
  deduplicate: passed<string | true>(
    'true or 1 to 512 characters',
    (value) => value === true || (typeof value === 'string' && KEY_RULE.fits(value)),
  ),
  deduplicateFor: duration(WINDOW, DAY),
  partitionKey: text(KEY_RULE, undefined),
  headers: passed<Readonly<Record<string, string>>>(
    'at most 64 strings by name and 8 KiB in all',
    areHeaders,
  ),
  maxAttempts: optional(integer(ATTEMPTS, TASK_DEFAULTS.maxAttempts)),
  timeout: optional(duration(TIMEOUT, TASK_DEFAULTS.timeoutMs)),
  backoff: optional(backoffField(TASK_DEFAULTS.backoff)),
  durability: optional(durabilityField(TASK_DEFAULTS.durability)),
} as const;

/** What applies to one delivery: what travelled with it over what its handler says. */
export function effectiveOptions(handler: ResolvedTaskOptions, meta: TaskMeta): ResolvedTaskOptions {
  if (meta.maxAttempts === undefined && meta.timeoutMs === undefined && meta.backoff === undefined)
    return handler;
  return {
    maxAttempts: Math.min(meta.maxAttempts ?? handler.maxAttempts, ATTEMPTS.max),
    timeoutMs: Math.min(meta.timeoutMs ?? handler.timeoutMs, TIMEOUT.max),
    backoff: meta.backoff ?? handler.backoff,
    retryDelay: meta.backoff ? undefined : handler.retryDelay,
    durability: handler.durability,
  };
}

function backoffField(defaults: ResolvedBackoff) {
  const written = group<{ base: number; factor: number; max: number }>({
    base: duration({ min: 0, max: DAY }, defaults.baseMs),
    factor: decimal({ min: 1, max: 10 }, defaults.factor),
    max: duration({ min: 0, max: 7 * DAY }, defaults.maxMs),
  });
  return (value: unknown, path: string, problems: string[]): ResolvedBackoff => {
    const { base, factor, max } = written(value, path, problems);
    return { baseMs: base, factor, maxMs: max };
  };
}

function durabilityField(fallback: Durability) {
  const known = passed<Durability>(DURABILITY_RULE, isDurability);
  return (value: unknown, path: string, problems: string[]): Durability =>
    known(value, path, problems) ?? fallback;
}

function dueOf(delay: number | undefined, runAt: number | Date | undefined): ResolvedEnqueueOptions['due'] {
  if (runAt !== undefined) return { at: runAt instanceof Date ? runAt.getTime() : runAt };
  return delay ? { afterMs: delay } : undefined;
}

function areHeaders(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const entries = Object.entries(value);
  if (entries.length > 64 || Object.hasOwn(value, '__proto__')) return false;
  let size = 0;
  for (const [name, header] of entries) {
    if (typeof header !== 'string') return false;
    size += Buffer.byteLength(name) + Buffer.byteLength(header);
  }
  return size <= 8192;
}
