import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { Request } from 'express';

/** The request's `Idempotency-Key`, if it has one: a caller that repeats a request repeats its key. */
export const IdempotencyKey = createParamDecorator<undefined, string | undefined>(
  (_data, context: ExecutionContext) =>
    context.switchToHttp().getRequest<Request>().get('idempotency-key') || undefined,
);
