import { defineTask } from '@taskq/nestjs';
import { WebhookDto } from './webhook.dto.js';

/** One webhook reaches its receiver. */
export const deliverWebhook = defineTask({
  type: 'webhook.deliver',
  queue: 'webhooks',
  payload: WebhookDto,
  maxAttempts: 8,
  timeout: '30s',
  backoff: { base: '250ms', factor: 2, max: '30s' },
});
