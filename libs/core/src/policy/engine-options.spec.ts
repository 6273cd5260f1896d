import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { ConfigurationError } from '../contract/errors.js';
import { type EngineOptions, queueOptions, resolveEngineOptions } from './engine-options.js';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

function failure(options: unknown): ConfigurationError {
  try {
    resolveEngineOptions(options as EngineOptions);
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    return error;
  }
  throw new Error('it was accepted');
}

/** An options object with one value at a path. */
function at(path: string, value: unknown): EngineOptions {
  return path.split('.').reduceRight<unknown>((inner, key) => ({ [key]: inner }), value) as EngineOptions;
}

function read(object: unknown, path: string): unknown {
  return path.split('.').reduce<unknown>((inner, key) => (inner as Record<string, unknown>)[key], object);
}

describe('resolveEngineOptions', () => {
  it('has every default', () => {
    const defaults = {
      redis: {
        url: undefined,
        addr: '127.0.0.1:6379',
        sentinels: undefined,
        sentinelName: 'mymaster',
        sentinelUsername: undefined,
        sentinelPassword: undefined,
        cluster: undefined,
        username: undefined,
        password: undefined,
        db: undefined,
        tls: undefined,
        connectTimeoutMs: 10 * SECOND,
        commandTimeoutMs: 5 * SECOND,
        unsafe: 'refuse',
        persistence: 'warn',
      },
      prefix: 'taskq',
      tasks: {
        maxAttempts: 5,
        timeoutMs: 5 * MINUTE,
        backoff: { baseMs: SECOND, factor: 2, maxMs: HOUR },
        retryDelay: undefined,
        durability: 'accepted',
      },
      queueDefaults: {
        partitions: 1,
        concurrency: 10,
        prefetch: 200,
        maxReady: 1_000_000,
        whenFull: 'reject',
        waitTimeoutMs: 30 * SECOND,
      },
      queues: {},
      worker: {
        name: undefined,
        leaseMs: 15 * SECOND,
        heartbeatMs: 5 * SECOND,
        heartbeatThread: true,
        drainTimeoutMs: 25 * SECOND,
        abortGraceMs: 5 * SECOND,
        whenUnproven: 'continue',
        maxDeliveries: 5,
        noHandlerDelayMs: 5 * SECOND,
        noHandlerTimeoutMs: DAY,
        blockMs: 2 * SECOND,
      },
      producer: {
        timeoutMs: 10 * SECOND,
        reofferWindowMs: 5 * SECOND,
        reofferBytes: 33_554_432,
        waitingBytes: 67_108_864,
      },
      limits: {
        payloadBytes: 262_144,
        payloadDepth: 64,
        deadLetters: 100_000,
        deadLetterAgeMs: 30 * DAY,
        consumerAgeMs: 2 * MINUTE,
      },
    };

    expect(resolveEngineOptions()).toEqual(defaults);
    expect(resolveEngineOptions({})).toEqual(defaults);
    expect(resolveEngineOptions({ redis: {}, tasks: {}, worker: {}, limits: {}, queues: {} })).toEqual(
      defaults,
    );
  });

  const whole: [path: string, resolved: string, min: number, max: number][] = [
    ['queueDefaults.concurrency', 'queueDefaults.concurrency', 1, 10_000],
    ['queueDefaults.prefetch', 'queueDefaults.prefetch', 0, 1000],
    ['queueDefaults.maxReady', 'queueDefaults.maxReady', 1, 100_000_000],
    ['queueDefaults.waitTimeout', 'queueDefaults.waitTimeoutMs', 1, HOUR],
    ['redis.db', 'redis.db', 0, 15],
    ['redis.connectTimeout', 'redis.connectTimeoutMs', 100, 10 * MINUTE],
    ['redis.commandTimeout', 'redis.commandTimeoutMs', 100, MINUTE],
    ['tasks.maxAttempts', 'tasks.maxAttempts', 1, 1000],
    ['tasks.timeout', 'tasks.timeoutMs', 1, 7 * DAY],
    ['tasks.backoff.factor', 'tasks.backoff.factor', 1, 10],
    ['worker.lease', 'worker.leaseMs', SECOND, HOUR],
    ['worker.drainTimeout', 'worker.drainTimeoutMs', 0, HOUR],
    ['worker.abortGrace', 'worker.abortGraceMs', 0, 10 * MINUTE],
    ['worker.maxDeliveries', 'worker.maxDeliveries', 2, 100],
    ['worker.noHandlerDelay', 'worker.noHandlerDelayMs', 100, HOUR],
    ['worker.noHandlerTimeout', 'worker.noHandlerTimeoutMs', 0, 90 * DAY],
    ['worker.block', 'worker.blockMs', 100, 30 * SECOND],
    ['producer.timeout', 'producer.timeoutMs', 100, 5 * MINUTE],
    ['producer.reofferWindow', 'producer.reofferWindowMs', 0, 5 * MINUTE],
    ['producer.reofferBytes', 'producer.reofferBytes', 0, 1024 ** 3],
    ['producer.waitingBytes', 'producer.waitingBytes', 1024 ** 2, 16 * 1024 ** 3],
    ['limits.payloadBytes', 'limits.payloadBytes', 1, 16 * 1024 * 1024],
    ['limits.payloadDepth', 'limits.payloadDepth', 1, 1000],
    ['limits.deadLetters', 'limits.deadLetters', 1, 100_000_000],
    ['limits.deadLetterAge', 'limits.deadLetterAgeMs', MINUTE, 3650 * DAY],
    ['limits.consumerAge', 'limits.consumerAgeMs', 10 * SECOND, 30 * DAY],
  ];
  it.each(whole)('%s resolves to %s, from %i to %i', (path, resolved, min, max) => {
    for (const value of [min, max]) expect(read(resolveEngineOptions(at(path, value)), resolved)).toBe(value);
    for (const value of [min - 1, max + 1, 'x', null, {}, Number.NaN]) {
      const { problems } = failure(at(path, value));
      expect(problems).toHaveLength(1);
      expect(problems[0]).toContain(path);
    }
  });

  it.each([
    ['redis.url', 5],
    ['redis.url', 'http://x'],
    ['redis.url', 'redis://'],
    ['redis.url', 'relative.sock'],
    ['redis.addr', ''],
    ['redis.addr', 'redis://x:1'],
    ['redis.username', 5],
    ['redis.password', 5],
    ['redis.tls', true],
    ['redis.unsafe', 'ignore'],
    ['redis.persistence', 'refuse'],
    ['redis.persistence', true],
    ['worker.heartbeatThread', 'yes'],
    ['worker.heartbeatThread', 1],
    ['worker.whenUnproven', 'stop'],
    ['tasks.durability', 'safe'],
    ['tasks.durability', { replicated: 0 }],
    ['prefix', ''],
    ['prefix', 'a:b'],
    ['prefix', '{a}'],
    ['queueDefaults.whenFull', 'drop'],
    ['worker.name', 'a b'],
    ['worker.name', 'x'.repeat(49)],
    ['worker.heartbeat', 49],
    ['queues', []],
    ['queues', 5],
    ['queues.a b', {}],
    ['queues.mail', 5],
    ['queues.mail.concurrency', 0],
    ['queues.mail.conncurrency', 5],
    ['tasks.backoff', 'fast'],
    ['tasks.backoff.base', -1],
    ['tasks.maxAttempt', 5],
    ['redi', {}],
  ])('refuses %s of %j and names it', (path, value) => {
    const { problems } = failure(at(path, value));

    expect(problems).toHaveLength(1);
    expect(problems[0]).toContain(path.split('.').at(-1));
  });

  it('reports every wrong field together', () => {
    const { problems } = failure({
      redis: { url: 'http://x', db: 99, pasword: 'x' },
      prefix: 'a:b',
      tasks: { maxAttempts: 0 },
      queueDefaults: { concurrency: 0 },
      queues: { mail: { maxReady: 0 } },
      worker: { lease: 1 },
      producer: { timeout: 1 },
      limits: { payloadBytes: 0 },
      typo: 1,
    });

    expect(problems).toHaveLength(11);
    expect(new Set(problems).size).toBe(11);
    expect(problems.filter((line) => line.includes('did you mean "password"'))).toHaveLength(1);
  });

  it('beats every third of the lease unless told otherwise, always below half of it', () => {
    expect(resolveEngineOptions({ worker: { lease: '30s' } }).worker.heartbeatMs).toBe(10_000);
    expect(resolveEngineOptions({ worker: { lease: '10s', heartbeat: 4999 } }).worker.heartbeatMs).toBe(4999);
    for (const heartbeat of [5000, 6000, '1h'] as const) {
      const error = failure({ worker: { lease: '10s', heartbeat } });
      expect(error.problems).toHaveLength(1);
      expect(error.problems[0]).toMatch(/heartbeat.*half.*lease/);
    }
  });
});

describe('options of a queue', () => {
  it('are its own, else the defaults given, else the defaults', () => {
    const options = resolveEngineOptions({
      queueDefaults: { concurrency: 3, whenFull: 'wait' },
      queues: { mail: { concurrency: 7 }, other: {} },
    });

    expect(queueOptions(options, 'mail')).toMatchObject({
      concurrency: 7,
      whenFull: 'wait',
      maxReady: 1_000_000,
    });
    expect(queueOptions(options, 'other')).toMatchObject({ concurrency: 3, whenFull: 'wait' });
    expect(queueOptions(options, 'unknown')).toEqual(options.queueDefaults);
  });

  it('are the defaults for a queue whose name every object knows', () => {
    const options = resolveEngineOptions({ queues: { mail: {} } });

    for (const name of ['constructor', 'toString', '__proto__', 'hasOwnProperty', 'valueOf']) {
      expect(queueOptions(options, name)).toEqual(options.queueDefaults);
    }
  });

  it('report what is wrong with the defaults once, not for every queue', () => {
    const { problems } = failure({ queueDefaults: { concurrency: 0 }, queues: { a: {}, b: {}, c: {} } });

    expect(problems).toHaveLength(1);
  });
});

describe('secrets never show in what is refused', () => {
  const SECRET = 'hunter2-canary';
  it.each([
    ['a URL of another kind', { redis: { url: `http://u:${SECRET}@h:1` } }],
    ['a URL in the place of an address', { redis: { addr: `redis://u:${SECRET}@h:1` } }],
    ['a URL in the place of the options of redis', { redis: `redis://u:${SECRET}@h:1` }],
    ['a URL in the place of all options', `redis://u:${SECRET}@h:1`],
    ['a URL as user name', { redis: { username: { name: SECRET } } }],
    ['a password that is no text', { redis: { password: [SECRET] } }],
    ['a password as number', { redis: { password: 4711 } }],
    ['TLS settings that are no object', { redis: { tls: SECRET } }],
    ['a misspelt password', { redis: { pasword: SECRET } }],
    ['a password beside something wrong', { redis: { password: SECRET, db: 99 } }],
  ])('%s', (_, options) => {
    const error = failure(options);

    const shown = inspect(error, { depth: Infinity, showHidden: true });
    expect(shown).not.toContain(SECRET);
    expect(shown).not.toContain('4711');
  });
});
