import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { BrokerError, BrokerTimeoutError } from '../contract/errors.js';
import { type Reaction, REACTIONS, toBrokerError } from './redis-errors.js';

const CANARY = 'canary-4711-secret';

/** An error as ioredis raises it for one that Redis answered, with the command that it attaches. */
function reply(message: string): Error {
  const error = Object.assign(new Error(message), {
    command: { name: 'evalsha', args: [CANARY, 'payload', CANARY] },
    previousErrors: [new Error(CANARY)],
  });
  error.name = 'ReplyError';
  return error;
}

function named(name: string, message: string, more: object = {}): Error {
  return Object.assign(new Error(message), { name, command: { args: [CANARY] } }, more);
}

/** Sentences as Redis and Valkey answer them. */
const ANSWERS: Readonly<Record<string, string>> = {
  LOADING: 'LOADING Redis is loading the dataset in memory',
  BUSY: 'BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.',
  TRYAGAIN: 'TRYAGAIN Multiple keys request during rehashing of slot',
  ASK: 'ASK 3999 127.0.0.1:6381',
  CLUSTERDOWN: 'CLUSTERDOWN The cluster is down',
  NOREPLICAS: 'NOREPLICAS Not enough good replicas to write.',
  NOTREADY: 'NOTREADY Not ready',
  MAXCLIENTS: 'ERR max number of clients reached',
  MOVED: 'MOVED 3999 127.0.0.1:6381',
  MASTERDOWN: "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
  READONLY: "READONLY You can't write against a read only replica.",
  NOSCRIPT: 'NOSCRIPT No matching script. Please use EVAL.',
  NOGROUP: "NOGROUP No such key 'k' or consumer group 'workers' in XREADGROUP with GROUP option",
  UNBLOCKED: 'UNBLOCKED the stream key no longer exists',
  OOM: "OOM command not allowed when used memory > 'maxmemory'.",
  MISCONF: 'MISCONF Redis is configured to save RDB snapshots, but it is unable to persist to disk.',
  NOAUTH: 'NOAUTH Authentication required.',
  WRONGPASS: 'WRONGPASS invalid username-password pair or user is disabled.',
  NOPERM: "NOPERM this user has no permissions to run the 'evalsha' command",
  NOPROTO: 'NOPROTO unsupported protocol version',
  DENIED: '-DENIED Redis is running in protected mode because protected mode is enabled',
  CROSSSLOT: "CROSSSLOT Keys in request don't hash to the same slot",
  LAYOUT: 'LAYOUT this belongs to a queue of 3 partitions, not of 1',
  WRONGTYPE: 'WRONGTYPE Operation against a key holding the wrong kind of value',
};

/** What each reaction means to whoever made the call. */
const MEANS: Readonly<Record<Reaction, { retryable: boolean; fixed: boolean }>> = {
  retry: { retryable: true, fixed: false },
  reconnect: { retryable: true, fixed: false },
  repair: { retryable: true, fixed: false },
  refuse: { retryable: false, fixed: true },
  report: { retryable: false, fixed: false },
};

describe('a code that Redis answers with', () => {
  it('is one of those that have a sentence here, and the other way round', () => {
    expect(Object.keys(REACTIONS).toSorted()).toEqual(Object.keys(ANSWERS).toSorted());
  });

  it.each(Object.entries(REACTIONS))('%s is what its reaction says', (code, { reaction, fix }) => {
    const error = toBrokerError(reply(ANSWERS[code]!));
    const { retryable, fixed } = MEANS[reaction];

    expect(error).toBeInstanceOf(BrokerError);
    expect(error).not.toBeInstanceOf(BrokerTimeoutError);
    expect(error).toMatchObject({ reason: code, retryable, message: `Redis answered: ${ANSWERS[code]}` });
    expect(error.fix).toBe(fix);
    expect(fix !== undefined).toBe(fixed);
  });

  it('that nobody foresaw is reported: not retried, and without advice', () => {
    for (const [message, reason] of [
      ['ERR unknown command', 'ERR'],
      ['NEWCODE something new', 'NEWCODE'],
      ['no code at all', 'ERR'],
      ['constructor of an object', 'ERR'],
      ['', 'ERR'],
    ] as const) {
      const error = toBrokerError(reply(message));
      expect(error).toMatchObject({ reason, retryable: false });
      expect(error.fix).toBeUndefined();
    }
  });
});

describe('a script that may not do what it does', () => {
  it.each([
    "ERR The user executing the script can't run this command or subcommand script: 9874, on @user_script:63.",
    "ERR The user executing the script can't access at least one of the keys mentioned in the command arguments",
    "ERR ACL failure in script: User app has no permissions to run the 'xadd' command script: 9874, on @user_script:63.",
  ])('is as forbidden as one that may not be run: %s', (message) => {
    const error = toBrokerError(reply(message));

    expect(error).toMatchObject({ reason: 'NOPERM', retryable: false, fix: REACTIONS.NOPERM!.fix });
  });

  it('is not seen where only the text of a command says so', () => {
    expect(toBrokerError(reply('ERR unknown command: ACL failure in script')).reason).toBe('ERR');
  });
});

describe('an error of the link', () => {
  it('says that nothing was sent where nothing was', () => {
    const error = toBrokerError(new Error("Stream isn't writeable and enableOfflineQueue options is false"));

    expect(error).toMatchObject({ reason: 'UNAVAILABLE', retryable: true });
    expect(error).not.toBeInstanceOf(BrokerTimeoutError);
  });

  it.each([
    ['a command that waited in vain', named('Error', 'Command timed out'), 'TIMEOUT', 'Command timed out'],
    ['a reset', named('Error', 'read ECONNRESET', { code: 'ECONNRESET' }), 'ECONNRESET', 'read ECONNRESET'],
    ['a closed connection', named('Error', 'Connection is closed.'), 'LINK', 'Connection is closed.'],
    [
      'a connection that was lost',
      named('MaxRetriesPerRequestError', `Reached the max retries per request limit (${CANARY})`),
      'LINK',
      'the connection was lost',
    ],
    ['what is no error', 'gone', 'LINK', 'gone'],
  ])('%s leaves the outcome open', (_, raised, reason, says) => {
    const error = toBrokerError(raised);

    expect(error).toBeInstanceOf(BrokerTimeoutError);
    expect(error).toMatchObject({ reason, retryable: true, message: `Redis did not answer: ${says}` });
    expect(inspect(error, { depth: Infinity, showHidden: true })).not.toContain(CANARY);
  });

  it('that is one of ours already stays as it is', () => {
    const mine = new BrokerTimeoutError('UNCONFIRMED', 'not confirmed');

    expect(toBrokerError(mine)).toBe(mine);
  });
});

describe('arguments of a command', () => {
  it.each([
    ...Object.values(ANSWERS),
    `ERR unknown command 'EVALSHA', with args beginning with: '${CANARY}' 'x'`,
    `ERR unknown command 'EVALSHA' with args beginning with: ${CANARY}`,
    `ERR Error running script:\n${CANARY}`,
    `ERR unknown subcommand, with args beginning with: 'a'\n'${CANARY}'`,
  ])('never show: %s', (message) => {
    const error = toBrokerError(reply(message));
    const shown = [
      error.message,
      error.stack,
      JSON.stringify(error, Object.getOwnPropertyNames(error)),
      inspect(error, { depth: Infinity, showHidden: true }),
    ];

    expect(shown.join('\n')).not.toContain(CANARY);
    expect(error.cause).toBeUndefined();
  });
});
