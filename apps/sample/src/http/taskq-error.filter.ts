import { type ArgumentsHost, Catch, type ExceptionFilter, HttpStatus, Logger } from '@nestjs/common';
import {
  BacklogFullError,
  BrokerError,
  ConfigurationError,
  EnqueueManyError,
  EnqueueOutcomeUnknownError,
  InvalidPayloadError,
  LifecycleError,
  QueueFullError,
  TaskqError,
} from '@taskq/nestjs';
import type { Response } from 'express';

/** What a caller is told of an error. */
interface ErrorAnswer {
  readonly status: HttpStatus;
  readonly retryAfterMs?: number;
  readonly details?: Readonly<Record<string, unknown>>;
}

/** Turns what taskq throws into HTTP answers: one place, so that every route fails alike. */
@Catch(TaskqError)
export class TaskqErrorFilter implements ExceptionFilter<TaskqError> {
  private readonly logger = new Logger(TaskqErrorFilter.name);

  catch(error: TaskqError, host: ArgumentsHost): void {
    const { status, retryAfterMs, details } = answerTo(error);
    if (status >= HttpStatus.INTERNAL_SERVER_ERROR) this.logger.warn(`${error.code}: ${error.message}`);
    const response = host.switchToHttp().getResponse<Response>();
    if (retryAfterMs !== undefined) response.set('Retry-After', String(Math.ceil(retryAfterMs / 1000)));
    response
      .status(status)
      .json({ statusCode: status, code: error.code, message: error.message, ...details });
  }
}

function answerTo(error: TaskqError): ErrorAnswer {
  if (error instanceof InvalidPayloadError) {
    return { status: HttpStatus.BAD_REQUEST, details: { issues: error.issues } };
  }
  if (error instanceof ConfigurationError) {
    return { status: HttpStatus.BAD_REQUEST, details: { problems: error.problems } };
  }
  if (error instanceof QueueFullError) {
    return { status: HttpStatus.SERVICE_UNAVAILABLE, retryAfterMs: error.retryAfterMs };
  }
  if (error instanceof EnqueueOutcomeUnknownError) {
    // It may have been accepted: whoever repeats the request with its Idempotency-Key cannot do it twice.
    return { status: HttpStatus.GATEWAY_TIMEOUT, details: { id: error.id } };
  }
  if (error instanceof EnqueueManyError) return answerToMany(error);
  if (error instanceof BacklogFullError || error instanceof BrokerError || error instanceof LifecycleError) {
    return { status: HttpStatus.SERVICE_UNAVAILABLE, retryAfterMs: 1000 };
  }
  return { status: HttpStatus.INTERNAL_SERVER_ERROR };
}

/** The status of the first failure, and what became of each task. */
function answerToMany(error: EnqueueManyError): ErrorAnswer {
  const first = error.outcomes.find((outcome): outcome is TaskqError => outcome instanceof TaskqError);
  const tasks = error.outcomes.map((outcome) =>
    outcome instanceof TaskqError
      ? { status: 'failed', code: outcome.code, message: outcome.message }
      : outcome,
  );
  const answer = first ? answerTo(first) : { status: HttpStatus.INTERNAL_SERVER_ERROR };
  return { ...answer, details: { tasks } };
}
