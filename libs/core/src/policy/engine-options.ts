import type { Duration } from '../contract/duration.js';
import { ConfigurationError } from '../contract/errors.js';
import { isName, NAME_RULE } from '../contract/names.js';
import { partitionNames } from '../contract/partition-names.js';
import type { TaskOptions } from '../contract/task-contract.js';
import { duration, group, integer, oneOf, type OptionField, resolveOptions, text } from './option-check.js';
import { redisField, type RedisOptions, type ResolvedRedisOptions } from './redis-options.js';
import { type ResolvedTaskOptions, TASK_DEFAULTS, taskDefaultsField } from './task-options.js';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** Options of a queue, and defaults of all queues. */
export interface QueueDefaults {
  /** Handlers that run at once in this process, 1 to 10000. @default 10 */
  concurrency?: number;
  /**
   * Tasks that this process may hold beyond those that run, while handlers are so short that a few milliseconds are
   * enough for them; 0 to 1000, and 0 holds none. @default 200
   */
  prefetch?: number;
  /** Ready tasks at which enqueueing meets `whenFull`, 1 to 100 million. @default 1000000 */
  maxReady?: number;
  /** What `enqueue` does on a full queue: reject with QueueFullError, or wait up to `waitTimeout`. @default 'reject' */
  whenFull?: 'reject' | 'wait';
  /** Longest wait for room, 1 ms to 1 h. @default '30s' */
  waitTimeout?: Duration;
}

/** Options of one queue. */
export interface QueueOptions extends QueueDefaults {
  /**
   * Parts that the queue is kept in, 1 to 64, so that several servers of a Redis Cluster share its work. Every process
   * must say the same; another number is refused while there are tasks. `concurrency`, `prefetch` and `maxReady` are
   * divided among them. @default 1
   */
  partitions?: number;
}

/** Options of the worker. */
export interface WorkerOptions {
  /** Prefix of the consumer's name, which ends in a random part. @default host and process id */
  name?: string;
  /** How long a silent consumer keeps its tasks, 1 s to 1 h. @default '15s' */
  lease?: Duration;
  /** How often leases are renewed; below half the lease. @default a third of the lease */
  heartbeat?: Duration;
  /**
   * Renews leases from a thread of its own while the event loop is held up, so that a task that computes for long is
   * not run twice; each no longer than its timeout and `abortGrace`. @default true
   */
  heartbeatThread?: boolean;
  /** How long shutdown waits for running handlers before it aborts them, 0 to 1 h. @default '25s' */
  drainTimeout?: Duration;
  /** How long an aborted handler has to end before it is declared stuck, 0 to 10 min. @default '5s' */
  abortGrace?: Duration;
  /**
   * What becomes of a handler when Redis was out of reach for so long (nine tenths of the lease) that another worker may
   * take its task over: it goes on, or its signal is aborted with LeaseUnprovenError and the task is handed back. Either
   * way `task.unproven` is emitted. @default 'continue'
   */
  whenUnproven?: 'continue' | 'abort';
  /** Deliveries without any outcome after which a task is dead-lettered as `crash-loop`, 2 to 100. @default 5 */
  maxDeliveries?: number;
  /** When a task whose type has no handler here is offered again, 100 ms to 1 h. @default '5s' */
  noHandlerDelay?: Duration;
  /** For how long it is offered again before it is dead-lettered as `no-handler`, 0 to 90 days. @default '24h' */
  noHandlerTimeout?: Duration;
  /** How long one blocking read waits, 100 ms to 30 s. @default '2s' */
  block?: Duration;
}

/** Options of the producer. */
export interface ProducerOptions {
  /** How long `enqueue` keeps asking while Redis does not answer, 100 ms to 5 min. @default '10s' */
  timeout?: Duration;
  /**
   * For how long accepted tasks are kept in this process, to be offered again when Redis comes back without them
   * (a crash, a failover): 0 (never) to 5 min. @default '5s'
   */
  reofferWindow?: Duration;
  /** Memory for them, per queue, in bytes: the oldest are let go beyond it. 0 to 1 GiB. @default 33554432 (32 MiB) */
  reofferBytes?: number;
  /**
   * Bytes of tasks that may wait in this process to be sent, over all queues; beyond it `enqueue` rejects with
   * BacklogFullError. 1 MiB to 16 GiB. @default 67108864 (64 MiB)
   */
  waitingBytes?: number;
}

/** Bounds of what is stored. */
export interface LimitOptions {
  /** Bytes of a payload's JSON, 1 to 16 MiB. @default 262144 (256 KiB) */
  payloadBytes?: number;
  /** Nesting of a payload, 1 to 1000. @default 64 */
  payloadDepth?: number;
  /** Dead letters kept per queue; the oldest are deleted beyond it. 1 to 100 million. @default 100000 */
  deadLetters?: number;
  /** How long dead letters are kept, 1 min to 10 years. @default '30d' */
  deadLetterAge?: Duration;
  /**
   * How long a consumer that holds nothing may be silent before it is removed, 10 s to 30 days. One that comes back is
   * made again. @default '2m'
   */
  consumerAge?: Duration;
}

/** Options of an engine: a producer, a worker and an inspector over one Redis. Every member may be left out. */
export interface EngineOptions {
  redis?: RedisOptions;
  /** First part of every key. @default 'taskq' */
  prefix?: string;
  /** Defaults of every task. */
  tasks?: TaskOptions;
  /** Defaults of every queue. */
  queueDefaults?: QueueDefaults;
  /** Options by queue name. */
  queues?: Readonly<Record<string, QueueOptions>>;
  worker?: WorkerOptions;
  producer?: ProducerOptions;
  limits?: LimitOptions;
}

export interface ResolvedProducerOptions {
  readonly timeoutMs: number;
  readonly reofferWindowMs: number;
  readonly reofferBytes: number;
  readonly waitingBytes: number;
}

export interface ResolvedQueueOptions {
  readonly partitions: number;
  readonly concurrency: number;
  readonly prefetch: number;
  readonly maxReady: number;
  readonly whenFull: 'reject' | 'wait';
  readonly waitTimeoutMs: number;
}

export interface ResolvedWorkerOptions {
  readonly name: string | undefined;
  readonly leaseMs: number;
  readonly heartbeatMs: number;
  readonly heartbeatThread: boolean;
  readonly drainTimeoutMs: number;
  readonly abortGraceMs: number;
  readonly whenUnproven: 'continue' | 'abort';
  readonly maxDeliveries: number;
  readonly noHandlerDelayMs: number;
  readonly noHandlerTimeoutMs: number;
  readonly blockMs: number;
}

export interface ResolvedLimits {
  readonly payloadBytes: number;
  readonly payloadDepth: number;
  readonly deadLetters: number;
  readonly deadLetterAgeMs: number;
  readonly consumerAgeMs: number;
}

/** Options with every default filled in and every unit plain. */
export interface ResolvedEngineOptions {
  readonly redis: ResolvedRedisOptions;
  readonly prefix: string;
  readonly tasks: ResolvedTaskOptions;
  readonly queueDefaults: ResolvedQueueOptions;
  readonly queues: Readonly<Record<string, ResolvedQueueOptions>>;
  readonly worker: ResolvedWorkerOptions;
  readonly producer: ResolvedProducerOptions;
  readonly limits: ResolvedLimits;
}

/**
 * Resolves the options of an engine, once.
 * @throws ConfigurationError with a line for every wrong or unknown option
 */
export function resolveEngineOptions(options: EngineOptions = {}): ResolvedEngineOptions {
  const resolved = resolveOptions<ResolvedEngineOptions>('taskq options', options, {
    redis: redisField,
    prefix: text({ fits: isName, says: NAME_RULE }, 'taskq'),
    tasks: (value, path, problems) => {
      const { timeout, ...rest } = taskDefaultsField(value, path, problems);
      return { ...TASK_DEFAULTS, ...rest, timeoutMs: timeout };
    },
    queueDefaults: queueDefaultsField,
    queues: queuesField(options.queueDefaults),
    worker: workerField,
    producer: producerField,
    limits: limitsField,
  });
  const { heartbeatMs, leaseMs } = resolved.worker;
  if (heartbeatMs * 2 >= leaseMs) {
    throw new ConfigurationError('taskq options', [
      `worker.heartbeat (${heartbeatMs} ms) must be below half of worker.lease (${leaseMs} ms)`,
    ]);
  }
  return resolved;
}

/** Options of a queue: its own, else the defaults. */
export function queueOptions(options: ResolvedEngineOptions, queue: string): ResolvedQueueOptions {
  // Names such as "constructor" are fair names, and every object knows them.
  return (Object.hasOwn(options.queues, queue) && options.queues[queue]) || options.queueDefaults;
}

/**
 * Options of one more queue, over the engine's defaults.
 * @throws ConfigurationError naming every wrong option
 */
export function resolveQueueOptions(
  name: string,
  options: QueueOptions,
  { queueDefaults: defaults, queues: others }: Pick<ResolvedEngineOptions, 'queueDefaults' | 'queues'>,
): ResolvedQueueOptions {
  const problems: string[] = [];
  if (!isName(name)) problems.push(`queue name ${JSON.stringify(name)} must be ${NAME_RULE}`);
  const resolved = queueField(defaults)(options, `queues.${name}`, problems);
  problems.push(...partitionProblems({ ...others, [name]: resolved }, name, `queues.${name}`));
  if (problems.length > 0) throw new ConfigurationError('taskq options', problems);
  return resolved;
}

const QUEUE_DEFAULTS: ResolvedQueueOptions = {
  partitions: 1,
  concurrency: 10,
  prefetch: 200,
  maxReady: 1_000_000,
  whenFull: 'reject',
  waitTimeoutMs: 30 * SECOND,
};

const PARTITIONS = { min: 1, max: 64 };

/** What is written of a queue, and of the defaults of all. */
type WrittenQueue = Omit<ResolvedQueueOptions, 'waitTimeoutMs' | 'partitions'> & { waitTimeout: number };

function defaultFields(defaults: ResolvedQueueOptions) {
  return {
    concurrency: integer({ min: 1, max: 10_000 }, defaults.concurrency),
    prefetch: integer({ min: 0, max: 1000 }, defaults.prefetch),
    maxReady: integer({ min: 1, max: 100_000_000 }, defaults.maxReady),
    whenFull: oneOf(['reject', 'wait'], defaults.whenFull),
    waitTimeout: duration({ min: 1, max: HOUR }, defaults.waitTimeoutMs),
  };
}

const queueDefaultsField: OptionField<ResolvedQueueOptions> = (value, path, problems) => {
  const { waitTimeout, ...rest } = group<WrittenQueue>(defaultFields(QUEUE_DEFAULTS))(value, path, problems);
  return { ...rest, partitions: 1, waitTimeoutMs: waitTimeout };
};

function queueField(defaults: ResolvedQueueOptions): OptionField<ResolvedQueueOptions> {
  const written = group<WrittenQueue & { partitions: number }>({
    ...defaultFields(defaults),
    partitions: integer(PARTITIONS, 1),
  });
  return (value, path, problems) => {
    const { waitTimeout, ...rest } = written(value, path, problems);
    if (rest.concurrency < rest.partitions)
      problems.push(
        `${path}.concurrency (${rest.concurrency}) must be at least its partitions (${rest.partitions}): each has slots of its own`,
      );
    return { ...rest, waitTimeoutMs: waitTimeout };
  };
}

function queuesField(defaults: unknown): OptionField<Readonly<Record<string, ResolvedQueueOptions>>> {
  return (value, path, problems) => {
    if (value === undefined) return {};
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      problems.push(`${path} must be an object of queue names`);
      return {};
    }
    // Problems of the defaults are reported where they are written, not again for every queue.
    const field = queueField(queueDefaultsField(defaults, '', []));
    const queues = Object.fromEntries(
      Object.entries(value).map(([name, queue]) => {
        if (!isName(name)) problems.push(`${path}: queue name ${JSON.stringify(name)} must be ${NAME_RULE}`);
        return [name, field(queue, `${path}.${name}`, problems)];
      }),
    );
    for (const name of Object.keys(queues))
      problems.push(...partitionProblems(queues, name, `${path}.${name}`));
    return queues;
  };
}

/** Names of partitions are names of queues to the broker: they must be fair, and nobody else's. */
function partitionProblems(
  queues: Readonly<Record<string, ResolvedQueueOptions>>,
  queue: string,
  path: string,
): string[] {
  const { partitions } = queues[queue]!;
  if (partitions === 1) return [];
  const names = partitionNames(queue, partitions);
  const taken = names.filter((name) => Object.hasOwn(queues, name));
  return [
    ...(names.every(isName) ? [] : [`${path}: a queue with ${partitions} partitions has a shorter name`]),
    ...taken.map((name) => `${path}: queue "${name}" has the name of one of its partitions`),
  ];
}

const workerField: OptionField<ResolvedWorkerOptions> = (value, path, problems) => {
  const written = group<{
    name: string | undefined;
    lease: number;
    heartbeat: number;
    heartbeatThread: boolean;
    drainTimeout: number;
    abortGrace: number;
    whenUnproven: 'continue' | 'abort';
    maxDeliveries: number;
    noHandlerDelay: number;
    noHandlerTimeout: number;
    block: number;
  }>({
    name: text(
      {
        fits: (name) => isName(name) && name.length <= 48,
        says: `a name of at most 48 characters (${NAME_RULE})`,
      },
      undefined,
    ),
    lease: duration({ min: SECOND, max: HOUR }, 15 * SECOND),
    heartbeat: duration({ min: 50, max: HOUR }, 0),
    heartbeatThread: oneOf([true, false], true),
    drainTimeout: duration({ min: 0, max: HOUR }, 25 * SECOND),
    abortGrace: duration({ min: 0, max: 10 * MINUTE }, 5 * SECOND),
    whenUnproven: oneOf(['continue', 'abort'], 'continue'),
    maxDeliveries: integer({ min: 2, max: 100 }, 5),
    noHandlerDelay: duration({ min: 100, max: HOUR }, 5 * SECOND),
    noHandlerTimeout: duration({ min: 0, max: 90 * DAY }, DAY),
    block: duration({ min: 100, max: 30 * SECOND }, 2 * SECOND),
  })(value, path, problems);
  return {
    name: written.name,
    leaseMs: written.lease,
    heartbeatMs: written.heartbeat || Math.floor(written.lease / 3),
    heartbeatThread: written.heartbeatThread,
    drainTimeoutMs: written.drainTimeout,
    abortGraceMs: written.abortGrace,
    whenUnproven: written.whenUnproven,
    maxDeliveries: written.maxDeliveries,
    noHandlerDelayMs: written.noHandlerDelay,
    noHandlerTimeoutMs: written.noHandlerTimeout,
    blockMs: written.block,
  };
};

const producerField: OptionField<ResolvedProducerOptions> = (value, path, problems) => {
  const { timeout, reofferWindow, ...bytes } = group<{
    timeout: number;
    reofferWindow: number;
    reofferBytes: number;
    waitingBytes: number;
  }>({
    timeout: duration({ min: 100, max: 5 * MINUTE }, 10 * SECOND),
    reofferWindow: duration({ min: 0, max: 5 * MINUTE }, 5 * SECOND),
    reofferBytes: integer({ min: 0, max: 1024 ** 3 }, 32 * 1024 * 1024),
    waitingBytes: integer({ min: 1024 ** 2, max: 16 * 1024 ** 3 }, 64 * 1024 * 1024),
  })(value, path, problems);
  return { timeoutMs: timeout, reofferWindowMs: reofferWindow, ...bytes };
};

const limitsField: OptionField<ResolvedLimits> = (value, path, problems) => {
  const written = group<{
    payloadBytes: number;
    payloadDepth: number;
    deadLetters: number;
    deadLetterAge: number;
    consumerAge: number;
  }>({
    payloadBytes: integer({ min: 1, max: 16 * 1024 * 1024 }, 256 * 1024),
    payloadDepth: integer({ min: 1, max: 1000 }, 64),
    deadLetters: integer({ min: 1, max: 100_000_000 }, 100_000),
    deadLetterAge: duration({ min: MINUTE, max: 3650 * DAY }, 30 * DAY),
    consumerAge: duration({ min: 10 * SECOND, max: 30 * DAY }, 2 * MINUTE),
  })(value, path, problems);
  const { deadLetterAge, consumerAge, ...rest } = written;
  return { ...rest, deadLetterAgeMs: deadLetterAge, consumerAgeMs: consumerAge };
};
