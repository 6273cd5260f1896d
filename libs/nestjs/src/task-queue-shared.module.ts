import { Module } from '@nestjs/common';
import { TaskHandlerExplorer } from './task-handler.explorer.js';
import { TaskHandlerInvoker } from './task-handler.invoker.js';
import { TaskQueueConnections } from './task-queue.connections.js';

/** What all connections and features of one application share. @internal */
@Module({
  providers: [TaskQueueConnections, TaskHandlerInvoker, TaskHandlerExplorer],
  exports: [TaskQueueConnections, TaskHandlerExplorer],
})
export class TaskQueueSharedModule {}
