import { randomBytes } from 'node:crypto';
import type { Broker, EnqueueAnswer, NewTask } from '../broker/broker.js';
import { prepareQueue } from '../broker/prepare-queue.js';
import {
  BrokerError,
  ConfigurationError,
  EnqueueManyError,
  EnqueueOutcomeUnknownError,
  InvalidPayloadError,
  LifecycleError,
  QueueFullError,
  TaskqError,
} from '../contract/errors.js';
import { isName, NAME_RULE } from '../contract/names.js';
import type { Durability } from '../contract/durability.js';
import { encodePayload } from '../contract/payload-json.js';
import { PayloadParsers } from '../contract/payload-parsers.js';
import type { ParsedPayload } from '../contract/payload-schema.js';
import { FIRST_VERSION, isVersion, VERSION_RULE } from '../contract/payload-version.js';
import type { AnyContract, PayloadInput, TaskContract } from '../contract/task-contract.js';
import { queueOptions, type ResolvedEngineOptions } from '../policy/engine-options.js';
import { Partitions } from '../policy/partitions.js';
import {
  type EnqueueOptions,
  resolveContractOptions,
  type ResolvedEnqueueOptions,
  resolveEnqueueOptions,
} from '../policy/task-options.js';
import { type Clock, sleep } from '../runtime/clock.js';
import { LossAnnouncer } from '../telemetry/loss-announcer.js';
import type { TaskEvents } from '../telemetry/task-events.js';
import type { TaskOutcome } from './enqueue-channel.js';
import { Committers } from './committers.js';
import { newTask } from './new-task.js';
import { Placement } from './placement.js';

/** The answer to an enqueue: `id` is the task that will run, which for a duplicate or conflict is the first one. */
export interface EnqueueResult {
  readonly id: string;
  /**
   * `accepted`: written. `duplicate`: an equal task was there already. `conflict`: a task with the same idempotency
   * key but another payload, or another version of it, was there already; nothing was written.
   */
  readonly status: 'accepted' | 'duplicate' | 'conflict';
  /** The durability that was asked for, and reached, for the task that `id` names. */
  readonly durability: Durability;
}

/** What a contract would say of a task type that is enqueued by name. */
export interface NamedTarget {
  /** @default 'default' */
  queue?: string;
  /** Version of the payload, 1 to 1000. @default 1 */
  version?: number;
}

/** What a call may say beside {@link EnqueueOptions}. */
export interface CallOptions extends EnqueueOptions {
  /** Ends the wait for room in a full queue (`whenFull: 'wait'`). */
  signal?: AbortSignal;
}

/** One task of {@link TaskProducer.enqueueMany}. */
export interface ManyItem<P> {
  readonly payload: P;
  readonly options?: CallOptions;
}

/** What a producer needs of its surroundings. */
export interface ProducerParts {
  readonly broker: Broker;
  readonly options: ResolvedEngineOptions;
  /** @default as the options say */
  readonly partitions?: Partitions;
  readonly events: TaskEvents;
  /** Announces what was lost. @default one of its own */
  readonly losses?: LossAnnouncer;
  readonly clock: Clock;
  readonly parsers?: PayloadParsers;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** @default `randomBytes` of node:crypto */
  readonly randomBytes?: (size: number) => Buffer;
}

/** First and longest pause between two looks at a full queue. */
const FULL_PAUSE_MS = { first: 50, longest: 2000 };

/**
 * Enqueues tasks. One instance serves any number of callers: calls of one turn of the event loop travel together,
 * and a lone call waits for nothing but its own round trip.
 */
export class TaskProducer {
  private readonly partitions: Partitions;
  private readonly placement: Placement;
  private readonly committers: Committers;
  private readonly ensured = new Map<string, Promise<boolean>>();
  private readonly fullFor = new Map<string, number>();
  private readonly targets = new WeakMap<AnyContract, Target>();
  private readonly parsers: PayloadParsers;
  private underWay = 0;
  private whenIdle: (() => void) | undefined;
  private closed = false;

  constructor(private readonly parts: ProducerParts) {
    this.parsers = parts.parsers ?? new PayloadParsers();
    this.partitions = parts.partitions ?? new Partitions(parts.options);
    // Seventy-two random bits that name this producer in the ids it gives.
    const id = (parts.randomBytes ?? randomBytes)(9).toString('base64url');
    this.placement = new Placement(id, this.partitions);
    const losses = parts.losses ?? new LossAnnouncer(parts.events, parts.clock);
    this.committers = new Committers(id, {
      ...parts,
      partitions: this.partitions,
      losses,
      ensure: (partition) => this.ensureAnew(this.partitions.queueOf(partition)),
    });
  }

  /**
   * Enqueues one task, and resolves when Redis has it.
   *
   * @param contract a contract of `defineTask`, or the name of a task type
   * @param payload checked against the contract's schema; what is stored is the input, as JSON
   * @throws InvalidPayloadError nothing was written; `issues` names the paths
   * @throws ConfigurationError an option is wrong; nothing was written
   * @throws QueueFullError the queue holds `maxReady` ready tasks (after waiting, when `whenFull` is 'wait')
   * @throws BacklogFullError too much waits here to be sent (`producer.waitingBytes`); nothing was written
   * @throws EnqueueOutcomeUnknownError Redis did not answer, or the durability was not reached, in time; enqueue
   *   again with the error's `id`
   * @throws DurabilityUnavailableError this Redis cannot give the durability; nothing was written
   * @throws BrokerError Redis refused, or did not take it in time; nothing was written
   * @throws LifecycleError the producer is closed
   */
  enqueue<Input>(
    contract: TaskContract<string, Input, unknown>,
    payload: NoInfer<Input>,
    options?: CallOptions,
  ): Promise<EnqueueResult>;
  enqueue<Type extends string>(
    type: Type,
    payload?: PayloadInput<Type>,
    options?: CallOptions & NamedTarget,
  ): Promise<EnqueueResult>;
  async enqueue(
    target: AnyContract | string,
    payload?: unknown,
    options?: CallOptions & NamedTarget,
  ): Promise<EnqueueResult> {
    if (this.closed) throw new LifecycleError('the producer is closed');
    this.underWay += 1;
    try {
      const { queue, partition, durability, task, checked } = this.prepare(target, payload, options);
      // Most payloads are checked at once; a promise is only waited for where a schema made one.
      if (checked instanceof Promise) await checked;
      const ensured = this.ensure(queue);
      if (ensured !== undefined) await ensured;
      let answer = await this.send(partition, durability, task);
      if (answer instanceof Error) throw this.refusal(partition, task, answer);
      if (answer.status === 'full')
        answer = await this.whenThereIsRoom(partition, durability, task, options?.signal);
      else if (this.fullFor.size > 0) this.fullFor.delete(partition);
      if (task.ownId) this.committers.accepted(partition, task.id);
      const { status } = answer;
      const id = 'id' in answer ? answer.id : task.id;
      const { events } = this.parts;
      if (events.heard('task.enqueued')) events.emit('task.enqueued', { queue, type: task.type, id, status });
      return { id, status, durability };
    } finally {
      this.underWay -= 1;
      if (this.underWay === 0) this.whenIdle?.();
    }
  }

  /**
   * Enqueues many tasks of one type, in groups, and resolves when Redis has them all. The answers are in order.
   * @throws EnqueueManyError when any of them failed; `outcomes` has a result or an error for each
   */
  enqueueMany<Input>(
    contract: TaskContract<string, Input, unknown>,
    items: readonly ManyItem<NoInfer<Input>>[],
  ): Promise<readonly EnqueueResult[]>;
  enqueueMany<Type extends string>(
    type: Type,
    items: readonly (ManyItem<PayloadInput<Type>> & { readonly options?: CallOptions & NamedTarget })[],
  ): Promise<readonly EnqueueResult[]>;
  async enqueueMany(
    target: AnyContract | string,
    items: readonly { readonly payload?: unknown; readonly options?: CallOptions & NamedTarget }[],
  ): Promise<readonly EnqueueResult[]> {
    const outcomes = await Promise.all(
      items.map((item) =>
        this.enqueue(target as string, item.payload as never, item.options).catch((error: unknown) =>
          asTaskqError(error),
        ),
      ),
    );
    const results = outcomes.filter((outcome): outcome is EnqueueResult => !(outcome instanceof Error));
    if (results.length < outcomes.length) throw new EnqueueManyError(outcomes);
    return results;
  }

  /** Refuses further calls and resolves when those under way are answered. */
  async close(): Promise<void> {
    this.closed = true;
    await this.committers.close();
    if (this.underWay > 0) await new Promise<void>((resolve) => (this.whenIdle = resolve));
  }

  private prepare(
    target: AnyContract | string,
    payload: unknown,
    options: (CallOptions & NamedTarget) | undefined,
  ): Prepared {
    const contract = typeof target === 'string' ? undefined : target;
    const type = typeof target === 'string' ? target : target.type;
    if (!isName(type)) {
      throw new ConfigurationError('enqueue', [`type ${JSON.stringify(type)} must be ${NAME_RULE}`]);
    }
    const { queue, priority, durability, version } = contract
      ? this.targetOf(contract, options)
      : this.namedTarget(type, options);
    const json = this.encode(type, payload);
    const checked = this.check(type, contract, payload);
    const call = resolveCall(type, options);
    let partition = queue;
    const task = newTask({ type, version, payload, json, priority, call }, (uniqueKeys) => {
      const { id, partitionKey } = call;
      const place = this.placement.place(queue, type, { id, partitionKey, uniqueKeys });
      ({ partition } = place);
      return place.id;
    });
    return { queue, partition, durability: call.durability ?? durability, task, checked };
  }

  private encode(type: string, payload: unknown): string {
    const { payloadBytes: maxBytes, payloadDepth: maxDepth } = this.parts.options.limits;
    const encoded = encodePayload(payload === undefined ? null : payload, { maxBytes, maxDepth });
    if (!encoded.ok) throw new InvalidPayloadError(type, [encoded.issue]);
    return encoded.value;
  }

  /** Holds the payload against the contract's schema. The input is what is stored, so handling parses it anew. */
  private check(type: string, contract: AnyContract | undefined, payload: unknown): void | Promise<void> {
    const answer = this.parsers.of(contract?.payload)?.(payload);
    if (answer === undefined) return;
    const demand = (parsed: ParsedPayload): void => {
      if (!parsed.ok) throw new InvalidPayloadError(type, parsed.issues);
    };
    return answer instanceof Promise ? answer.then(demand) : demand(answer);
  }

  private send(partition: string, durability: Durability, task: NewTask): Promise<TaskOutcome> {
    return new Promise((settle) => this.committers.of(partition, durability).add({ task, settle }));
  }

  /** The queue was full: gives up, or tries again until there is room, by the queue's policy. */
  private async whenThereIsRoom(
    partition: string,
    durability: Durability,
    task: NewTask,
    signal: AbortSignal | undefined,
  ): Promise<Exclude<EnqueueAnswer, { status: 'full' }>> {
    const queue = this.partitions.queueOf(partition);
    const { maxReady, whenFull, waitTimeoutMs } = queueOptions(this.parts.options, queue);
    const full = (): TaskqError =>
      this.refusal(partition, task, new QueueFullError(queue, maxReady, this.fullPause(partition)));
    if (whenFull === 'reject') throw full();
    const { clock, random } = this.parts;
    const deadline = clock.monotonicMs() + waitTimeoutMs;
    for (let pause = FULL_PAUSE_MS.first; ; pause = Math.min(pause * 1.5, FULL_PAUSE_MS.longest)) {
      signal?.throwIfAborted();
      const left = deadline - clock.monotonicMs();
      if (left <= 0) throw full();
      // Jittered, so that waiting callers do not come back as one.
      await sleep(clock, Math.min(left, pause * (0.5 + random())), signal);
      signal?.throwIfAborted();
      const answer = await this.send(partition, durability, task);
      if (answer instanceof Error) throw this.refusal(partition, task, answer);
      if (answer.status === 'full') continue;
      this.fullFor.delete(partition);
      this.committers.accepted(partition, task.id);
      return answer;
    }
  }

  /** A task that Redis may have had, and let run, before it lost it is not refused: what became of it is unknown. */
  private refusal(partition: string, { id }: NewTask, error: TaskqError): TaskqError {
    const queue = this.partitions.queueOf(partition);
    // What the queue looks like is asked anew before the next task: it may be as it was.
    if (error instanceof BrokerError && error.reason === 'LAYOUT') this.ensured.delete(queue);
    if (error instanceof EnqueueOutcomeUnknownError || !this.committers.mayHaveRun(partition, id))
      return error;
    return new EnqueueOutcomeUnknownError(id, queue, error);
  }

  /** What to tell callers: grows while the queue stays full, jittered so that they do not come back as one. */
  private fullPause(partition: string): number {
    const full = Math.min(this.fullFor.get(partition) ?? FULL_PAUSE_MS.first, FULL_PAUSE_MS.longest);
    this.fullFor.set(partition, full * 1.5);
    return Math.round(full * (0.5 + this.parts.random()));
  }

  /**
   * Makes the queue's groups once per producer, so that tasks never stand in a stream without one.
   * @throws ConfigurationError when the queue is split otherwise than the options say
   */
  private ensure(queue: string): Promise<boolean> | undefined {
    const known = this.ensured.get(queue);
    if (known !== undefined) return known === DONE ? undefined : known;
    const ensuring = prepareQueue(this.parts.broker, queue, this.partitions.of(queue).length).then(
      () => {
        this.ensured.set(queue, DONE);
        return true;
      },
      (error: unknown) => {
        this.ensured.delete(queue);
        // Whoever reads the queue makes the group too; the enqueue that follows reports what is wrong with Redis.
        if (error instanceof ConfigurationError) throw error;
        return false;
      },
    );
    this.ensured.set(queue, ensuring);
    return ensuring;
  }

  /** Answers whether it is there. */
  private async ensureAnew(queue: string): Promise<boolean> {
    this.ensured.delete(queue);
    return (await this.ensure(queue)?.catch(() => false)) ?? true;
  }

  private targetOf(contract: AnyContract, options: NamedTarget | undefined): Target {
    if (options?.queue !== undefined) throw belongsToContract(contract, 'queue');
    if (options?.version !== undefined) throw belongsToContract(contract, 'version');
    let target = this.targets.get(contract);
    if (!target) {
      target = resolveContractOptions(contract.type, contract, this.parts.options.tasks);
      this.partitions.demandQueue(target.queue, `enqueue "${contract.type}"`);
      this.targets.set(contract, target);
    }
    return target;
  }

  private namedTarget(type: string, options: NamedTarget = {}): Target {
    const { queue = 'default', version = FIRST_VERSION } = options;
    if (isName(queue) && isVersion(version)) {
      this.partitions.demandQueue(queue, `enqueue "${type}"`);
      return { queue, priority: 'normal', durability: this.parts.options.tasks.durability, version };
    }
    throw new ConfigurationError(`enqueue "${type}"`, [
      ...(isName(queue) ? [] : [`queue ${JSON.stringify(queue)} must be ${NAME_RULE}`]),
      ...(isVersion(version) ? [] : [`version must be ${VERSION_RULE}`]),
    ]);
  }
}

/** A task, and where it goes. */
interface Prepared {
  readonly queue: string;
  /** What the broker calls the part of the queue that the task is kept in. */
  readonly partition: string;
  readonly durability: Durability;
  readonly task: NewTask;
  /** When its payload is found to be as it should. */
  readonly checked: void | Promise<void>;
}

/** Where a task goes unless the call says otherwise. */
interface Target {
  readonly queue: string;
  readonly priority: NewTask['lane'];
  readonly durability: Durability;
  readonly version: number;
}

const DONE = Promise.resolve(true);

function resolveCall(type: string, options: (CallOptions & NamedTarget) | undefined): ResolvedEnqueueOptions {
  if (options === undefined) return resolveEnqueueOptions(type, undefined);
  const { signal: _signal, queue: _queue, version: _version, ...call } = options;
  return resolveEnqueueOptions(type, call);
}

function belongsToContract({ type }: AnyContract, option: keyof NamedTarget): ConfigurationError {
  return new ConfigurationError(`enqueue "${type}"`, [
    `${option} belongs to the contract and cannot be given at the call`,
  ]);
}

function asTaskqError(error: unknown): TaskqError {
  return error instanceof TaskqError ? error : new TaskqError(String(error), { cause: error });
}
