import { type DynamicModule, Module } from '@nestjs/common';
import { TaskQueueModule } from '@taskq/nestjs';
import { type Role, serves, works } from '../config/role.js';
import { deliverWebhook } from './deliver-webhook.contract.js';
import { WebhookHandler } from './webhook.handler.js';
import { WebhooksController } from './webhooks.controller.js';
import { WebhookTargets } from './webhook-targets.js';

/** Webhooks: handed in over HTTP, delivered by the worker. */
@Module({})
export class WebhooksModule {
  static for(role: Role): DynamicModule {
    return {
      module: WebhooksModule,
      imports: [TaskQueueModule.forFeature({ contracts: [deliverWebhook] })],
      controllers: serves(role) ? [WebhooksController] : [],
      providers: [WebhookTargets, ...(works(role) ? [WebhookHandler] : [])],
    };
  }
}
