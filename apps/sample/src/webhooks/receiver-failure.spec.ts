import { NonRetryableError } from '@taskq/nestjs';
import { describe, expect, it } from 'vitest';
import { failureOf, ReceiverBusyError } from './receiver-failure.js';

const NOW = Date.UTC(2030, 0, 1);

function retryAfterOf(header: string | null): number | undefined {
  return (failureOf(503, header, NOW) as ReceiverBusyError).retryAfter;
}

describe('failureOf', () => {
  it.each([500, 502, 503, 408, 425, 429])('tries %i again', (status) => {
    expect(failureOf(status, null, NOW)).toBeInstanceOf(ReceiverBusyError);
  });

  it.each([301, 400, 401, 404, 410, 422])('gives %i up', (status) => {
    expect(failureOf(status, null, NOW)).toBeInstanceOf(NonRetryableError);
  });

  it('takes Retry-After for the delay, in seconds or as a date, within reason', () => {
    expect(retryAfterOf('2')).toBe(2000);
    expect(retryAfterOf(new Date(NOW + 5000).toUTCString())).toBe(5000);
    expect(retryAfterOf(new Date(NOW - 5000).toUTCString())).toBe(0);
    expect(retryAfterOf('999999')).toBe(3_600_000);
    expect(retryAfterOf('soon')).toBeUndefined();
    expect(retryAfterOf(null)).toBeUndefined();
  });
});
