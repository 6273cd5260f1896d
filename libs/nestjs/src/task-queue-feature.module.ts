import { Inject, Module, type OnModuleInit } from '@nestjs/common';
import { type AnyContract, ConfigurationError, type QueueOptions } from '@taskq/core';
import { type DeclaredFeature, TaskQueueConnections } from './task-queue.connections.js';
import { TaskQueueSharedModule } from './task-queue-shared.module.js';

/** What a feature of an application brings along. */
export interface TaskQueueFeature {
  /** Options of the feature's queues. A queue has its options in one place: here or in `forRoot`. */
  queues?: Readonly<Record<string, QueueOptions>>;
  /** Contracts: checked at boot, and found by handlers that name their type only. */
  contracts?: readonly AnyContract[];
  /** Name of the connection. @default 'default' */
  connection?: string;
}

/** Token of what one feature declares, inside its module. @internal */
export const TASK_QUEUE_FEATURE = 'TASKQ_FEATURE';

/** One `forFeature`. @internal */
@Module({ imports: [TaskQueueSharedModule] })
export class TaskQueueFeatureModule implements OnModuleInit {
  constructor(
    @Inject(TASK_QUEUE_FEATURE) private readonly feature: DeclaredFeature,
    private readonly connections: TaskQueueConnections,
  ) {
    connections.addFeature(feature);
  }

  /** Where there is a connection its worker host looks at the features; where there is none, nobody else would. */
  onModuleInit(): void {
    if (this.connections.names.length > 0) return;
    const { connection } = this.feature;
    throw new ConfigurationError('TaskQueueModule.forFeature', [
      `there is no connection "${connection}": import TaskQueueModule.forRoot in the application's root module`,
    ]);
  }
}
