import { type ArgumentsHost, type ExceptionFilter, Logger } from '@nestjs/common';
import {
  BrokerError,
  ConfigurationError,
  EnqueueManyError,
  EnqueueOutcomeUnknownError,
  InvalidPayloadError,
  LifecycleError,
  QueueFullError,
  TaskqError,
} from '@taskq/nestjs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TaskqErrorFilter } from './taskq-error.filter.js';

beforeAll(() => Logger.overrideLogger(false));
afterAll(() => Logger.overrideLogger(['error', 'warn', 'log']));

/** What a caller is answered when this is thrown. */
function answerTo(error: TaskqError): { status: number; headers: Record<string, string>; body: unknown } {
  const answer = { status: 0, headers: {} as Record<string, string>, body: undefined as unknown };
  const response = {
    set: (name: string, value: string) => void (answer.headers[name] = value),
    status: (status: number) => {
      answer.status = status;
      return { json: (body: unknown) => void (answer.body = body) };
    },
  };
  const host = { switchToHttp: () => ({ getResponse: () => response }) } as unknown as ArgumentsHost;
  const filter: ExceptionFilter = new TaskqErrorFilter();
  // oxlint-disable-next-line promise/no-promise-in-callback -- a filter's method, not a promise's
  filter.catch(error, host);
  return answer;
}

describe('TaskqErrorFilter', () => {
  it('answers 400 to what is wrong, with every issue', () => {
    const issues = [{ path: 'to', message: 'must be an email' }];

    expect(answerTo(new InvalidPayloadError('mail', issues))).toMatchObject({
      status: 400,
      body: { statusCode: 400, code: 'TASKQ_INVALID_PAYLOAD', issues },
    });
    expect(answerTo(new ConfigurationError('enqueue', ['delay is negative']))).toMatchObject({
      status: 400,
      body: { problems: ['delay is negative'] },
    });
  });

  it('answers 503 to what passes, and when to come again', () => {
    expect(answerTo(new QueueFullError('mail', 10, 1200))).toMatchObject({
      status: 503,
      headers: { 'Retry-After': '2' },
      body: { code: 'TASKQ_QUEUE_FULL' },
    });
    expect(answerTo(new BrokerError('OOM', 'Redis is full')).status).toBe(503);
    expect(answerTo(new LifecycleError('the producer is closed')).status).toBe(503);
  });

  it('answers 504 when nobody knows, with the id', () => {
    expect(answerTo(new EnqueueOutcomeUnknownError('id-1', 'mail', undefined))).toMatchObject({
      status: 504,
      body: { code: 'TASKQ_ENQUEUE_OUTCOME_UNKNOWN', id: 'id-1' },
    });
  });

  it('answers many with the status of the first failure, and what became of each', () => {
    const outcomes = [{ id: 'a', status: 'accepted' }, new QueueFullError('mail', 1, 100)];

    expect(answerTo(new EnqueueManyError(outcomes))).toMatchObject({
      status: 503,
      headers: { 'Retry-After': '1' },
      body: {
        code: 'TASKQ_ENQUEUE_MANY',
        tasks: [outcomes[0], { status: 'failed', code: 'TASKQ_QUEUE_FULL' }],
      },
    });
  });

  it('answers 500 to everything else', () => {
    expect(answerTo(new TaskqError('what?')).status).toBe(500);
  });
});
