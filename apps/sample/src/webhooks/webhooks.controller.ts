import { BadRequestException, Body, Controller, HttpCode, HttpStatus, Post } from '@nestjs/common';
import { TaskProducer } from '@taskq/nestjs';
import { answerTo, type EnqueueAnswer, withKey } from '../http/enqueue-answer.js';
import { IdempotencyKey } from '../http/idempotency-key.decorator.js';
import { deliverWebhook } from './deliver-webhook.contract.js';
import type { WebhookDto } from './webhook.dto.js';
import { WebhookTargets } from './webhook-targets.js';

/** Takes webhooks to be delivered. */
@Controller('webhooks')
export class WebhooksController {
  constructor(
    private readonly producer: TaskProducer,
    private readonly targets: WebhookTargets,
  ) {}

  @Post()
  @HttpCode(HttpStatus.ACCEPTED)
  async send(@Body() webhook: WebhookDto, @IdempotencyKey() key: string | undefined): Promise<EnqueueAnswer> {
    if (URL.canParse(webhook?.url) && !this.targets.allows(webhook.url)) {
      throw new BadRequestException(
        'Webhooks may not be sent to this host; see webhooks.hosts in config.yaml.',
      );
    }
    const result = await this.producer.enqueue(deliverWebhook, webhook, withKey(key));
    return answerTo(deliverWebhook.queue, result);
  }
}
