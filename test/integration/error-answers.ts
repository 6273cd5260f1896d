import { readFileSync } from 'node:fs';

/** What a code asks of the engine; see `REACTIONS` of redis-errors.ts. */
export type Reaction = 'retry' | 'reconnect' | 'repair' | 'refuse' | 'report';

/** A code as Redis answers it, and what is to be done about it. */
export interface Answer {
  readonly code: string;
  /** Code and sentence. */
  readonly says: string;
  readonly reaction: Reaction;
  /** A word of the advice that comes with it, if any does. */
  readonly advice: string | undefined;
}

const answer = (reaction: Reaction, says: string, advice?: string): Answer => ({
  // Redis has no code for this one, and the engine gives it one.
  code: says.startsWith('ERR max number of clients') ? 'MAXCLIENTS' : says.split(' ')[0]!,
  says,
  reaction,
  advice,
});

/**
 * Every code that Redis is known to answer with, written down once more: whoever changes the engine's own table has to
 * say here, too, what is to become of tasks then.
 */
export const ANSWERS: readonly Answer[] = [
  answer('retry', 'LOADING Redis is loading the dataset in memory'),
  answer('retry', 'BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.'),
  answer('retry', 'TRYAGAIN Multiple keys request during rehashing of slot'),
  answer('retry', 'ASK 3999 127.0.0.1:1'),
  answer('retry', 'CLUSTERDOWN The cluster is down'),
  answer('retry', 'NOREPLICAS Not enough good replicas to write.'),
  answer('retry', 'NOTREADY Not ready'),
  answer('retry', 'ERR max number of clients reached'),
  answer('reconnect', 'MOVED 3999 127.0.0.1:1', 'redis.cluster'),
  answer('reconnect', "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'."),
  answer('reconnect', "READONLY You can't write against a read only replica."),
  answer('repair', 'NOSCRIPT No matching script. Please use EVAL.'),
  answer('repair', "NOGROUP No such key or consumer group 'workers' in XREADGROUP with GROUP option"),
  answer('repair', 'UNBLOCKED the stream key no longer exists'),
  answer('refuse', "OOM command not allowed when used memory > 'maxmemory'.", 'memory'),
  answer('refuse', 'MISCONF Redis is configured to save RDB snapshots, but it cannot persist.', 'persist'),
  answer('refuse', 'NOAUTH Authentication required.', 'redis.password'),
  answer('refuse', 'WRONGPASS invalid username-password pair or user is disabled.', 'redis.password'),
  answer('refuse', "NOPERM this user has no permissions to run the 'x' command", 'permission'),
  answer('refuse', 'NOPROTO unsupported protocol version', 'RESP3'),
  answer('refuse', 'DENIED Redis is running in protected mode', 'protected mode'),
  answer('refuse', "CROSSSLOT Keys in request don't hash to the same slot", 'redis.cluster'),
  answer('refuse', 'LAYOUT this belongs to a queue of 3 partitions, not of 1', 'partitions'),
  answer('refuse', 'WRONGTYPE Operation against a key holding the wrong kind of value', 'prefix'),
  // Nobody has foreseen these.
  answer('report', 'ERR unknown command'),
  answer('report', 'NEWCODE something that does not exist yet'),
];

/** Codes of the engine's own table, with their reactions: read from its source, since it is nobody else's to use. */
export function engineReactions(): ReadonlyMap<string, string> {
  const source = readFileSync('libs/core/src/redis/redis-errors.ts', 'utf8');
  const table = source.slice(source.indexOf('REACTIONS:'), source.indexOf('\n};'));
  const rows = table.matchAll(/^ {2}([A-Z]+): \{\s*reaction: '(\w+)'/gm);
  return new Map([...rows].map(([, code, reaction]) => [code!, reaction!]));
}
