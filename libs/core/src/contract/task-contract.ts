import type { Durability } from './durability.js';
import type { Duration } from './duration.js';
import { ConfigurationError } from './errors.js';
import type { Lane } from './lane.js';
import { isName, NAME_RULE } from './names.js';
import {
  isStandardSchema,
  type PayloadClass,
  type PayloadSchema,
  type StandardSchema,
} from './payload-schema.js';
import { idleUpgrade, isVersion, VERSION_RULE } from './payload-version.js';

/**
 * Payload types of task types used by name: declare them by merging, and `producer.enqueue('email.send', …)` and
 * `@TaskHandler('email.send')` are checked. A type that is not listed has the payload `unknown`.
 *
 * ```ts
 * declare module '@taskq/core' {
 *   interface TaskTypes { 'email.send': { to: string } }
 * }
 * ```
 */
export interface TaskTypes {}

/** Exponential backoff with full jitter: the delay before attempt n+1 is uniform in [0, min(max, base·factorⁿ⁻¹)]. */
export interface Backoff {
  /** Upper bound of the first delay. @default '1s' */
  base?: Duration;
  /** Growth per attempt, 1 to 10. @default 2 */
  factor?: number;
  /** Upper bound of every delay. @default '1h' */
  max?: Duration;
}

/** What a custom retry delay is told. */
export interface RetryInfo {
  /** The attempt that failed, from 1. */
  readonly attempt: number;
  readonly error: unknown;
}

/** Options of a task that may be set on the engine, on a contract or handler, and at the call; later ones win. */
export interface TaskOptions {
  /** Starts allowed, the first included: 1 to 1000. @default 5 */
  maxAttempts?: number;
  /** Longest run of one attempt, 1 ms to 7 days; then `context.signal` is aborted. @default '5m' */
  timeout?: Duration;
  /** Delays between attempts. */
  backoff?: Backoff;
  /** How far the task must have got before `enqueue` answers. @default 'accepted' */
  durability?: Durability;
}

/** Options that a contract or a handler may set beside {@link TaskOptions}. */
export interface ContractOptions extends TaskOptions {
  /** Queue of the tasks. @default 'default' */
  queue?: string;
  /** Lane of the tasks unless the call says otherwise. @default 'normal' */
  priority?: Lane;
  /** Delay before the next attempt; replaces `backoff`. Throwing falls back to `backoff`. */
  retryDelay?: (info: RetryInfo) => Duration;
  /**
   * Version of the payload, 1 to 1000: raise it with a change that older handlers would misread. It travels with the
   * task, and a handler of a lower version leaves the task to others, as if it had no handler. @default 1
   */
  version?: number;
  /**
   * Makes a payload of an older version, `from`, one of today's, before the schema checks it; may answer later. A
   * throw or a rejection counts as a payload that the schema refuses. @default the payload as it was stored
   */
  upgrade?: (payload: unknown, from: number) => unknown;
}

/**
 * The definition of a task type: its name, its payload and its options. A plain value shared by producers and
 * workers; nothing registers itself.
 */
export interface TaskContract<
  Type extends string = string,
  Input = unknown,
  Output = unknown,
> extends ContractOptions {
  readonly type: Type;
  readonly queue: string;
  readonly payload: PayloadSchema | undefined;
  /** Never present at run time; carries the types. */
  readonly '~types'?: { readonly input: Input; readonly output: Output };
}

/** Any contract, whatever its payload. */
export type AnyContract = TaskContract<string, never, unknown> | TaskContract<string, unknown, unknown>;

/** The payload a handler is given: what the schema makes of it. */
export type Payload<C> = C extends {
  readonly '~types'?: { readonly input: infer _I; readonly output: infer O };
}
  ? O
  : C extends keyof TaskTypes
    ? TaskTypes[C]
    : unknown;

/** The payload a producer gives: what the schema accepts. */
export type PayloadInput<C> = C extends {
  readonly '~types'?: { readonly input: infer I; readonly output: infer _O };
}
  ? I
  : C extends keyof TaskTypes
    ? TaskTypes[C]
    : unknown;

/** The data of a payload class: its properties without its methods. */
export type DataOf<T> = { [K in keyof T as T[K] extends (...args: never[]) => unknown ? never : K]: T[K] };

type InputOf<S> =
  S extends StandardSchema<infer I, unknown> ? I : S extends PayloadClass<infer T> ? DataOf<T> : unknown;
type OutputOf<S> =
  S extends StandardSchema<infer _I, infer O> ? O : S extends PayloadClass<infer T> ? T : unknown;

/** What {@link defineTask} takes: the type, what its payload is, and its options. */
export interface TaskDefinition<
  Type extends string,
  Schema extends StandardSchema<unknown, unknown> | PayloadClass | undefined,
> extends ContractOptions {
  /** Name of the task type: 1 to 64 characters of `A-Z a-z 0-9 _ . -`. It is stored, so renaming it is a migration. */
  type: Type;
  /** A class-validator DTO class or any Standard Schema. Without it, any JSON is accepted and handlers get `unknown`. */
  payload?: Schema;
  upgrade?: (payload: unknown, from: number) => InputOf<Schema> | Promise<InputOf<Schema>>;
}

/**
 * Defines a task type. The contract is a frozen value; its bounds are checked again with the engine's when used.
 *
 * ```ts
 * export const sendEmail = defineTask({ type: 'email.send', payload: SendEmailDto, maxAttempts: 5 });
 * ```
 * @throws ConfigurationError when type or queue is no name, `payload` neither a class nor a Standard Schema, `version`
 *   out of its bounds, or `upgrade` no function or never to be called
 */
export function defineTask<
  const Type extends string,
  Schema extends StandardSchema<unknown, unknown> | PayloadClass | undefined = undefined,
>(definition: TaskDefinition<Type, Schema>): TaskContract<Type, InputOf<Schema>, OutputOf<Schema>> {
  const { type, queue = 'default', payload, version, upgrade } = definition;
  const problems: string[] = [];
  if (!isName(type)) problems.push(`type ${JSON.stringify(type)} must be ${NAME_RULE}`);
  if (!isName(queue)) problems.push(`queue ${JSON.stringify(queue)} must be ${NAME_RULE}`);
  if (payload !== undefined && typeof payload !== 'function' && !isStandardSchema(payload)) {
    problems.push('payload must be a DTO class or a Standard Schema (zod, valibot, arktype …)');
  }
  if (version !== undefined && !isVersion(version)) problems.push(`version must be ${VERSION_RULE}`);
  if (upgrade !== undefined && typeof upgrade !== 'function') problems.push('upgrade must be a function');
  const idle = idleUpgrade(definition);
  if (idle) problems.push(idle);
  if (problems.length > 0) throw new ConfigurationError(`task ${JSON.stringify(type)}`, problems);
  return Object.freeze({ ...definition, type, queue, payload });
}
