import type { OnApplicationBootstrap, OnModuleDestroy, OnModuleInit } from '@nestjs/common';
import {
  type HandlerRegistry,
  LifecycleError,
  type StopOptions,
  type StopReport,
  type TaskWorker,
  type WorkerStatus,
} from '@taskq/core';
import { exitBy, onFurtherSignals, warnWithoutShutdownHooks } from './shutdown-signals.js';
import type { TaskHandlerExplorer } from './task-handler.explorer.js';
import type { TaskQueueConnection } from './task-queue.connection.js';
import type { TaskQueueConnections } from './task-queue.connections.js';

/**
 * The worker of one connection in the life of an application. It starts when the application has started and drains
 * before anything that a handler may use is destroyed.
 */
export class TaskWorkerHost implements OnModuleInit, OnApplicationBootstrap, OnModuleDestroy {
  private registry: HandlerRegistry | undefined;
  private worker: TaskWorker | undefined;
  private starting: Promise<void> | undefined;
  private stopped = false;
  private forgetWarning: (() => void) | undefined;

  constructor(
    private readonly connection: TaskQueueConnection,
    private readonly connections: TaskQueueConnections,
    private readonly explorer: TaskHandlerExplorer,
  ) {
    connection.beforeClosing(() => this.stop());
  }

  /** Queues that have a handler in this application, whether or not they are worked on here. */
  get queues(): readonly string[] {
    return this.registry?.queues ?? [];
  }

  /**
   * Starts to take tasks. The application does it by itself unless `autoStart` is off; a second call changes nothing.
   * @throws LifecycleError in a process whose role is 'producer', before the application is initialised, and after it
   * was stopped
   * @throws BrokerError when Redis refuses
   */
  async start(): Promise<void> {
    if (this.stopped) throw new LifecycleError('the worker was stopped and cannot be started again');
    this.starting ??= this.startOnce().catch((error: unknown) => {
      this.starting = undefined;
      this.worker = undefined;
      throw error;
    });
    await this.starting;
  }

  /**
   * Takes no more tasks, lets running handlers end, hands back what is left. Calling it again with a shorter
   * `drainTimeoutMs` shortens the wait. A host that was stopped cannot be started again.
   * @returns `undefined` when no worker was running
   */
  async stop(options: StopOptions = {}): Promise<StopReport | undefined> {
    this.stopped = true;
    this.forgetWarning?.();
    const { worker } = this;
    if (!worker) return undefined;
    if (worker.status().state !== 'running') return worker.stop(options);
    const { logger, queue } = this.connection;
    const active = worker.status().queues.reduce((sum, one) => sum + one.active, 0);
    const longestMs = options.drainTimeoutMs ?? queue.options.worker.drainTimeoutMs;
    if (active > 0) logger.info(`draining: ${active} running, given up to ${longestMs} ms`);
    const forgetSignals = onFurtherSignals(
      () => void worker.stop({ drainTimeoutMs: 0 }),
      (signal) => exitBy(signal, logger),
    );
    try {
      const report = await worker.stop(options);
      const { drained, released, stuck, tookMs } = report;
      const text = `worker stopped: ${drained} drained, ${released} released, ${stuck} stuck, ${tookMs} ms`;
      if (released + stuck > 0) logger.warn(text);
      else logger.info(text);
      return report;
    } finally {
      forgetSignals();
    }
  }

  /** What the worker is doing; `undefined` when there is none: not started, no handlers, or role 'producer'. */
  status(): WorkerStatus | undefined {
    return this.worker?.status();
  }

  /** Whether this process is meant to work on tasks by now. */
  get shouldWork(): boolean {
    return this.starting !== undefined && this.queues.length > 0;
  }

  async onModuleInit(): Promise<void> {
    await this.orAbandon(() => {
      this.registry = this.explorer.registryOf(this.connection.name);
    });
  }

  async onApplicationBootstrap(): Promise<void> {
    const { role, autoStart } = this.connection.options;
    if (role === 'producer' || !autoStart) return;
    if (role === 'worker' && this.queues.length === 0) {
      this.connection.logger.warn('no @TaskHandler was found, so this worker has nothing to do');
    }
    await this.orAbandon(() => this.start());
  }

  /** Nest destroys one module after the other, so the first host to be destroyed drains them all. */
  async onModuleDestroy(): Promise<void> {
    await this.connections.drain();
  }

  private async startOnce(): Promise<void> {
    const { registry } = this;
    const { options, logger, queue } = this.connection;
    if (options.role === 'producer') throw new LifecycleError("the role of this process is 'producer'");
    if (!registry) throw new LifecycleError('the application is not initialised yet');
    if (registry.queues.length === 0) return;
    const worker = queue.createWorker(registry);
    this.worker = worker;
    await worker.start();
    const { consumer, queues } = worker.status();
    const told = queues.map(({ queue: name, slots }) => {
      const types = registry.of(name).map(({ type }) => type);
      return `${name} (${slots} at once: ${types.join(', ')})`;
    });
    logger.info(`worker ${consumer} started on ${told.join('; ')}`);
    this.forgetWarning = warnWithoutShutdownHooks(logger);
  }

  /** An application that does not start is not shut down by Nest: nothing may keep its process alive. */
  private async orAbandon(step: () => unknown): Promise<void> {
    try {
      await step();
    } catch (error) {
      await this.connections.abandon();
      throw error;
    }
  }
}
