import { defineTask } from '@taskq/nestjs';
import { ThumbnailRequestDto } from './thumbnail-request.dto.js';

/** Thumbnails of one image, in several sizes. */
export const makeThumbnails = defineTask({
  type: 'thumbnails.make',
  queue: 'thumbnails',
  payload: ThumbnailRequestDto,
  maxAttempts: 3,
  timeout: '1m',
  backoff: { base: '500ms', max: '10s' },
});
