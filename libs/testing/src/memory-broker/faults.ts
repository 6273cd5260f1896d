import { BrokerError, BrokerTimeoutError } from '@taskq/core';

/** A group that a call needs is gone; `ensureQueue` makes it again. */
export function noGroup(queue: string): BrokerError {
  return new BrokerError(
    'NOGROUP',
    `Redis answered: NOGROUP no consumer group "workers" in queue "${queue}"`,
    {
      retryable: true,
    },
  );
}

/** A stream that a fetch waited for is gone. */
export function unblocked(): BrokerError {
  return new BrokerError('UNBLOCKED', 'Redis answered: UNBLOCKED the stream key no longer exists', {
    retryable: true,
  });
}

/** The link broke under a call: what was asked may have happened. */
export function linkLost(): BrokerTimeoutError {
  return new BrokerTimeoutError('LINK', 'Redis did not answer: the connection was lost', { retryable: true });
}

/** Nothing was sent. */
export function notConnected(): BrokerError {
  return new BrokerError('UNAVAILABLE', 'Redis is not connected', { retryable: true });
}

/** Nothing will be sent ever again. */
export function closed(): BrokerError {
  return new BrokerError('CLOSED', 'the broker is closed');
}
