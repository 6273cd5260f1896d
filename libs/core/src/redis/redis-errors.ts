import { BrokerError, BrokerTimeoutError } from '../contract/errors.js';

/**
 * What an error code asks of us.
 *
 * - `retry`: not now; nothing was changed, and the same call may succeed soon.
 * - `reconnect`: not here; the link is led elsewhere, then as `retry`.
 * - `repair`: something is missing that we can make again (a group, a script), then as `retry`.
 * - `refuse`: it stays so until somebody mends Redis or the options; `fix` says what.
 * - `report`: unforeseen, so a matter for people.
 */
export type Reaction = 'retry' | 'reconnect' | 'repair' | 'refuse' | 'report';

/** Every code that Redis is known to answer with, and what is done about it: the one place that decides that. */
export const REACTIONS: Readonly<Record<string, { readonly reaction: Reaction; readonly fix?: string }>> = {
  LOADING: { reaction: 'retry' },
  BUSY: { reaction: 'retry' },
  TRYAGAIN: { reaction: 'retry' },
  ASK: { reaction: 'retry' },
  CLUSTERDOWN: { reaction: 'retry' },
  NOREPLICAS: { reaction: 'retry' },
  MAXCLIENTS: { reaction: 'retry' },
  NOTREADY: { reaction: 'retry' },
  MOVED: { reaction: 'reconnect' },
  MASTERDOWN: { reaction: 'reconnect' },
  READONLY: { reaction: 'reconnect' },
  NOSCRIPT: { reaction: 'repair' },
  NOGROUP: { reaction: 'repair' },
  UNBLOCKED: { reaction: 'repair' },
  OOM: { reaction: 'refuse', fix: 'Redis is at maxmemory: let workers drain it, or give it more memory' },
  MISCONF: { reaction: 'refuse', fix: 'Redis cannot persist and refuses writes: see its log' },
  NOAUTH: { reaction: 'refuse', fix: 'give redis.password' },
  WRONGPASS: { reaction: 'refuse', fix: 'check redis.username and redis.password' },
  NOPERM: { reaction: 'refuse', fix: 'the Redis user lacks a permission that taskq needs' },
  NOPROTO: { reaction: 'refuse', fix: 'taskq speaks RESP3: use Redis 7.0, Valkey 7.2 or newer' },
  DENIED: { reaction: 'refuse', fix: 'Redis runs in protected mode: give it a password or let this host in' },
  CROSSSLOT: { reaction: 'refuse', fix: 'set redis.cluster: this server is part of a Cluster' },
  LAYOUT: {
    reaction: 'refuse',
    fix: 'the queue was split anew meanwhile: give every process the same queues.<name>.partitions, and start it again',
  },
  WRONGTYPE: {
    reaction: 'refuse',
    fix: 'a key of this prefix holds something else: choose another prefix or queue name',
  },
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

/** Answers that have no code of their own. */
const WITHOUT_CODE: readonly (readonly [RegExp, string])[] = [
  // A script whose user may not do what it does; Redis 7.0, and 7.2 and newer.
  [/^ERR (The user executing the script|ACL failure in script)/, 'NOPERM'],
  [/^ERR max number of clients/, 'MAXCLIENTS'],
];

function fromReply(message: string): BrokerError {
  const code = /^-?([A-Z][A-Z0-9]+)\b/.exec(message)?.[1] ?? 'ERR';
  const reason = WITHOUT_CODE.find(([answer]) => answer.test(message))?.[1] ?? code;
  const shown = message.replace(/,? with args beginning with:.*$/s, '').replace(/\n.*$/s, '');
  const { reaction, fix } = (Object.hasOwn(REACTIONS, reason) && REACTIONS[reason]) || UNFORESEEN;
  return new BrokerError(reason, `Redis answered: ${shown}`, {
    retryable: reaction === 'retry' || reaction === 'reconnect' || reaction === 'repair',
    ...(fix !== undefined && { fix }),
  });
}

const UNFORESEEN: { readonly reaction: Reaction; readonly fix?: string } = { reaction: 'report' };

function linkMessage(name: string, message: string): string {
  return name === 'MaxRetriesPerRequestError' ? 'the connection was lost' : message;
}
