import { BrokerError, BrokerTimeoutError } from '../contract/errors.js';

/** Replies that say "not now": nothing was changed, and the same call may succeed soon. */
const PASSING: ReadonlySet<string> = new Set([
  'LOADING',
  'BUSY',
  'TRYAGAIN',
  'CLUSTERDOWN',
  'MASTERDOWN',
  'READONLY',
  'NOREPLICAS',
  'UNBLOCKED',
  'NOSCRIPT',
]);

/** What to do about replies that need somebody. */
const FIXES: Readonly<Record<string, string>> = {
  OOM: 'Redis is at maxmemory: let workers drain it, or give it more memory',
  MISCONF: 'Redis cannot persist and refuses writes: see its log',
  NOAUTH: 'give redis.password',
  WRONGPASS: 'check redis.username and redis.password',
  NOPERM: 'the Redis user lacks a permission that taskq needs',
  WRONGTYPE: 'a key of this prefix holds something else: choose another prefix or queue name',
};

/**
 * The error to pass on for one that ioredis raised. Arguments of the command, which ioredis attaches to its errors,
 * are left behind: they hold payloads. So is whatever Redis quotes of them.
 */
export function toBrokerError(error: unknown): BrokerError {
  if (error instanceof BrokerError) return error;
  const message = error instanceof Error ? error.message : String(error);
  const name = error instanceof Error ? error.name : '';
  if (name === 'ReplyError') return fromReply(message);
  // Not sent at all: ioredis had no usable link and its offline queue is off.
  if (message.startsWith("Stream isn't writeable")) {
    return new BrokerError('UNAVAILABLE', 'Redis is not connected', { retryable: true });
  }
  const reason =
    (error as { code?: string } | undefined)?.code ?? (message === 'Command timed out' ? 'TIMEOUT' : 'LINK');
  return new BrokerTimeoutError(reason, `Redis did not answer: ${linkMessage(name, message)}`, {
    retryable: true,
  });
}

function fromReply(message: string): BrokerError {
  const reason = /^-?([A-Z][A-Z0-9]+)\b/.exec(message)?.[1] ?? 'ERR';
  const shown = message.replace(/,? with args beginning with:.*$/s, '').replace(/\n.*$/s, '');
  return new BrokerError(reason, `Redis answered: ${shown}`, {
    retryable: PASSING.has(reason),
    ...(FIXES[reason] && { fix: FIXES[reason] }),
  });
}

function linkMessage(name: string, message: string): string {
  return name === 'MaxRetriesPerRequestError' ? 'the connection was lost' : message;
}
