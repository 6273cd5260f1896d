import { Controller, Get } from '@nestjs/common';
import { HealthCheck, type HealthCheckResult, HealthCheckService } from '@nestjs/terminus';
import { TaskQueueHealthIndicator } from '@taskq/nestjs/terminus';

/** What an orchestrator asks: every process answers, whatever its role. */
@Controller('health')
export class HealthController {
  constructor(
    private readonly health: HealthCheckService,
    private readonly taskQueue: TaskQueueHealthIndicator,
  ) {}

  /** Whether this process is alive. Looks at nothing else: a restart would not mend Redis. */
  @Get('live')
  @HealthCheck()
  live(): Promise<HealthCheckResult> {
    return this.health.check([]);
  }

  /** Whether it can do its work: Redis answers, and the worker gets on. */
  @Get('ready')
  @HealthCheck()
  ready(): Promise<HealthCheckResult> {
    return this.health.check([() => this.taskQueue.check('taskq')]);
  }
}
