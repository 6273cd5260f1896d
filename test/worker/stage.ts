import {
  type Broker,
  BrokerError,
  BrokerTimeoutError,
  type EngineOptions,
  type HandlerDefinition,
  HandlerRegistry,
  type TaskContext,
  type TaskEventMap,
  type TaskEventName,
  TaskQueue,
  type TaskWorker,
} from '@taskq/core';
import { MemoryBroker, MemoryStore, VirtualClock } from '@taskq/testing';
import { afterEach, beforeEach } from 'vitest';

/** Queue of every test. */
export const QUEUE = 'orders';

export const SECOND = 1000;
export const MINUTE = 60 * SECOND;
export const HOUR = 60 * MINUTE;

/** Calls that can be got in the way of. */
type Verb =
  | 'enqueue'
  | 'settle'
  | 'extend'
  | 'sweepsDue'
  | 'reclaim'
  | 'takeDuties'
  | 'promote'
  | 'fetch'
  | 'interruptFetch'
  | 'ensureQueue'
  | 'removeConsumer';
type GuardRequest = Parameters<Broker['guardLeases']>[0];
type Request<V extends Verb> = Parameters<MemoryBroker[V]>;
type Answer<V extends Verb> = Promise<Awaited<ReturnType<MemoryBroker[V]>>>;
/** Stands in the way of a call: `apply` carries it out. */
type Trouble<V extends Verb> = (apply: () => Answer<V>, ...request: Request<V>) => Answer<V>;

/** A broker in memory whose calls can be watched, delayed, refused, or applied without an answer. */
export class TroubledBroker extends MemoryBroker {
  private readonly troubles = new Map<Verb, Trouble<never>>();
  /** What the guard of leases was told, when there was one to start. */
  guarding: GuardRequest | undefined;
  /** Every queue is read by itself, as if it were kept elsewhere. */
  apart = false;

  /** Lets every call of a verb go through `trouble`, until the next. */
  trouble<V extends Verb>(verb: V, trouble: Trouble<V>): void {
    this.troubles.set(verb, trouble);
  }

  heal(verb: Verb): void {
    this.troubles.delete(verb);
  }

  override enqueue(...request: Request<'enqueue'>): Answer<'enqueue'> {
    return this.through('enqueue', () => super.enqueue(...request), request);
  }

  override settle(...request: Request<'settle'>): Answer<'settle'> {
    return this.through('settle', () => super.settle(...request), request);
  }

  override extend(...request: Request<'extend'>): Answer<'extend'> {
    return this.through('extend', () => super.extend(...request), request);
  }

  override sweepsDue(...request: Request<'sweepsDue'>): Answer<'sweepsDue'> {
    return this.through('sweepsDue', () => super.sweepsDue(...request), request);
  }

  override reclaim(...request: Request<'reclaim'>): Answer<'reclaim'> {
    return this.through('reclaim', () => super.reclaim(...request), request);
  }

  override takeDuties(...request: Request<'takeDuties'>): Answer<'takeDuties'> {
    return this.through('takeDuties', () => super.takeDuties(...request), request);
  }

  override promote(...request: Request<'promote'>): Answer<'promote'> {
    return this.through('promote', () => super.promote(...request), request);
  }

  override fetch(...request: Request<'fetch'>): Answer<'fetch'> {
    return this.through('fetch', () => super.fetch(...request), request);
  }

  override interruptFetch(...request: Request<'interruptFetch'>): Answer<'interruptFetch'> {
    return this.through('interruptFetch', () => super.interruptFetch(...request), request);
  }

  override ensureQueue(...request: Request<'ensureQueue'>): Answer<'ensureQueue'> {
    return this.through('ensureQueue', () => super.ensureQueue(...request), request);
  }

  override removeConsumer(...request: Request<'removeConsumer'>): Answer<'removeConsumer'> {
    return this.through('removeConsumer', () => super.removeConsumer(...request), request);
  }

  override async fetchGroups(queues: readonly string[]): Promise<readonly (readonly string[])[]> {
    return this.apart ? queues.map((queue) => [queue]) : super.fetchGroups(queues);
  }

  override guardLeases(request?: GuardRequest): undefined {
    this.guarding = request;
  }

  private through<V extends Verb>(verb: V, apply: () => Answer<V>, request: Request<V>): Answer<V> {
    const trouble = this.troubles.get(verb) as Trouble<V> | undefined;
    return trouble ? trouble(apply, ...request) : apply();
  }
}

/** What a call is rejected with that was not sent. */
export const refused = (): BrokerError => new BrokerError('UNAVAILABLE', 'as asked', { retryable: true });

/** What a call is rejected with whose answer was lost. */
export const lost = (): BrokerTimeoutError => new BrokerTimeoutError('LINK', 'as asked', { retryable: true });

/** One process: an engine, its broker, and what it has announced. */
export interface Process {
  readonly engine: TaskQueue<TroubledBroker>;
  readonly broker: TroubledBroker;
  readonly worker: (handlers: Handlers) => TaskWorker;
  /** A worker that runs. */
  readonly work: (handlers: Handlers) => Promise<TaskWorker>;
  readonly enqueue: (
    type: string,
    options?: Parameters<TaskQueue['producer']['enqueue']>[2],
  ) => Promise<string>;
  /** Events of a name, in order. */
  readonly told: <Name extends TaskEventName>(name: Name) => readonly TaskEventMap[Name][];
  readonly log: string[];
}

type Run = (context: TaskContext) => unknown;
type Handlers = Readonly<Record<string, Run>>;

/** Processes that meet in one store, all on one clock that moves when it is told to. */
export class Stage {
  readonly clock = new VirtualClock();
  readonly store = new MemoryStore({ clock: this.clock, random: () => 0.5 });
  private readonly sleeping: (() => void)[] = [];
  private readonly processes: {
    readonly engine: TaskQueue<TroubledBroker>;
    readonly workers: TaskWorker[];
  }[] = [];

  /** A process of its own, with a lease of 15 s and a heartbeat of 5 s unless told otherwise. */
  readonly process = (options: EngineOptions = {}): Process => {
    const { clock } = this;
    const broker = new TroubledBroker({ store: this.store, clock });
    const log: string[] = [];
    const say = (message: string): void => void log.push(message);
    const logger = { debug: say, info: say, warn: say, error: say };
    const engine = TaskQueue.over(broker, options, { clock, random: () => 0.5, logger });
    const workers: TaskWorker[] = [];
    this.processes.push({ engine, workers });
    const heard = new Map<TaskEventName, unknown[]>();
    const told = (name: TaskEventName): readonly unknown[] => heard.get(name) ?? [];
    for (const name of HEARD) {
      heard.set(name, []);
      engine.events.on(name, (event) => void heard.get(name)!.push(event));
    }
    const worker = (handlers: Handlers): TaskWorker => {
      const registry = new HandlerRegistry();
      for (const [type, run] of Object.entries(handlers)) registry.add(definition(type, run));
      const made = engine.createWorker(registry);
      workers.push(made);
      return made;
    };
    return {
      engine,
      broker,
      worker,
      work: async (handlers) => {
        const made = worker(handlers);
        await clock.until(made.start());
        await clock.advance(0);
        return made;
      },
      enqueue: async (type, call) => {
        const { id } = await clock.until(engine.producer.enqueue(type, null, { queue: QUEUE, ...call }));
        await clock.advance(0);
        return id;
      },
      told: told as Process['told'],
      log,
    };
  };

  /** Resolves after `ms` of the stage's time, if the test lasts so long. */
  readonly sleep = (ms: number): Promise<void> =>
    new Promise((resolve) => this.sleeping.push(this.clock.after(ms, resolve)));

  /** A consumer leases tasks and is never heard of again, `deaths` times in a row. */
  async die(count: number, deaths = 1): Promise<void> {
    const { broker, engine } = this.process();
    const { leaseMs } = engine.options.worker;
    const want = { total: count, high: 0, normal: count, low: 0 };
    await broker.settle({ queue: QUEUE, consumer: 'dead-1', outcomes: [], want, leaseMs });
    for (let death = 2; death <= deaths; death += 1) {
      await this.clock.advance(leaseMs + 1);
      for (let taken = 0; taken < count;) {
        const { deliveries } = await broker.reclaim({
          queue: QUEUE,
          consumer: `dead-${death}`,
          leaseMs,
          limit: count,
          suspects: true,
          releasedOnly: false,
          everyMs: 0,
        });
        if (deliveries.length === 0) throw new Error('nothing to take over');
        taken += deliveries.length;
      }
    }
  }

  async end(): Promise<void> {
    for (const { engine, workers } of this.processes) {
      for (const worker of workers) await this.clock.until(worker.stop({ drainTimeoutMs: 0 }));
      await this.clock.until(engine.close());
    }
    for (const cancel of this.sleeping) cancel();
  }
}

/** A new stage for each test; no timer may be left when it is over. */
export function useStage(): () => Stage {
  let stage: Stage;
  beforeEach(() => {
    stage = new Stage();
  });
  afterEach(async () => {
    await stage.end();
    if (stage.clock.pending > 0) throw new Error(`the test left ${stage.clock.pending} timers behind`);
  });
  return () => stage;
}

const HEARD = [
  'task.started',
  'task.completed',
  'task.dead',
  'task.stale',
  'task.unproven',
  'task.stuck',
  'task.reclaimed',
  'task.released',
  'data.lost',
  'data.reoffered',
] as const satisfies readonly TaskEventName[];

function definition(type: string, run: Run): HandlerDefinition {
  const options = { queue: QUEUE, timeout: '6h', backoff: { base: 1000, max: 1000 } } as const;
  return { type, where: 'spec', options, run: (_payload, context) => run(context) };
}

/** A promise that never ends. */
export const forever = (): Promise<never> => new Promise(() => {});
