import { Body, Controller, HttpCode, HttpStatus, Post } from '@nestjs/common';
import { TaskProducer } from '@taskq/nestjs';
import { answerTo, type EnqueueAnswer, withKey } from '../http/enqueue-answer.js';
import { IdempotencyKey } from '../http/idempotency-key.decorator.js';
import { makeThumbnails } from './make-thumbnails.contract.js';
import type { ThumbnailRequestDto } from './thumbnail-request.dto.js';

/** Takes orders for thumbnails. The contract checks the body: a wrong one is answered with 400 and every issue. */
@Controller('thumbnails')
export class ThumbnailsController {
  constructor(private readonly producer: TaskProducer) {}

  @Post()
  @HttpCode(HttpStatus.ACCEPTED)
  async order(
    @Body() request: ThumbnailRequestDto,
    @IdempotencyKey() key: string | undefined,
  ): Promise<EnqueueAnswer> {
    const result = await this.producer.enqueue(makeThumbnails, request, withKey(key));
    return answerTo(makeThumbnails.queue, result);
  }
}
