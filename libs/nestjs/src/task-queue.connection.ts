import type { OnApplicationShutdown, OnModuleInit } from '@nestjs/common';
import { TaskQueue } from '@taskq/core';
import { classPayloadParser } from './class-payload-parser.js';
import { NestLoggerAdapter } from './nest-logger.adapter.js';
import { logTasks } from './task-log.js';
import { DEFAULT_CONNECTION, type ResolvedModuleOptions } from './task-queue.options.js';

/**
 * One engine in the life of an application: opened when providers are made, closed last of all. It lives in a global
 * module, which Nest tears down after every other, so that whatever drains may still enqueue.
 */
export class TaskQueueConnection implements OnModuleInit, OnApplicationShutdown {
  private readonly beforeUse: (() => void)[] = [];
  private readonly beforeClose: (() => Promise<unknown>)[] = [];
  private closing: Promise<void> | undefined;

  private constructor(
    readonly name: string,
    readonly options: ResolvedModuleOptions,
    readonly queue: TaskQueue,
    readonly logger: NestLoggerAdapter,
  ) {
    logTasks(queue.events, logger);
  }

  /**
   * Connects, and says what was reached.
   * @throws ConfigurationError naming every wrong option
   * @throws RedisUnusableError when Redis cannot be reached or would lose tasks
   */
  static async open(name: string, options: ResolvedModuleOptions): Promise<TaskQueueConnection> {
    const logger = new NestLoggerAdapter(name === DEFAULT_CONNECTION ? 'TaskQueue' : `TaskQueue:${name}`);
    const queue = await TaskQueue.open(options.engine, { logger, classParser: classPayloadParser });
    const { product, version, mode } = queue.broker.server;
    logger.info(
      `connected to ${product} ${version} (${mode}) at ${queue.broker.target}, prefix "${queue.options.prefix}"`,
    );
    return new TaskQueueConnection(name, options, queue, logger);
  }

  /** Calls `action` when every provider is made and none has been initialised. */
  beforeUsing(action: () => void): void {
    this.beforeUse.push(action);
  }

  /** Calls `action`, and waits for it, before the connection closes. It may be called more than once. */
  beforeClosing(action: () => Promise<unknown>): void {
    this.beforeClose.push(action);
  }

  /** Nest initialises global modules first. */
  onModuleInit(): void {
    for (const action of this.beforeUse.splice(0)) action();
  }

  async onApplicationShutdown(): Promise<void> {
    await this.close();
  }

  /** Ends what uses the connection, which stays open. May be called again. */
  async drain(): Promise<void> {
    const ended = this.beforeClose.map((action) => action());
    for (const result of await Promise.allSettled(ended)) {
      if (result.status === 'rejected')
        this.logger.error(`the worker did not stop properly: ${result.reason}`);
    }
  }

  /** Ends what uses the connection, then the connection. May be called again. */
  close(): Promise<void> {
    this.closing ??= this.closeOnce();
    return this.closing;
  }

  private async closeOnce(): Promise<void> {
    await this.drain();
    await this.queue.close();
  }
}
