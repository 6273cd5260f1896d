import { Module } from '@nestjs/common';
import { TerminusModule } from '@nestjs/terminus';
import { TaskQueueHealthModule } from '@taskq/nestjs/terminus';
import { HealthController } from './health.controller.js';

/** Health over HTTP. */
@Module({
  imports: [TerminusModule, TaskQueueHealthModule],
  controllers: [HealthController],
})
export class HealthModule {}
