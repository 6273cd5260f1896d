import { type DynamicModule, Module } from '@nestjs/common';
import { APP_FILTER } from '@nestjs/core';
import { ConfigService } from '@nestjs/config';
import { TaskQueueModule } from '@taskq/nestjs';
import { CatalogueModule } from './catalogue/catalogue.module.js';
import { serves } from './config/role.js';
import type { SampleConfig } from './config/sample-config.js';
import { SampleConfigModule } from './config/sample-config.module.js';
import { HealthModule } from './health/health.module.js';
import { TaskqErrorFilter } from './http/taskq-error.filter.js';
import { TaskLedger } from './ledger/task-ledger.js';
import { QueuesModule } from './queues/queues.module.js';
import { ThumbnailsModule } from './thumbnails/thumbnails.module.js';
import { WebhooksModule } from './webhooks/webhooks.module.js';

/** The application: one set of modules for every role, each of which leaves out what its role does not do. */
@Module({})
export class SampleModule {
  static for(config: SampleConfig): DynamicModule {
    const { role } = config;
    return {
      module: SampleModule,
      imports: [
        SampleConfigModule.for(config),
        TaskQueueModule.forRootAsync({
          inject: [ConfigService],
          useFactory: (settings: ConfigService<SampleConfig, true>) => ({
            ...settings.get('engine', { infer: true }),
            role: settings.get('role', { infer: true }),
          }),
        }),
        CatalogueModule.for(role),
        ThumbnailsModule.for(role),
        WebhooksModule.for(role),
        HealthModule,
        ...(serves(role) ? [QueuesModule] : []),
      ],
      providers: [TaskLedger, { provide: APP_FILTER, useClass: TaskqErrorFilter }],
    };
  }
}
