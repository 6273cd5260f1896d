import { NonRetryableError } from '@taskq/nestjs';

/** The longest that a receiver may send us away for. */
const LONGEST_RETRY_AFTER_MS = 3_600_000;

/** The receiver could not take the webhook now. `retryAfter` is when it wants to be asked again, if it said so. */
export class ReceiverBusyError extends Error {
  override readonly name = 'ReceiverBusyError';

  constructor(
    status: number,
    /** Milliseconds; taskq takes it for the delay before the next attempt. */
    readonly retryAfter: number | undefined,
  ) {
    super(`the receiver answered ${status}`);
  }
}

/** The receiver will never take this webhook. */
export class ReceiverRefusedError extends NonRetryableError {
  constructor(status: number) {
    super(`the receiver refused with ${status}`);
  }
}

/** What an answer other than 2xx means: try again for what passes, give up for what does not. */
export function failureOf(status: number, retryAfter: string | null, now: number): Error {
  const passes = status >= 500 || status === 408 || status === 425 || status === 429;
  if (!passes) return new ReceiverRefusedError(status);
  return new ReceiverBusyError(status, retryAfterMs(retryAfter, now));
}

/** Seconds, or a date. */
function retryAfterMs(header: string | null, now: number): number | undefined {
  if (header === null) return undefined;
  const ms = /^\d+$/.test(header) ? Number(header) * 1000 : Date.parse(header) - now;
  return Number.isFinite(ms) ? Math.min(Math.max(ms, 0), LONGEST_RETRY_AFTER_MS) : undefined;
}
