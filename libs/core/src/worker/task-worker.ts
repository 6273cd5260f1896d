import { hostname } from 'node:os';
import { LeaseBoard, type LeaseGuard } from '../broker/lease-guard.js';
import { prepareQueue } from '../broker/prepare-queue.js';
import { LifecycleError } from '../contract/errors.js';
import { type Clock, sleep } from '../runtime/clock.js';
import { withoutRepeats } from '../runtime/logger.js';
import type { Service } from '../runtime/service.js';
import { LeaseWatch } from './lease-watch.js';
import { PartServices } from './part-services.js';
import { QueueRunner } from './queue-runner.js';
import type { WorkerParts } from './worker-parts.js';

/** How to stop. */
export interface StopOptions {
  /** How long to wait for running handlers before they are aborted, in milliseconds. @default worker.drainTimeout */
  drainTimeoutMs?: number;
}

/** How a worker stopped. */
export interface StopReport {
  /** Tasks that ended while it was draining. */
  readonly drained: number;
  /** Tasks handed back unfinished; a peer starts them at once. */
  readonly released: number;
  /** Handlers that had not ended when everything was over, also those whose tasks were handed back. */
  readonly stuck: number;
  readonly tookMs: number;
}

/** What a worker is doing. */
export interface WorkerStatus {
  readonly state: 'idle' | 'running' | 'quiet' | 'stopped';
  /** Its name in the consumer group. */
  readonly consumer: string;
  readonly queues: readonly {
    readonly queue: string;
    readonly slots: number;
    readonly active: number;
    /** Handlers that ignored the abort signal past its grace; each keeps its slot. */
    readonly stuck: number;
  }[];
  /** Milliseconds since its read loop last came round; far more than a few blocking reads means that it is stalled. */
  readonly lastProgressMs: number;
}

/** Leases that the guard can look after. */
const MOST_ROWS = 65_536;
const SPARE_ROWS = 512;

/**
 * An outage of at most a third of the lease hurts nobody who lives: a lease is a third old at worst when it begins,
 * and its owner is back at the latest after as long again. (It tries again after at most the time that it was away.)
 */
const SHORT_OUTAGE = 1 / 3;

/** How much later than us another worker may find Redis again, and renew its leases. */
const OTHERS_RECONNECT_MS = 2000;

/** Longest wait for outcomes to be settled and for the consumer to be removed once everything else is over. */
const GOODBYE_MS = 5000;

/**
 * Runs the handlers of a registry: one consumer, one set of services, any number of queues. Start it when everything
 * that handlers use is ready; stop it before any of that goes.
 */
export class TaskWorker {
  /** Its name in the consumer group: unique, so that no two processes ever share a pending list. */
  readonly consumer: string;
  private state: WorkerStatus['state'] = 'idle';
  private runners: readonly QueueRunner[] = [];
  private caretakers: readonly PartServices[] = [];
  private board: LeaseBoard | undefined;
  private guard: LeaseGuard | undefined;
  private services: readonly Service[] = [];
  /** Those of them that go on until the last handler has ended. */
  private keepers: readonly Service[] = [];
  private starting: Promise<void> | undefined;
  private stopping: Promise<StopReport> | undefined;
  private drainEnds = Number.POSITIVE_INFINITY;
  /** A task has ended, or the drain ends sooner: whoever waits for either looks again. */
  private lookAgain: () => void = () => undefined;
  private forgetReconnect: (() => void) | undefined;

  private readonly parts: WorkerParts;

  constructor(parts: WorkerParts) {
    this.parts = { ...parts, logger: withoutRepeats(parts.logger, parts.clock) };
    const base =
      parts.options.worker.name ??
      `${hostname()
        .replace(/[^A-Za-z0-9_.-]/g, '-')
        .slice(0, 40)}-${process.pid}`;
    this.consumer = `${base}-${parts.randomBytes(6).toString('hex')}`;
  }

  /**
   * Makes the queues' groups and starts to fetch.
   * @throws ConfigurationError when a handler's options or payload schema cannot work
   * @throws BrokerError when Redis refuses
   * @throws LifecycleError when it was started before
   */
  async start(): Promise<void> {
    if (this.state !== 'idle') throw new LifecycleError(`the worker is ${this.state} and cannot be started`);
    this.state = 'running';
    this.starting = this.startOnce();
    try {
      await this.starting;
    } catch (error) {
      if (this.state === 'running') this.state = 'idle';
      throw error;
    }
  }

  status(): WorkerStatus {
    return {
      state: this.state,
      consumer: this.consumer,
      queues: this.parts.registry.queues.flatMap((queue) => this.statusOf(queue)),
      lastProgressMs: Math.max(0, ...this.caretakers.map(({ fetcher }) => fetcher.silentMs)),
    };
  }

  /** A queue with all its partitions; nothing before there is anything to say. */
  private statusOf(queue: string): WorkerStatus['queues'] {
    const runners = this.runners.filter((runner) => this.parts.partitions.queueOf(runner.queue) === queue);
    if (runners.length === 0) return [];
    const sum = (of: 'slots' | 'active' | 'stuck'): number =>
      runners.reduce((total, runner) => total + runner[of], 0);
    return [{ queue, slots: sum('slots'), active: sum('active'), stuck: sum('stuck') }];
  }

  /**
   * Stops in phases, each bounded: no more reads; running handlers may end; those that have not are told by their
   * signal; what is left is handed back so that a peer starts it at once; the consumer is removed if it holds
   * nothing. Calling it again shortens the wait.
   */
  stop(options: StopOptions = {}): Promise<StopReport> {
    const drainTimeoutMs = options.drainTimeoutMs ?? this.parts.options.worker.drainTimeoutMs;
    this.drainEnds = Math.min(this.drainEnds, this.parts.clock.monotonicMs() + drainTimeoutMs);
    this.lookAgain();
    this.stopping ??= this.stopOnce();
    return this.stopping;
  }

  private async startOnce(): Promise<void> {
    const { broker, registry, partitions } = this.parts;
    for (const queue of registry.queues) partitions.demandQueue(queue, 'worker');
    const names = registry.queues.flatMap((queue) => partitions.of(queue));
    this.build(names, await broker.fetchGroups(names));
    if (names.length > 0) await broker.openForWork(names);
    for (const queue of registry.queues) await prepareQueue(broker, queue, partitions.of(queue).length);
    if (this.state !== 'running') return; // stopped meanwhile
    if (this.board) this.startGuard(this.board);
    // Redis may be back only just: who starts now cannot know, and others may not have renewed their leases yet.
    const { leaseMs, heartbeatMs } = this.parts.options.worker;
    this.holdSweeps(heartbeatMs + Math.min(leaseMs, OTHERS_RECONNECT_MS));
    for (const service of this.services) service.start();
    for (const runner of this.runners) runner.wakeUp();
  }

  /** `queues`: as the broker knows them; each partition of a queue is one. */
  private build(queues: readonly string[], parts: readonly (readonly string[])[]): void {
    const { broker, options, partitions, logger, clock, random } = this.parts;
    const { consumer } = this;
    const { leaseMs, heartbeatMs } = options.worker;
    const slots = queues.reduce((sum, queue) => sum + partitions.optionsOf(queue).concurrency, 0);
    // Twice as many rows as slots: outcomes on their way keep their leases, too.
    const board = new LeaseBoard(queues, Math.min(MOST_ROWS, 2 * slots + SPARE_ROWS));
    const partOf = new Map<string, PartServices>();
    const told = {
      changed: (runner: QueueRunner, heard: boolean) =>
        partOf.get(runner.queue)?.fetcher.changed(runner, heard),
      vacated: (runner: QueueRunner) => partOf.get(runner.queue)?.reclaimer.vacated(runner.queue),
      decided: () => this.lookAgain(),
    };
    const runners = queues.map(
      (queue, boardQueue) => new QueueRunner(queue, { ...this.parts, ...told, consumer, board, boardQueue }),
    );
    const every = (name: string, everyMs: number) => ({ name, everyMs, clock, logger, random });
    const watch = new LeaseWatch(runners, board, this.parts, every('watch', leaseMs / 6));
    const times = {
      leaseMs,
      holdMs: heartbeatMs + OTHERS_RECONNECT_MS,
      lateMs: Math.min(options.redis.commandTimeoutMs, leaseMs * SHORT_OUTAGE),
    };
    this.caretakers = parts.map((part) => {
      const its = runners.filter(({ queue }) => part.includes(queue));
      const services = new PartServices(its, { ...this.parts, consumer, board, watch, times });
      for (const queue of part) partOf.set(queue, services);
      return services;
    });
    this.forgetReconnect = broker.onReconnect((_link, silentMs) => {
      if (silentMs > leaseMs * SHORT_OUTAGE) this.holdSweeps();
      for (const { heartbeater } of this.caretakers) heartbeater.trigger();
    });
    this.keepers = [watch, ...this.caretakers.map(({ heartbeater }) => heartbeater)];
    this.runners = runners;
    this.board = runners.length > 0 ? board : undefined;
    this.services =
      runners.length === 0 ? [] : [watch, ...this.caretakers.flatMap(({ services }) => services)];
  }

  private holdSweeps(ms?: number): void {
    for (const { reclaimer } of this.caretakers) reclaimer.hold(ms);
  }

  private startGuard(board: LeaseBoard): void {
    const { broker, options, logger } = this.parts;
    const { heartbeatMs } = options.worker;
    board.beat();
    const warn = (message: string): void => logger.warn(message);
    this.guard = broker.guardLeases({ board, consumer: this.consumer, heartbeatMs, warn });
  }

  private async stopOnce(): Promise<StopReport> {
    const started = this.parts.clock.monotonicMs();
    const active = this.activeTasks();
    const releasedBefore = this.releasedTasks();
    this.state = 'quiet';
    // What is being made is made first: half a start cannot be stopped.
    await this.starting?.catch(() => undefined);
    await this.quiet();
    await this.idle(() => this.drainEnds);
    for (const runner of this.runners) runner.abortAll();
    const graceEnds = this.parts.clock.monotonicMs() + this.parts.options.worker.abortGraceMs;
    await this.idle(() => Math.min(graceEnds, this.drainEnds + this.parts.options.worker.abortGraceMs));
    for (const runner of this.runners) runner.releaseAll();
    await this.sayGoodbye();
    const released = this.releasedTasks() - releasedBefore;
    const stuck = this.runners.reduce((sum, runner) => sum + runner.active, 0);
    this.state = 'stopped';
    return {
      drained: Math.max(0, active - released),
      released,
      stuck,
      tookMs: Math.round(this.parts.clock.monotonicMs() - started),
    };
  }

  /** Ends everything that takes tasks; leases are still renewed. */
  private async quiet(): Promise<void> {
    for (const runner of this.runners) runner.quiet();
    await Promise.all(
      this.services.filter((service) => !this.keepers.includes(service)).map((service) => service.stop()),
    );
  }

  private async sayGoodbye(): Promise<void> {
    const { broker, clock } = this.parts;
    await atMost(clock, GOODBYE_MS, Promise.all(this.runners.map((runner) => runner.flushed())));
    await Promise.all(this.keepers.map((service) => service.stop()));
    await this.guard?.stop();
    this.forgetReconnect?.();
    for (const runner of this.runners) runner.close();
    const removed = this.runners.map(({ queue }) => broker.removeConsumer(queue, this.consumer));
    await atMost(clock, GOODBYE_MS, Promise.allSettled(removed));
  }

  private activeTasks(): number {
    return this.runners.reduce((sum, runner) => sum + runner.active - runner.stuck, 0);
  }

  private releasedTasks(): number {
    return this.runners.reduce((sum, runner) => sum + runner.released, 0);
  }

  /** Waits until no task is active, or until the deadline, which may come closer meanwhile. */
  private async idle(deadline: () => number): Promise<void> {
    const { clock } = this.parts;
    while (this.activeTasks() > 0 && clock.monotonicMs() < deadline()) {
      const news = new AbortController();
      this.lookAgain = () => news.abort();
      await sleep(clock, deadline() - clock.monotonicMs(), news.signal);
    }
  }
}

/** Waits for `work`, but no longer than `ms`. */
async function atMost(clock: Clock, ms: number, work: Promise<unknown>): Promise<void> {
  const over = new AbortController();
  await Promise.race([work, sleep(clock, ms, over.signal)]);
  over.abort();
}
