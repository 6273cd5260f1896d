import { ConfigurableModuleBuilder, type Provider } from '@nestjs/common';
import type { TaskQueue } from '@taskq/core';
import type { TaskQueueConnection } from './task-queue.connection.js';
import { TaskQueueConnections } from './task-queue.connections.js';
import { DEFAULT_CONNECTION, type TaskQueueModuleOptions } from './task-queue.options.js';
import { TaskQueueSharedModule } from './task-queue-shared.module.js';
import {
  getTaskEventsToken,
  getTaskProducerToken,
  getTaskQueueConnectionToken,
  getTaskQueueInspectorToken,
  getTaskQueueRedisToken,
  getTaskQueueToken,
} from './task-queue.tokens.js';

/** Token of the options as they were given, inside the module of their connection. */
const TASK_QUEUE_OPTIONS = 'TASKQ_OPTIONS';

/** What is needed before any options are there. */
export interface TaskQueueExtras {
  /** Name of the connection. @default 'default' */
  name?: string;
}

/** `forRoot` and `forRootAsync`, as Nest's own modules have them. */
export const { ConfigurableModuleClass, OPTIONS_TYPE, ASYNC_OPTIONS_TYPE } =
  new ConfigurableModuleBuilder<TaskQueueModuleOptions>({ optionsInjectionToken: TASK_QUEUE_OPTIONS })
    .setClassMethodName('forRoot')
    .setFactoryMethodName('createTaskQueueOptions')
    .setExtras<TaskQueueExtras>({ name: DEFAULT_CONNECTION }, (definition, { name = DEFAULT_CONNECTION }) => {
      const connection = connectionProviders(name);
      return {
        ...definition,
        global: true,
        imports: [...(definition.imports ?? []), TaskQueueSharedModule],
        providers: [...(definition.providers ?? []), ...connection],
        exports: connection.map(({ provide }) => provide),
      };
    })
    .build();

/** Everything of one connection that can be injected anywhere. */
function connectionProviders(name: string) {
  const connection = getTaskQueueConnectionToken(name);
  const queue = getTaskQueueToken(name);
  return [
    {
      provide: connection,
      inject: [TaskQueueConnections, TASK_QUEUE_OPTIONS],
      useFactory: (connections: TaskQueueConnections, options: TaskQueueModuleOptions | undefined) =>
        connections.open(name, options),
    },
    { provide: queue, inject: [connection], useFactory: (opened: TaskQueueConnection) => opened.queue },
    {
      provide: getTaskProducerToken(name),
      inject: [queue],
      useFactory: ({ producer }: TaskQueue) => producer,
    },
    {
      provide: getTaskQueueInspectorToken(name),
      inject: [queue],
      useFactory: ({ inspector }: TaskQueue) => inspector,
    },
    { provide: getTaskEventsToken(name), inject: [queue], useFactory: ({ events }: TaskQueue) => events },
    {
      provide: getTaskQueueRedisToken(name),
      inject: [queue],
      useFactory: ({ broker }: TaskQueue) => broker.client,
    },
  ] satisfies Provider[];
}
