import { Module } from '@nestjs/common';
import { HealthIndicatorService } from '@nestjs/terminus';
import { TaskQueueHealthIndicator } from './task-queue.health.js';

/** Makes {@link TaskQueueHealthIndicator} injectable: import it beside `TerminusModule` where health is checked. */
@Module({
  providers: [HealthIndicatorService, TaskQueueHealthIndicator],
  exports: [TaskQueueHealthIndicator],
})
export class TaskQueueHealthModule {}
