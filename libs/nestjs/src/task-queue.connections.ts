import { Injectable } from '@nestjs/common';
import { type AnyContract, ConfigurationError, type QueueOptions } from '@taskq/core';
import { TaskQueueConnection } from './task-queue.connection.js';
import { problemsOf, resolveModuleOptions, type TaskQueueModuleOptions } from './task-queue.options.js';

/** What one `forFeature` declares, with nothing left out. */
export interface DeclaredFeature {
  readonly connection: string;
  readonly queues: Readonly<Record<string, QueueOptions>>;
  readonly contracts: readonly AnyContract[];
}

/**
 * What one application has of taskq: its connections by name, and what its features declared for each. One per
 * application, so that two applications in a process know nothing of each other.
 */
@Injectable()
export class TaskQueueConnections {
  private readonly opening = new Map<string, Promise<TaskQueueConnection>>();
  private readonly opened = new Map<string, TaskQueueConnection>();
  private readonly features: DeclaredFeature[] = [];
  private readonly problems: string[] = [];

  /**
   * Opens a connection under a name of its own.
   * @throws ConfigurationError when the options are wrong, or the name is taken
   * @throws RedisUnusableError when Redis cannot be reached or would lose tasks
   */
  async open(name: string, options: TaskQueueModuleOptions | undefined): Promise<TaskQueueConnection> {
    try {
      if (this.opening.has(name)) {
        throw new ConfigurationError('taskq options', [
          `connection "${name}" is configured twice: call forRoot once, or give one of them another name`,
        ]);
      }
      const resolved = resolveModuleOptions(name, options);
      const opening = TaskQueueConnection.open(name, resolved);
      this.opening.set(name, opening);
      const connection = await opening;
      connection.beforeUsing(() => this.declareQueues(connection));
      this.opened.set(name, connection);
      return connection;
    } catch (error) {
      await this.abandon();
      throw error;
    }
  }

  /** A connection that is open. */
  get(name: string): TaskQueueConnection | undefined {
    return this.opened.get(name);
  }

  /** Names of the connections that are open. */
  get names(): readonly string[] {
    return [...this.opened.keys()].toSorted();
  }

  /** Remembers what a feature declares until its connection is used. */
  addFeature(feature: DeclaredFeature): void {
    this.features.push(feature);
  }

  /** What features declared, in the order in which Nest made their modules. */
  get declared(): readonly DeclaredFeature[] {
    return this.features;
  }

  /** What was wrong with the queues that features declared. */
  get queueProblems(): readonly string[] {
    return this.problems;
  }

  /** Ends what uses the connections, all at the same time: the longest drain is waited for, not their sum. */
  async drain(): Promise<void> {
    await Promise.all([...this.opened.values()].map((connection) => connection.drain()));
  }

  /** Closes everything, since an application that does not start is not shut down by Nest either. */
  async abandon(): Promise<void> {
    await Promise.allSettled([...this.opening.values()].map(async (opening) => (await opening).close()));
  }

  private declareQueues({ name, queue }: TaskQueueConnection): void {
    for (const feature of this.features.filter(({ connection }) => connection === name)) {
      for (const [queueName, options] of Object.entries(feature.queues)) {
        this.problems.push(...problemsOf(() => queue.declareQueue(queueName, options)));
      }
    }
  }
}
