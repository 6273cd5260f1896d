import { beforeAll, describe, expect, it, vi } from 'vitest';
import * as mine from './errors.js';

const { TaskqError, BrokerError, BrokerTimeoutError, NonRetryableError, QueueFullError } = mine;

/** The same package, installed a second time. */
let copy: typeof mine;
beforeAll(async () => {
  vi.resetModules();
  copy = await import('./errors.js');
});

/** One of each, with the class it must be an instance of. */
function oneOfEach(from: typeof mine): [name: keyof typeof mine, error: mine.TaskqError][] {
  return [
    ['TaskqError', new from.TaskqError('m')],
    ['ConfigurationError', new from.ConfigurationError('s', ['p'])],
    ['InvalidPayloadError', new from.InvalidPayloadError('t', [{ path: 'a', message: 'is wrong' }])],
    ['MalformedTaskError', new from.MalformedTaskError('m')],
    ['QueueFullError', new from.QueueFullError('q', 5, 100)],
    ['BacklogFullError', new from.BacklogFullError('q', 5)],
    ['EnqueueOutcomeUnknownError', new from.EnqueueOutcomeUnknownError('i', 'q', new Error('c'))],
    ['EnqueueManyError', new from.EnqueueManyError([new from.TaskqError('m')])],
    ['BrokerError', new from.BrokerError('OOM', 'm')],
    ['BrokerTimeoutError', new from.BrokerTimeoutError('TIMEOUT', 'm')],
    ['DurabilityUnavailableError', new from.DurabilityUnavailableError('durable', 'why', 'fix')],
    ['RedisUnusableError', new from.RedisUnusableError('m')],
    ['HandlerRegistrationError', new from.HandlerRegistrationError('m')],
    ['LifecycleError', new from.LifecycleError('m')],
    ['NonRetryableError', new from.NonRetryableError('m')],
    ['TaskTimeoutError', new from.TaskTimeoutError('t', 5)],
    ['WorkerShutdownError', new from.WorkerShutdownError('m')],
    ['LeaseUnprovenError', new from.LeaseUnprovenError('m')],
    ['LeaseLostError', new from.LeaseLostError('m')],
  ];
}

describe('every error', () => {
  it('is really there twice in this test', () => {
    expect(copy.TaskqError).not.toBe(mine.TaskqError);
  });

  it.each(oneOfEach(mine).map(([name]) => name))(
    '%s has a name, a code of its own, and is an Error',
    (name) => {
      const error = oneOfEach(mine).find(([each]) => each === name)![1];

      expect(error).toBeInstanceOf(Error);
      expect(error).toBeInstanceOf(TaskqError);
      expect(error.name).toBe(name);
      expect(error.code).toMatch(/^TASKQ_[A-Z_]+$/);
      expect(error.message).not.toBe('');
      expect(error.stack).toContain(name);
    },
  );

  it('has another code than every other', () => {
    const codes = oneOfEach(mine).map(([, error]) => error.code);
    expect(new Set(codes).size).toBe(codes.length);
  });

  it('is an instance of its own class and its bases alone, also across a duplicated package', () => {
    const bases: Partial<Record<keyof typeof mine, string[]>> = {
      BrokerTimeoutError: ['BrokerError'],
      DurabilityUnavailableError: ['BrokerError'],
      EnqueueManyError: [],
    };
    const wrong: string[] = [];
    for (const [name, error] of [...oneOfEach(mine), ...oneOfEach(copy)]) {
      for (const [other] of oneOfEach(mine)) {
        const expected = other === name || other === 'TaskqError' || (bases[name] ?? []).includes(other);
        for (const classes of [mine, copy]) {
          const Class = classes[other] as unknown as new () => Error;
          if (error instanceof Class !== expected) wrong.push(`${name} instanceof ${other}: ${!expected}`);
        }
      }
    }

    expect([...new Set(wrong)]).toEqual([]);
  });

  it('is told from what merely looks like it', () => {
    const fakes = [
      { code: 'TASKQ_NON_RETRYABLE' },
      Object.assign(new Error('x'), { code: 'TASKQ_NON_RETRYABLE', name: 'NonRetryableError' }),
      null,
      undefined,
      'TASKQ_NON_RETRYABLE',
      0,
    ];
    for (const fake of fakes) {
      expect(fake).not.toBeInstanceOf(NonRetryableError);
      expect(fake).not.toBeInstanceOf(TaskqError);
    }
  });

  it('carries its cause and its fix', () => {
    const cause = new Error('c');
    const error = new TaskqError('m', { cause, fix: 'do it' });

    expect(error.cause).toBe(cause);
    expect(error.fix).toBe('do it');
    expect('cause' in new TaskqError('m')).toBe(false);
  });
});

describe('a subclass that a user makes', () => {
  class CardDeclined extends NonRetryableError {}
  class Expired extends CardDeclined {}
  class Coded extends NonRetryableError {
    static override readonly code = 'SHOP_CODED';
  }

  it('is non-retryable, also to the other copy of the package', () => {
    for (const error of [new CardDeclined('m'), new Expired('m')]) {
      expect(error).toBeInstanceOf(NonRetryableError);
      expect(error).toBeInstanceOf(copy.NonRetryableError);
      expect(error).toBeInstanceOf(TaskqError);
      expect(error).not.toBeInstanceOf(QueueFullError);
    }
    expect(new CardDeclined('m').name).toBe('CardDeclined');
  });

  it('of the other copy is non-retryable here', () => {
    class Theirs extends copy.NonRetryableError {}

    expect(new Theirs('m')).toBeInstanceOf(NonRetryableError);
    expect(new Theirs('m')).not.toBeInstanceOf(BrokerError);
  });

  it('with a code of its own is non-retryable, also to the other copy', () => {
    expect(new Coded('m').code).toBe('SHOP_CODED');
    expect(new Coded('m')).toBeInstanceOf(NonRetryableError);
    expect(new Coded('m')).toBeInstanceOf(copy.NonRetryableError);
  });

  it('is told from its siblings by prototype', () => {
    class Other extends NonRetryableError {}

    expect(new CardDeclined('m')).not.toBeInstanceOf(Other);
    expect(new NonRetryableError('m')).not.toBeInstanceOf(CardDeclined);
    expect(new CardDeclined('m')).not.toBeInstanceOf(Expired);
    expect(new Expired('m')).toBeInstanceOf(CardDeclined);
  });
});

describe('the errors in particular', () => {
  it('ConfigurationError has a line per problem', () => {
    const error = new mine.ConfigurationError('taskq options', ['a is wrong', 'b is wrong']);
    expect(error.problems).toEqual(['a is wrong', 'b is wrong']);
    expect(error.message).toBe('taskq options: a is wrong; b is wrong');
  });

  it('InvalidPayloadError names the paths, a few of them in its message', () => {
    const issues = Array.from({ length: 50 }, (_, i) => ({ path: `items[${i}]`, message: 'is wrong' }));
    const error = new mine.InvalidPayloadError('mail', issues);
    expect(error.issues).toHaveLength(50);
    expect(error.message).toContain('items[0]: is wrong');
    expect(error.message.length).toBeLessThan(300);
    expect(new mine.InvalidPayloadError('mail', [{ path: '', message: 'is null' }]).message).toContain(
      'is null',
    );
  });

  it('QueueFullError says when to try again', () => {
    const error = new QueueFullError('orders', 10, 250);
    expect(error).toMatchObject({ queue: 'orders', maxReady: 10, retryAfterMs: 250 });
    expect(error.message).toContain('orders');
    expect(error.fix).toContain('250');
  });

  it('EnqueueOutcomeUnknownError names the id to repeat with, and says why it is unknown', () => {
    const cause = new BrokerTimeoutError('TIMEOUT', 'not confirmed: 1 of 2 in time');
    const error = new mine.EnqueueOutcomeUnknownError('i1', 'orders', cause);
    expect(error).toMatchObject({ id: 'i1', queue: 'orders' });
    expect(error.cause).toBe(cause);
    expect(error.message).toMatch(/task i1 in "orders" is unknown: not confirmed: 1 of 2 in time$/);
    expect(new mine.EnqueueOutcomeUnknownError('i1', 'orders', 5).message).toMatch(/Redis did not answer$/);
  });

  it('DurabilityUnavailableError says what cannot be had, why, and what to do', () => {
    const error = new mine.DurabilityUnavailableError('replicated(2)', '1 of 2 is connected', 'add one');
    expect(error).toMatchObject({ reason: 'DURABILITY', retryable: false, fix: 'add one' });
    expect(error.message).toBe('durability "replicated(2)" cannot be had: 1 of 2 is connected');
  });

  it('EnqueueManyError has every outcome in order', () => {
    const full = new QueueFullError('q', 1, 1);
    const error = new mine.EnqueueManyError([{ id: 'a' }, full]);
    expect(error.outcomes).toEqual([{ id: 'a' }, full]);
    expect(error.cause).toBe(full);
    expect(error.message).toMatch(/^1 of 2/);
  });

  it('BrokerError is not retryable unless it says so', () => {
    expect(new BrokerError('OOM', 'm').retryable).toBe(false);
    expect(new BrokerTimeoutError('LINK', 'm', { retryable: true })).toMatchObject({
      reason: 'LINK',
      retryable: true,
    });
  });
});
