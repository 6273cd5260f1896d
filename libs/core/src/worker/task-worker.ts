import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { LifecycleError } from '../contract/errors.js';
import { monotonicMs, sleep } from '../runtime/clock.js';
import type { Service } from '../runtime/service.js';
import { Fetcher } from './fetcher.js';
import { Heartbeater } from './heartbeater.js';
import { Janitor } from './janitor.js';
import { Promoter } from './promoter.js';
import { QueueRunner } from './queue-runner.js';
import { Reclaimer } from './reclaimer.js';
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

/** How often due tasks are looked for when nothing says that one is due sooner. */
const PROMOTE_EVERY_MS = 1000;

/** How often the janitor comes. */
const CLEAN_EVERY_MS = 60_000;

/** How much later than us another worker may find Redis again, and renew its leases. */
const OTHERS_RECONNECT_MS = 2000;

/** How often a draining worker looks whether it is done, besides being told. */
const DRAIN_LOOK_MS = 20;

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
  private fetcher: Fetcher | undefined;
  private services: readonly Service[] = [];
  private heartbeater: Heartbeater | undefined;
  private starting: Promise<void> | undefined;
  private stopping: Promise<StopReport> | undefined;
  private drainEnds = Number.POSITIVE_INFINITY;
  private forgetReconnect: (() => void) | undefined;

  constructor(private readonly parts: WorkerParts) {
    const base =
      parts.options.worker.name ??
      `${hostname()
        .replace(/[^A-Za-z0-9_.-]/g, '-')
        .slice(0, 40)}-${process.pid}`;
    this.consumer = `${base}-${randomBytes(6).toString('hex')}`;
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
      queues: this.runners.map(({ queue, slots, active, stuck }) => ({ queue, slots, active, stuck })),
      lastProgressMs: this.fetcher?.silentMs ?? 0,
    };
  }

  /**
   * Stops in phases, each bounded: no more reads; running handlers may end; those that have not are told by their
   * signal; what is left is handed back so that a peer starts it at once; the consumer is removed if it holds
   * nothing. Calling it again shortens the wait.
   */
  stop(options: StopOptions = {}): Promise<StopReport> {
    const drainTimeoutMs = options.drainTimeoutMs ?? this.parts.options.worker.drainTimeoutMs;
    this.drainEnds = Math.min(this.drainEnds, monotonicMs() + drainTimeoutMs);
    this.stopping ??= this.stopOnce();
    return this.stopping;
  }

  private async startOnce(): Promise<void> {
    this.build();
    if (this.runners.length > 0) await this.parts.broker.openForWork();
    for (const { queue } of this.runners) await this.parts.broker.ensureQueue(queue);
    if (this.state !== 'running') return; // stopped meanwhile
    for (const service of this.services) service.start();
    for (const runner of this.runners) runner.wakeUp();
  }

  private build(): void {
    const { broker, options, logger, random, registry } = this.parts;
    const { consumer } = this;
    const { leaseMs, heartbeatMs } = options.worker;
    const changed = (runner: QueueRunner): void => this.fetcher?.changed(runner);
    const runners = registry.queues.map(
      (queue) => new QueueRunner(queue, { ...this.parts, consumer, changed }),
    );
    const queues = registry.queues;
    const every = (name: string, everyMs: number) => ({ name, everyMs, logger, random });
    const promoter = new Promoter(broker, consumer, queues, every('promoter', PROMOTE_EVERY_MS));
    const reclaimer = new Reclaimer(broker, consumer, runners, leaseMs, every('reclaimer', leaseMs / 6));
    const janitor = new Janitor(broker, consumer, queues, options.limits, every('janitor', CLEAN_EVERY_MS));
    this.heartbeater = new Heartbeater(broker, consumer, runners, every('heartbeater', heartbeatMs));
    this.fetcher = new Fetcher(runners, {
      ...this.parts,
      consumer,
      woken: (queue, entryId, why) => (why === 'due' ? promoter : reclaimer).wake(queue, entryId),
    });
    this.forgetReconnect = broker.onReconnect(() => {
      reclaimer.hold(heartbeatMs + OTHERS_RECONNECT_MS);
      this.heartbeater?.trigger();
    });
    this.runners = runners;
    this.services =
      runners.length === 0 ? [] : [this.heartbeater, this.fetcher, promoter, reclaimer, janitor];
  }

  private async stopOnce(): Promise<StopReport> {
    const started = monotonicMs();
    const active = this.activeTasks();
    this.state = 'quiet';
    // What is being made is made first: half a start cannot be stopped.
    await this.starting?.catch(() => undefined);
    await this.quiet();
    await this.until(
      () => this.activeTasks() === 0,
      () => this.drainEnds,
    );
    for (const runner of this.runners) runner.abortAll();
    const graceEnds = monotonicMs() + this.parts.options.worker.abortGraceMs;
    await this.until(
      () => this.activeTasks() === 0,
      () => Math.min(graceEnds, this.drainEnds + this.parts.options.worker.abortGraceMs),
    );
    for (const runner of this.runners) runner.releaseAll();
    await this.sayGoodbye();
    const released = this.runners.reduce((sum, runner) => sum + runner.released, 0);
    const stuck = this.runners.reduce((sum, runner) => sum + runner.active, 0);
    this.state = 'stopped';
    return {
      drained: Math.max(0, active - released),
      released,
      stuck,
      tookMs: Math.round(monotonicMs() - started),
    };
  }

  /** Ends everything that takes tasks; leases are still renewed. */
  private async quiet(): Promise<void> {
    for (const runner of this.runners) runner.quiet();
    await Promise.all(
      this.services.filter((service) => service !== this.heartbeater).map((service) => service.stop()),
    );
  }

  private async sayGoodbye(): Promise<void> {
    await atMost(GOODBYE_MS, Promise.all(this.runners.map((runner) => runner.flushed())));
    await this.heartbeater?.stop();
    this.forgetReconnect?.();
    for (const runner of this.runners) runner.close();
    const removed = this.runners.map(({ queue }) => this.parts.broker.removeConsumer(queue, this.consumer));
    await atMost(GOODBYE_MS, Promise.allSettled(removed));
  }

  private activeTasks(): number {
    return this.runners.reduce((sum, runner) => sum + runner.active - runner.stuck, 0);
  }

  private async until(done: () => boolean, deadline: () => number): Promise<void> {
    while (!done() && monotonicMs() < deadline()) await sleep(DRAIN_LOOK_MS);
  }
}

/** Waits for `work`, but no longer than `ms`. */
async function atMost(ms: number, work: Promise<unknown>): Promise<void> {
  const over = new AbortController();
  await Promise.race([work, sleep(ms, over.signal)]);
  over.abort();
}
