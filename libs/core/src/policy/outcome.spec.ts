import { describe, expect, it, vi } from 'vitest';
import { NonRetryableError } from '../contract/errors.js';
import { deadLetter, discard, snooze } from '../contract/task-directive.js';
import type { AttemptRecord, TaskMessage, TaskMeta } from '../contract/task-message.js';
import {
  type Circumstances,
  decideOutcome,
  errorRecord,
  type ExecutionResult,
  type Outcome,
} from './outcome.js';

const YEAR_MS = 365 * 86_400_000;

function message(over: Partial<TaskMessage> = {}): TaskMessage {
  return { id: 'i', type: 'mail', payload: '{}', attempt: 1, enqueuedAt: 1, meta: {}, ...over };
}

function circumstances(over: Partial<Circumstances> = {}): Circumstances {
  return {
    now: 100_000,
    random: 0.5,
    worker: 'w1',
    starts: 7,
    options: {
      maxAttempts: 3,
      timeoutMs: 1000,
      backoff: { baseMs: 1000, factor: 2, maxMs: 60_000 },
      retryDelay: undefined,
      durability: 'accepted',
    },
    noHandlerDelayMs: 5_000,
    noHandlerTimeoutMs: 60_000,
    ...over,
  };
}

const withOptions = (over: Partial<Circumstances['options']>) =>
  circumstances({ options: { ...circumstances().options, ...over } });

const threw = (error: unknown): ExecutionResult => ({ kind: 'threw', error });
const returned = (value?: unknown): ExecutionResult => ({ kind: 'returned', value });

function kindOf<K extends Outcome['kind']>(outcome: Outcome, kind: K): Extract<Outcome, { kind: K }> {
  expect(outcome.kind).toBe(kind);
  return outcome as Extract<Outcome, { kind: K }>;
}

describe('every result, on the first, a middle, the last and a further attempt', () => {
  const table: [string, ExecutionResult, [string, string, string, string]][] = [
    ['returned nothing', returned(), ['complete', 'complete', 'complete', 'complete']],
    ['returned a value', returned({ a: 1 }), ['complete', 'complete', 'complete', 'complete']],
    [
      'returned what looks like a directive',
      returned({ kind: 'snooze', delayMs: 5 }),
      ['complete', 'complete', 'complete', 'complete'],
    ],
    ['snooze', returned(snooze(5)), ['snooze', 'snooze', 'snooze', 'snooze']],
    ['discard', returned(discard('r')), ['discard', 'discard', 'discard', 'discard']],
    ['deadLetter', returned(deadLetter('r')), ['handler', 'handler', 'handler', 'handler']],
    ['threw', threw(new Error('e')), ['retry', 'retry', 'attempts-exhausted', 'attempts-exhausted']],
    ['threw undefined', threw(undefined), ['retry', 'retry', 'attempts-exhausted', 'attempts-exhausted']],
    [
      'threw NonRetryableError',
      threw(new NonRetryableError('e')),
      ['non-retryable', 'non-retryable', 'non-retryable', 'non-retryable'],
    ],
    [
      'an invalid payload',
      { kind: 'invalid-payload', error: new Error('e') },
      ['invalid-payload', 'invalid-payload', 'invalid-payload', 'invalid-payload'],
    ],
    ['no handler', { kind: 'no-handler' }, ['no-handler', 'no-handler', 'no-handler', 'no-handler']],
    [
      'crash loop',
      { kind: 'crash-loop', deliveries: 5 },
      ['crash-loop', 'crash-loop', 'crash-loop', 'crash-loop'],
    ],
    ['interrupted', { kind: 'interrupted' }, ['release', 'release', 'release', 'release']],
  ];
  it.each(table)('%s', (_, result, expected) => {
    const found = [1, 2, 3, 9].map((attempt) => {
      const outcome = decideOutcome(message({ attempt }), result, circumstances());
      return outcome.kind === 'dead-letter' ? outcome.reason : outcome.kind;
    });

    expect(found).toEqual(expected);
  });

  it('of a task with one attempt is never a retry', () => {
    const outcome = decideOutcome(message(), threw(new Error('e')), withOptions({ maxAttempts: 1 }));

    expect(outcome).toMatchObject({ kind: 'dead-letter', reason: 'attempts-exhausted' });
  });
});

describe('a retry', () => {
  const delayOf = (error: unknown, c = circumstances(), attempt = 1) =>
    kindOf(decideOutcome(message({ attempt }), threw(error), c), 'retry').delayMs;

  it('is the next attempt, with the error', () => {
    const error = new Error('e');

    expect(decideOutcome(message({ attempt: 2 }), threw(error), circumstances())).toMatchObject({
      kind: 'retry',
      attempt: 3,
      error,
    });
  });

  it('waits as the backoff says', () => {
    expect(delayOf(new Error('e'))).toBe(500);
    expect(delayOf(new Error('e'), circumstances(), 2)).toBe(1000);
    expect(delayOf(new Error('e'), circumstances({ random: 0 }))).toBe(0);
  });

  it.each([
    ['5s', 5_000],
    [250, 250],
    [0, 0],
    ['9999d', YEAR_MS],
  ])('waits as the error says: retryAfter %s', (retryAfter, delay) => {
    const c = withOptions({ retryDelay: () => 77 });
    expect(delayOf(Object.assign(new Error('e'), { retryAfter }), c)).toBe(delay);
    expect(delayOf({ retryAfter }, c)).toBe(delay);
  });

  it.each([['5'], [-1], [Number.NaN], [null], ['soon'], [{}]])(
    'takes no notice of a retryAfter that is no duration: %s',
    (retryAfter) => {
      expect(delayOf(Object.assign(new Error('e'), { retryAfter }))).toBe(500);
    },
  );

  it('waits as the contract says, which is told the attempt and the error', () => {
    const retryDelay = vi.fn<() => '3s'>(() => '3s');
    const error = new Error('e');

    expect(delayOf(error, withOptions({ retryDelay }), 2)).toBe(3_000);
    expect(retryDelay).toHaveBeenCalledWith({ attempt: 2, error });
  });

  it.each([
    [
      'throws',
      () => {
        throw new Error('broken');
      },
    ],
    ['answers nonsense', () => 'soon' as never],
    ['answers nothing', () => undefined as never],
    ['answers a negative number', () => -5],
    ['answers NaN', () => Number.NaN],
  ])('falls back to the backoff when the contract’s delay %s', (_, retryDelay) => {
    expect(delayOf(new Error('e'), withOptions({ retryDelay }))).toBe(500);
  });

  it('is never later than a year', () => {
    expect(delayOf(new Error('e'), withOptions({ retryDelay: () => '5000w' }))).toBe(YEAR_MS);
    const backoff = { baseMs: 1e300, factor: 1, maxMs: 1e300 };
    expect(delayOf(new Error('e'), withOptions({ backoff }))).toBeLessThanOrEqual(YEAR_MS);
  });
});

describe('what travels on', () => {
  const META: TaskMeta = {
    version: 2,
    headers: { a: 'b' },
    maxAttempts: 3,
    starts: 2,
    unique: { key: 'u', ttlMs: 5 },
    replays: 1,
    noHandlerSince: 90_000,
  };
  const metaOf = (result: ExecutionResult, meta = META) => {
    const outcome = decideOutcome(message({ meta }), result, circumstances());
    return 'meta' in outcome ? outcome.meta : undefined;
  };

  it.each([
    ['retry', threw(new Error('e'))],
    ['snooze', returned(snooze(5))],
    ['no handler', { kind: 'no-handler' } as const],
    ['dead letter', returned(deadLetter('x'))],
    ['crash loop', { kind: 'crash-loop', deliveries: 5 } as const],
  ])('with a %s: the fence, and everything the task came with', (_, result) => {
    expect(metaOf(result)).toMatchObject({
      version: 2,
      headers: { a: 'b' },
      maxAttempts: 3,
      starts: 7,
      unique: { key: 'u', ttlMs: 5 },
      replays: 1,
    });
  });

  it('forgets since when there was no handler once there was one', () => {
    expect(metaOf(threw(new Error('e')))).not.toHaveProperty('noHandlerSince');
    expect(metaOf(returned(snooze(5)))).not.toHaveProperty('noHandlerSince');
    expect(metaOf({ kind: 'no-handler' })).toHaveProperty('noHandlerSince', 90_000);
  });

  it('changes nothing of the message', () => {
    const original = message({ meta: META });
    const before = structuredClone(original);
    for (const result of [threw(new Error('e')), returned(snooze(5)), { kind: 'no-handler' } as const]) {
      decideOutcome(original, result, circumstances());
    }

    expect(original).toEqual(before);
  });

  it('is the history with this attempt: who, when and why', () => {
    const earlier: AttemptRecord = { attempt: 1, at: 5, worker: 'w0', error: { name: 'E', message: 'm' } };
    const outcome = decideOutcome(
      message({ attempt: 2, meta: { history: [earlier] } }),
      threw(new TypeError('bad')),
      circumstances(),
    );

    expect(kindOf(outcome, 'retry').meta.history).toEqual([
      earlier,
      {
        attempt: 2,
        at: 100_000,
        worker: 'w1',
        error: { name: 'TypeError', message: 'bad', stack: expect.stringContaining('at ') },
      },
    ]);
  });

  it('is a history of twenty at most, the first among them', () => {
    const options = { ...circumstances().options, maxAttempts: 100 };
    let meta: TaskMeta = {};
    for (let attempt = 1; attempt <= 60; attempt += 1) {
      const outcome = decideOutcome(
        message({ attempt, meta }),
        threw(new Error('e')),
        circumstances({ options }),
      );
      ({ meta } = kindOf(outcome, 'retry'));
    }

    expect(meta.history!.map((record) => record.attempt)).toEqual([
      1,
      ...Array.from({ length: 19 }, (_, i) => 42 + i),
    ]);
  });

  it('does not spend an attempt on a snooze, nor for want of a handler', () => {
    const snoozed = decideOutcome(message({ attempt: 3 }), returned(snooze('10m')), circumstances());
    expect(snoozed).toMatchObject({ kind: 'snooze', attempt: 3, delayMs: 600_000 });
    expect(decideOutcome(message({ attempt: 3 }), { kind: 'no-handler' }, circumstances())).toMatchObject({
      kind: 'no-handler',
      attempt: 3,
    });
  });

  it('cuts a snooze of more than a year', () => {
    expect(decideOutcome(message(), returned(snooze('999w')), circumstances())).toMatchObject({
      delayMs: YEAR_MS,
    });
  });
});

describe('a task without a handler', () => {
  const decide = (since: number | undefined, c = circumstances()) =>
    decideOutcome(
      message({ meta: since === undefined ? {} : { noHandlerSince: since } }),
      { kind: 'no-handler' },
      c,
    );

  it('is offered again after about the delay, from now on', () => {
    for (const random of [0, 0.5, 0.999]) {
      const outcome = kindOf(decide(undefined, circumstances({ random })), 'no-handler');
      expect(outcome.meta.noHandlerSince).toBe(100_000);
      expect(outcome.delayMs).toBeGreaterThanOrEqual(3_750);
      expect(outcome.delayMs).toBeLessThanOrEqual(6_250);
    }
  });

  it('is offered until the timeout, counted from the first time', () => {
    expect(decide(40_001)).toMatchObject({ kind: 'no-handler', meta: { noHandlerSince: 40_001 } });
    expect(decide(40_000)).toMatchObject({ kind: 'dead-letter', reason: 'no-handler' });
    expect(decide(0)).toMatchObject({ kind: 'dead-letter', detail: expect.stringContaining('"mail"') });
  });

  it('or with one of a lower version says so: which version it has, and which the handler', () => {
    const lower: ExecutionResult = { kind: 'no-handler', handlerVersion: 2 };
    const decideAt = (noHandlerSince: number) =>
      decideOutcome(message({ meta: { version: 3, noHandlerSince } }), lower, circumstances());

    expect(decideAt(40_001)).toMatchObject({
      ...{ kind: 'no-handler', attempt: 1, handlerVersion: 2 },
      meta: { version: 3, noHandlerSince: 40_001 },
    });
    expect(decideAt(40_000)).toMatchObject({
      reason: 'no-handler',
      detail: 'no worker handled version 3 of type "mail" for 60000 ms; the last one asked has version 2',
      replayMeta: { version: 3 },
    });
  });

  it('is dead at once when the timeout is 0', () => {
    expect(decide(undefined, circumstances({ noHandlerTimeoutMs: 0 }))).toMatchObject({
      reason: 'no-handler',
    });
  });
});

describe('a dead letter', () => {
  it('keeps the whole story for people and a fresh start for a replay', () => {
    const meta: TaskMeta = {
      version: 2,
      headers: { a: 'b' },
      maxAttempts: 1,
      history: [{ attempt: 1, at: 5, worker: 'w0', error: { name: 'E', message: 'm' } }],
      unique: { key: 'u', ttlMs: 5 },
      replays: 2,
    };
    const outcome = decideOutcome(message({ attempt: 3, meta }), threw(new Error('e')), circumstances());

    const dead = kindOf(outcome, 'dead-letter');
    expect(dead.meta.history).toHaveLength(2);
    expect(dead.replayMeta).toEqual({
      ...{ version: 2, headers: { a: 'b' }, maxAttempts: 1 },
      ...{ starts: 7, replays: 3 },
    });
  });

  it('says why in a sentence of bounded length', () => {
    const details = [
      threw(new NonRetryableError('no such user')),
      threw(new Error('e')),
      returned(deadLetter('odd order')),
      { kind: 'invalid-payload', error: new Error('a: is wrong') } as const,
      { kind: 'crash-loop', deliveries: 5 } as const,
      returned(deadLetter('x'.repeat(5000))),
    ].map((result) => {
      const outcome = decideOutcome(message({ attempt: 3 }), result, circumstances());
      return kindOf(outcome, 'dead-letter').detail;
    });

    expect(details.slice(0, 5)).toEqual([
      expect.stringContaining('no such user'),
      expect.stringContaining('attempt 3 of 3'),
      'odd order',
      expect.stringContaining('a: is wrong'),
      expect.stringContaining('5 times'),
    ]);
    expect(details[5]!.length).toBeLessThanOrEqual(512);
  });
});

describe('whatever is thrown', () => {
  const cyclic: Record<string, unknown> = {};
  cyclic.me = cyclic;
  const broken = (property: string) =>
    Object.defineProperty(new Error('e'), property, {
      get() {
        throw new Error('read');
      },
    });
  const thrown: [string, unknown][] = [
    ['null', null],
    ['undefined', undefined],
    ['a number', 42],
    ['text', 'text'],
    ['a symbol', Symbol('s')],
    ['a BigInt', 10n],
    ['an object', { a: 1 }],
    ['a cyclic object', cyclic],
    ['an object without a prototype', Object.create(null)],
    ['a function', () => 1],
    ['an error whose message is no text', Object.assign(new Error('e'), { message: { a: 1 } })],
    ['an error whose message is a symbol', Object.assign(new Error('e'), { message: Symbol('s') })],
    ['an error without a stack', Object.assign(new Error('e'), { stack: undefined })],
    ['an error whose stack is no text', Object.assign(new Error('e'), { stack: 5 })],
    ['an error whose name is null', Object.assign(new Error('e'), { name: null })],
    [
      'an error whose message cannot be made text',
      Object.assign(new Error('e'), { message: Object.create(null) }),
    ],
    ['an error whose message cannot be read', broken('message')],
    ['an error whose stack cannot be read', broken('stack')],
    ['an error whose retryAfter cannot be read', broken('retryAfter')],
    ['an object whose toJSON throws', { toJSON: () => JSON.stringify(cyclic) }],
    ['a huge error', new Error('x'.repeat(1_000_000))],
  ];
  it.each(thrown)('%s: there is an outcome, and what is kept of it is small text', (_, error) => {
    const outcome = decideOutcome(message(), threw(error), circumstances());

    const [record] = kindOf(outcome, 'retry').meta.history!;
    expect(typeof record!.error.name).toBe('string');
    expect(typeof record!.error.message).toBe('string');
    expect(JSON.stringify(record).length).toBeLessThan(4096);
  });

  it('keeps name, message and the top of the stack', () => {
    const record = errorRecord(new RangeError('too far'));

    expect(record).toMatchObject({ name: 'RangeError', message: 'too far' });
    expect(record.stack!.split('\n').length).toBeLessThanOrEqual(8);
    expect(record.stack).not.toContain('too far');
    expect(errorRecord('plain')).toEqual({ name: 'thrown string', message: 'plain' });
    expect(errorRecord(undefined)).toEqual({ name: 'thrown undefined', message: 'undefined' });
  });

  it('knows a NonRetryableError by its family, subclasses and other copies of the package included', async () => {
    vi.resetModules();
    const copy = await import('../contract/errors.js');
    class Declined extends NonRetryableError {}
    class TheirDeclined extends copy.NonRetryableError {}
    for (const error of [new Declined('m'), new copy.NonRetryableError('m'), new TheirDeclined('m')]) {
      expect(decideOutcome(message(), threw(error), circumstances())).toMatchObject({
        reason: 'non-retryable',
      });
    }
  });
});
