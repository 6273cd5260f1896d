import { randomBytes } from 'node:crypto';
import type { Broker, EnqueueAnswer, NewTask } from '../broker/broker.js';
import { prepareQueue } from '../broker/prepare-queue.js';
import {
  BrokerError,
  ConfigurationError,
  EnqueueManyError,
  EnqueueOutcomeUnknownError,
  LifecycleError,
  QueueFullError,
  TaskqError,
} from '../contract/errors.js';
import type { Durability } from '../contract/durability.js';
import { PayloadParsers } from '../contract/payload-parsers.js';
import type { AnyContract, PayloadInput, TaskContract } from '../contract/task-contract.js';
import { queueOptions, type ResolvedEngineOptions } from '../policy/engine-options.js';
import { Partitions } from '../policy/partitions.js';
import { type Clock, sleep } from '../runtime/clock.js';
import { LossAnnouncer } from '../telemetry/loss-announcer.js';
import type { TaskEvents } from '../telemetry/task-events.js';
import type { TaskOutcome } from './enqueue-channel.js';
import { Committers } from './committers.js';
import { Placement } from './placement.js';
import { type CallOptions, type NamedTarget, Preparation, type Prepared } from './preparation.js';

export type { CallOptions, NamedTarget } from './preparation.js';

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
  private readonly preparation: Preparation;
  private readonly committers: Committers;
  private readonly ensured = new Map<string, Promise<boolean>>();
  private readonly fullFor = new Map<string, number>();
  private underWay = 0;
  private whenIdle: (() => void) | undefined;
  private closed = false;

  constructor(private readonly parts: ProducerParts) {
    const { options, parsers = new PayloadParsers(), partitions = new Partitions(options) } = parts;
    this.partitions = partitions;
    // Seventy-two random bits that name this producer in the ids it gives.
    const id = (parts.randomBytes ?? randomBytes)(9).toString('base64url');
    const isBusy = (partition: string): boolean => this.committers.isBusy(partition);
    const placement = new Placement({ producer: id, partitions, isBusy, clock: parts.clock });
    this.preparation = new Preparation({ options, partitions, placement, parsers });
    const losses = parts.losses ?? new LossAnnouncer(parts.events, parts.clock);
    this.committers = new Committers(id, {
      ...parts,
      partitions,
      losses,
      ensure: (partition) => this.ensureAnew(partitions.queueOf(partition)),
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
  enqueue(
    target: AnyContract | string,
    payload?: unknown,
    options?: CallOptions & NamedTarget,
  ): Promise<EnqueueResult> {
    return new Promise((resolve, reject) => this.begin({ target, payload, options, resolve, reject }));
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
    const outcomes = await new Promise<(EnqueueResult | TaskqError)[]>((done) => {
      const told: (EnqueueResult | TaskqError)[] = [];
      let left = items.length;
      if (left === 0) done(told);
      for (const [position, item] of items.entries()) {
        const resolve = (outcome: EnqueueResult | TaskqError): void => {
          told[position] = outcome;
          left -= 1;
          if (left === 0) done(told);
        };
        const reject = (error: unknown): void => resolve(asTaskqError(error));
        if (isItem(item))
          this.begin({ target, payload: item.payload, options: item.options, resolve, reject });
        else reject(new ConfigurationError('enqueueMany', [`item ${position} must be an object`]));
      }
    });
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

  /**
   * Enqueues one task, and tells what became of it. Nothing here makes a promise that does not have to: there are
   * hundreds in a group.
   */
  private begin(call: EnqueueCallUnderWay): void {
    this.underWay += 1;
    try {
      if (this.closed) throw new LifecycleError('the producer is closed');
      const prepared = this.preparation.prepare(call.target, call.payload, call.options);
      const { queue, checked } = prepared;
      const waits = checked instanceof Promise ? checked.then(() => this.ensure(queue)) : this.ensure(queue);
      if (waits === undefined) this.submit(call, prepared);
      else waits.then(() => this.submit(call, prepared)).catch((error: unknown) => this.fail(call, error));
    } catch (error) {
      this.fail(call, error);
    }
  }

  private submit(call: EnqueueCallUnderWay, prepared: Prepared): void {
    const { partition, durability, task } = prepared;
    const settle = (answer: TaskOutcome): void => this.answered(call, prepared, answer);
    this.committers.of(partition, durability).add({ task, settle });
  }

  private answered(call: EnqueueCallUnderWay, prepared: Prepared, answer: TaskOutcome): void {
    const { partition, durability, task } = prepared;
    if (answer instanceof Error) this.fail(call, this.refusal(partition, task, answer));
    else if (answer.status === 'full') {
      this.whenThereIsRoom(partition, durability, task, call.options?.signal).then(
        (later) => this.succeed(call, prepared, later),
        (error: unknown) => this.fail(call, error),
      );
    } else {
      if (this.fullFor.size > 0) this.fullFor.delete(partition);
      this.succeed(call, prepared, answer);
    }
  }

  private succeed(
    call: EnqueueCallUnderWay,
    { queue, partition, durability, task }: Prepared,
    answer: Exclude<EnqueueAnswer, { status: 'full' }>,
  ): void {
    if (task.ownId) this.committers.accepted(partition, task.id);
    const { status } = answer;
    const id = 'id' in answer ? answer.id : task.id;
    const { events } = this.parts;
    if (events.heard('task.enqueued')) events.emit('task.enqueued', { queue, type: task.type, id, status });
    call.resolve({ id, status, durability });
    this.ended();
  }

  private fail(call: EnqueueCallUnderWay, error: unknown): void {
    call.reject(error);
    this.ended();
  }

  private ended(): void {
    this.underWay -= 1;
    if (this.underWay === 0) this.whenIdle?.();
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
}

/** A call that is not answered yet, and whom to tell. */
interface EnqueueCallUnderWay {
  readonly target: AnyContract | string;
  readonly payload: unknown;
  readonly options: (CallOptions & NamedTarget) | undefined;
  readonly resolve: (result: EnqueueResult) => void;
  readonly reject: (error: unknown) => void;
}

const DONE = Promise.resolve(true);

/** JavaScript, and lists with holes, know no types. */
function isItem(item: unknown): boolean {
  return typeof item === 'object' && item !== null;
}

function asTaskqError(error: unknown): TaskqError {
  return error instanceof TaskqError ? error : new TaskqError(String(error), { cause: error });
}
