import { ConflictException } from '@nestjs/common';
import type { CallOptions, EnqueueResult } from '@taskq/nestjs';

/** What the API says of a task that it accepted, or had accepted before. */
export interface EnqueueAnswer extends EnqueueResult {
  /** Where to ask what has become of it. */
  readonly href: string;
}

/** Options of a call whose caller may have sent an `Idempotency-Key`. */
export function withKey(key: string | undefined): CallOptions {
  return key === undefined ? {} : { idempotencyKey: key };
}

/** The answer to one task. @throws ConflictException when its key was used for something else before */
export function answerTo(queue: string, result: EnqueueResult): EnqueueAnswer {
  const answer = { ...result, href: `/tasks/${queue}/${result.id}` };
  if (result.status !== 'conflict') return answer;
  throw new ConflictException({
    statusCode: 409,
    code: 'IDEMPOTENCY_CONFLICT',
    message: 'This Idempotency-Key was used for another body before; nothing was written.',
    ...answer,
  });
}
