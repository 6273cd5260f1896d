import { describe, expect, it } from 'vitest';
import { ConfigurationError } from '../contract/errors.js';
import {
  effectiveOptions,
  type EnqueueOptions,
  resolveContractOptions,
  resolveEnqueueOptions,
  TASK_DEFAULTS,
} from './task-options.js';

const DAY = 86_400_000;
const enqueue = (options?: unknown) => resolveEnqueueOptions('mail', options as EnqueueOptions);

function problemsOf(run: () => unknown): readonly string[] {
  try {
    run();
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    return error.problems;
  }
  return [];
}

describe('resolveEnqueueOptions', () => {
  it.each([undefined, {}])('of %j has every default and an empty meta', (options) => {
    expect(enqueue(options)).toEqual({
      id: undefined,
      due: undefined,
      priority: undefined,
      idempotencyKey: undefined,
      idempotencyWindowMs: DAY,
      deduplicate: undefined,
      deduplicateForMs: DAY,
      durability: undefined,
      meta: {},
    });
  });

  it('makes units plain and puts into meta what travels', () => {
    expect(
      enqueue({
        id: 'i1',
        delay: '5m',
        priority: 'high',
        idempotencyKey: 'k',
        idempotencyWindow: '1h',
        deduplicate: true,
        deduplicateFor: '2h',
        headers: { a: 'b' },
        maxAttempts: 2,
        timeout: '1s',
        backoff: { base: 5, max: '1m' },
        durability: 'durable',
      }),
    ).toEqual({
      id: 'i1',
      due: { afterMs: 300_000 },
      priority: 'high',
      idempotencyKey: 'k',
      idempotencyWindowMs: 3_600_000,
      deduplicate: true,
      deduplicateForMs: 7_200_000,
      durability: 'durable',
      meta: {
        headers: { a: 'b' },
        maxAttempts: 2,
        timeoutMs: 1000,
        backoff: { baseMs: 5, factor: 2, maxMs: 60_000 },
      },
    });
  });

  it('takes times as numbers and as dates', () => {
    expect(enqueue({ runAt: 123 }).due).toEqual({ at: 123 });
    expect(enqueue({ runAt: new Date(456) }).due).toEqual({ at: 456 });
    expect(enqueue({ runAt: 0 }).due).toEqual({ at: 0 });
    expect(enqueue({ delay: 0 }).due).toBeUndefined();
  });

  it('refuses delay together with runAt', () => {
    const problems = problemsOf(() => enqueue({ delay: '5m', runAt: 123 }));

    expect(problems.join()).toMatch(/delay.*runAt|runAt.*delay/);
  });

  it.each([
    ['id', 'a b'],
    ['id', ''],
    ['id', 'x'.repeat(65)],
    ['id', 5],
    ['delay', -1],
    ['delay', '366d'],
    ['delay', '5'],
    ['runAt', Number.NaN],
    ['runAt', new Date(Number.NaN)],
    ['runAt', '2030-01-01'],
    ['runAt', -1],
    ['runAt', 1.5],
    ['runAt', null],
    ['runAt', 10n],
    ['runAt', Symbol('s')],
    ['priority', 'urgent'],
    ['priority', 1],
    ['idempotencyKey', ''],
    ['idempotencyKey', 'x'.repeat(513)],
    ['idempotencyKey', 5],
    ['idempotencyWindow', 999],
    ['idempotencyWindow', '91d'],
    ['deduplicate', false],
    ['deduplicate', ''],
    ['deduplicate', 'x'.repeat(513)],
    ['deduplicateFor', 0],
    ['headers', []],
    ['headers', 'a'],
    ['headers', { a: 5 }],
    ['headers', { a: undefined }],
    ['headers', JSON.parse('{"__proto__":"x"}')],
    ['headers', Object.fromEntries(Array.from({ length: 65 }, (_, i) => [`h${i}`, 'x']))],
    ['headers', { a: 'x'.repeat(8192) }],
    ['maxAttempts', 0],
    ['maxAttempts', 1001],
    ['timeout', 0],
    ['timeout', '8d'],
    ['backoff', { factor: 11 }],
    ['backoff', 5],
    ['durability', 'safe'],
    ['durability', { replicated: 0 }],
    ['durability', null],
    ['retries', 5],
  ])('refuses %s of %s and names it', (name, value) => {
    const problems = problemsOf(() => enqueue({ [name]: value }));

    expect(problems).toHaveLength(1);
    expect(problems[0]).toContain(name);
  });

  it('takes headers up to 64 of them and 8 KiB in all', () => {
    const headers = Object.fromEntries(Array.from({ length: 64 }, (_, i) => [`h${10 + i}`, 'x'.repeat(125)]));

    expect(enqueue({ headers }).meta.headers).toEqual(headers);
  });

  it('measures headers in bytes, as it says', () => {
    expect(problemsOf(() => enqueue({ headers: { a: '€'.repeat(4000) } }))).toHaveLength(1);
  });

  it('does not keep the object it was given', () => {
    const headers: Record<string, string> = { a: 'b' };
    const { meta } = enqueue({ headers });
    headers.a = 'changed';

    expect(meta.headers).toEqual({ a: 'b' });
  });

  it('names the likely intention', () => {
    expect(problemsOf(() => enqueue({ maxAttempt: 5 }))[0]).toContain('did you mean "maxAttempts"?');
    expect(() => enqueue({ delya: 5 })).toThrow(
      /^enqueue "mail": unknown option "delya", did you mean "delay"/,
    );
  });
});

describe('resolveContractOptions', () => {
  it('puts what a contract says over the defaults of the engine', () => {
    const defaults = { ...TASK_DEFAULTS, maxAttempts: 9, timeoutMs: 77 };
    const retryDelay = () => 5;
    const upgrade = (payload: unknown) => payload;

    expect(resolveContractOptions('mail', {}, defaults)).toEqual({
      ...defaults,
      queue: 'default',
      priority: 'normal',
      version: 1,
    });
    expect(
      resolveContractOptions(
        'mail',
        {
          ...{
            maxAttempts: 2,
            timeout: '2s',
            backoff: { factor: 3 },
            queue: 'q',
            priority: 'low',
            retryDelay,
          },
          ...{ durability: { replicated: 2 }, version: 2, upgrade },
        },
        defaults,
      ),
    ).toEqual({
      maxAttempts: 2,
      timeoutMs: 2000,
      backoff: { ...TASK_DEFAULTS.backoff, factor: 3 },
      queue: 'q',
      priority: 'low',
      retryDelay,
      durability: { replicated: 2 },
      version: 2,
      upgrade,
    });
  });

  it('takes the durability of the engine where the contract says nothing of it', () => {
    const defaults = { ...TASK_DEFAULTS, durability: 'durable' } as const;

    expect(resolveContractOptions('mail', {}, defaults).durability).toBe('durable');
    expect(resolveContractOptions('mail', { durability: 'accepted' }, defaults).durability).toBe('accepted');
  });

  it('refuses an upgrade that nothing would ever call', () => {
    const upgrade = (payload: unknown) => payload;

    expect(problemsOf(() => resolveContractOptions('mail', { upgrade }, TASK_DEFAULTS))).toEqual([
      expect.stringContaining('upgrade needs a version above 1'),
    ]);
  });

  it('reports every wrong field together and names the task', () => {
    const wrong = {
      ...{ maxAttempts: 0, timeout: 0, queue: 'a:b', priority: 'x', retryDelay: 5 },
      ...{ durability: { replicated: 17 }, version: 1001, upgrade: 'no' },
    } as never;

    expect(problemsOf(() => resolveContractOptions('mail', wrong, TASK_DEFAULTS))).toHaveLength(8);
    expect(() => resolveContractOptions('mail', wrong, TASK_DEFAULTS)).toThrow(/^task "mail": /);
  });
});

describe('effectiveOptions', () => {
  const handler = { ...TASK_DEFAULTS, retryDelay: () => 5 };

  it('are the handler’s when nothing travelled', () => {
    expect(effectiveOptions(handler, {})).toEqual(handler);
    expect(effectiveOptions(handler, { starts: 3, headers: {} })).toEqual(handler);
  });

  it('are what travelled, where something did', () => {
    expect(effectiveOptions(handler, { maxAttempts: 2 })).toEqual({ ...handler, maxAttempts: 2 });
    expect(effectiveOptions(handler, { timeoutMs: 9 })).toEqual({ ...handler, timeoutMs: 9 });
  });

  it('of a backoff that travelled replace the handler’s own delay', () => {
    const backoff = { baseMs: 1, factor: 1, maxMs: 1 };

    expect(effectiveOptions(handler, { backoff })).toEqual({ ...handler, backoff, retryDelay: undefined });
  });

  it('stay within bounds, whoever wrote what travelled', () => {
    const options = effectiveOptions(handler, {
      maxAttempts: 1e9,
      timeoutMs: 1e15,
      backoff: { baseMs: 1e300, factor: 1e300, maxMs: 1e300 },
    });

    expect(options.maxAttempts).toBe(1000);
    expect(options.timeoutMs).toBe(7 * DAY);
  });
});
