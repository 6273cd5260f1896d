import { type DynamicModule, Module, type Provider } from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';
import { initLastDestroyFirst } from './nest-internals.js';
import { TaskHandlerExplorer } from './task-handler.explorer.js';
import type { TaskQueueConnection } from './task-queue.connection.js';
import { TaskQueueConnections } from './task-queue.connections.js';
import { TaskQueueCoreModule } from './task-queue-core.module.js';
import {
  TASK_QUEUE_FEATURE,
  type TaskQueueFeature,
  TaskQueueFeatureModule,
} from './task-queue-feature.module.js';
import type { ASYNC_OPTIONS_TYPE, OPTIONS_TYPE } from './task-queue.module-definition.js';
import { DEFAULT_CONNECTION } from './task-queue.options.js';
import { TaskQueueSharedModule } from './task-queue-shared.module.js';
import { getTaskQueueConnectionToken, getTaskWorkerHostToken } from './task-queue.tokens.js';
import { TaskWorkerHost } from './task-worker.host.js';

/**
 * Gives an application a task queue: `TaskProducer`, `Inspector`, `TaskEvents` and the Redis client to inject anywhere,
 * and a worker for every method under `@TaskHandler`.
 *
 * ```ts
 * @Module({ imports: [TaskQueueModule.forRoot({ redis: { url: 'redis://localhost:6379' } })] })
 * export class AppModule {}
 * ```
 *
 * The connection is made while providers are; a Redis that cannot be reached or would lose tasks ends the start. The
 * worker starts after everything else and drains before anything else is destroyed, so this module is not global:
 * Nest destroys global modules last.
 */
@Module({})
export class TaskQueueModule {
  constructor(modules: ModulesContainer) {
    initLastDestroyFirst(modules, TaskQueueModule);
  }

  /**
   * One connection and its worker. For a second connection call it again with another `name`.
   * Wrong options, a name used twice and handlers that cannot run as declared end the start with one message.
   */
  static forRoot(options: typeof OPTIONS_TYPE = {}): DynamicModule {
    return withWorker(TaskQueueCoreModule.forRoot(options), options.name);
  }

  /** Like `forRoot`, with options from `useFactory`, `useClass` or `useExisting`; `name` stands beside these. */
  static forRootAsync(options: typeof ASYNC_OPTIONS_TYPE): DynamicModule {
    return withWorker(TaskQueueCoreModule.forRootAsync(options), options.name);
  }

  /** Declares a feature's queues and contracts, in the module of that feature. Needs a `forRoot` in the application. */
  static forFeature({
    connection = DEFAULT_CONNECTION,
    queues = {},
    contracts = [],
  }: TaskQueueFeature): DynamicModule {
    const feature: Provider = { provide: TASK_QUEUE_FEATURE, useValue: { connection, queues, contracts } };
    return { module: TaskQueueFeatureModule, providers: [feature] };
  }
}

function withWorker(core: DynamicModule, connection: string | undefined): DynamicModule {
  const host = getTaskWorkerHostToken(connection);
  return {
    module: TaskQueueModule,
    imports: [core, TaskQueueSharedModule],
    providers: [
      {
        provide: host,
        inject: [getTaskQueueConnectionToken(connection), TaskQueueConnections, TaskHandlerExplorer],
        useFactory: (
          opened: TaskQueueConnection,
          connections: TaskQueueConnections,
          explorer: TaskHandlerExplorer,
        ) => new TaskWorkerHost(opened, connections, explorer),
      },
    ],
    exports: [host],
  };
}
