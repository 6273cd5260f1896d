import { Injectable, NotFoundException, type PipeTransform } from '@nestjs/common';
import { importMovie } from '../catalogue/import-movie.contract.js';
import { makeThumbnails } from '../thumbnails/make-thumbnails.contract.js';
import { deliverWebhook } from '../webhooks/deliver-webhook.contract.js';

const QUEUES = [importMovie, makeThumbnails, deliverWebhook].map(({ queue }) => queue);

/** Lets only queues of this application pass: another name would be looked up in Redis whatever it is. */
@Injectable()
export class KnownQueuePipe implements PipeTransform<string, string> {
  transform(queue: string): string {
    if (QUEUES.includes(queue)) return queue;
    throw new NotFoundException(`There is no queue "${queue}"; there are ${QUEUES.join(', ')}.`);
  }
}
