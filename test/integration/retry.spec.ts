import { defineTask, NonRetryableError, type RetryInfo, type TaskContext } from '@taskq/core';
import { describe, expect, it } from 'vitest';
import { handler, lab, QUEUE, watch } from './harness.js';

const here = lab();

describe('attempts', () => {
  it('starts a failing task maxAttempts times, then puts it to the dead with what each attempt did', async () => {
    const engine = await here.open();
    const facts = watch(engine);
    const seen: Pick<TaskContext, 'attempt' | 'maxAttempts' | 'fence'>[] = [];
    const worker = await here.work(
      engine,
      handler(
        'a',
        (_payload, { attempt, maxAttempts, fence, history }) => {
          expect(history.map((record) => record.attempt)).toEqual(seen.map((one) => one.attempt));
          seen.push({ attempt, maxAttempts, fence });
          throw new TypeError(`failure ${attempt}`);
        },
        { maxAttempts: 3 },
      ),
    );
    const before = Date.now();
    const { id } = await engine.producer.enqueue('a', { x: 1 });
    const [dead] = await facts.until('task.dead', { id });

    expect(seen).toEqual([
      { attempt: 1, maxAttempts: 3, fence: 1 },
      { attempt: 2, maxAttempts: 3, fence: 2 },
      { attempt: 3, maxAttempts: 3, fence: 3 },
    ]);
    expect(dead).toMatchObject({ reason: 'attempts-exhausted', attempt: 3 });
    const task = await engine.inspector.find(QUEUE, id);
    expect(task).toMatchObject({ state: 'dead', reason: 'attempts-exhausted', payload: '{"x":1}' });
    expect(task!.meta.history).toHaveLength(3);
    task!.meta.history!.forEach((record, i) => {
      expect(record).toMatchObject({ attempt: i + 1, worker: worker.consumer });
      expect(record.error).toMatchObject({ name: 'TypeError', message: `failure ${i + 1}` });
      expect(record.error.stack).toContain('retry.spec.ts');
      expect(record.at).toBeGreaterThan(before - 1000);
      expect(record.at).toBeLessThan(Date.now() + 1000);
    });
    const times = task!.meta.history!.map((record) => record.at);
    expect(times).toEqual(times.toSorted((a, b) => a - b));
  });

  it('lets the call override what handler and engine say', async () => {
    const engine = await here.open({ tasks: { maxAttempts: 4, backoff: { base: 5 } } });
    const facts = watch(engine);
    const fail = (): never => {
      throw new Error('no');
    };
    await here.work(
      engine,
      handler('plain', fail, { backoff: undefined }),
      handler('own', fail, { maxAttempts: 5 }),
    );
    const plain = await engine.producer.enqueue('plain', 1);
    const own = await engine.producer.enqueue('own', 1);
    const called = await engine.producer.enqueue('own', 1, { maxAttempts: 2 });
    await facts.until('task.dead', { count: 3 });

    expect(facts.of('task.started', plain.id)).toHaveLength(4);
    expect(facts.of('task.started', own.id)).toHaveLength(5);
    expect(facts.of('task.started', called.id)).toHaveLength(2);
  });

  it('completes when a later attempt succeeds, and keeps nothing of it', async () => {
    const engine = await here.open();
    const facts = watch(engine);
    await here.work(
      engine,
      handler('a', (_payload, { attempt }) => {
        if (attempt < 3) throw new Error('not yet');
      }),
    );
    const { id } = await engine.producer.enqueue('a', 1);
    const [done] = await facts.until('task.completed', { id });

    expect(done!.attempt).toBe(3);
    expect(facts.story(id).filter((name) => name === 'task.retrying')).toHaveLength(2);
    expect(await engine.inspector.find(QUEUE, id)).toBeUndefined();
  });
});

describe('delays', () => {
  it.each([
    ['the longest', 0.9999, [99, 199, 299, 299]],
    ['none', 0, [0, 0, 0, 0]],
  ])('are drawn from full jitter: %s', async (_what, random, longest) => {
    const engine = await here.open({}, { random: () => random });
    const facts = watch(engine);
    await here.work(
      engine,
      handler('a', () => Promise.reject(new Error('no')), {
        maxAttempts: 5,
        backoff: { base: 100, factor: 2, max: 300 },
      }),
    );
    const { id } = await engine.producer.enqueue('a', 1);
    await facts.until('task.dead', { id });
    const retries = facts.of('task.retrying', id);

    retries.forEach((retry, i) => {
      expect(Math.abs(retry.delayMs - longest[i]!)).toBeLessThanOrEqual(1);
      const next = facts.of('task.started', id)[i + 1]!;
      expect(next.at - retry.at).toBeGreaterThan(retry.delayMs - 20);
      expect(next.at - retry.at).toBeLessThan(retry.delayMs + 200);
    });
    expect(retries).toHaveLength(4);
  });

  it('are spread between nothing and the bound', async () => {
    const engine = await here.open();
    const facts = watch(engine);
    await here.work(
      engine,
      handler('a', () => Promise.reject(new Error('no')), { maxAttempts: 2, backoff: { base: 400 } }),
    );
    await Promise.all(Array.from({ length: 60 }, (_, n) => engine.producer.enqueue('a', n)));
    const delays = (await facts.until('task.retrying', { count: 60 })).map(({ delayMs }) => delayMs);

    expect(Math.min(...delays)).toBeLessThan(150);
    expect(Math.max(...delays)).toBeGreaterThan(250);
    expect(Math.max(...delays)).toBeLessThanOrEqual(400);
  });

  it('may be decided by the contract, from the attempt and the error', async () => {
    const engine = await here.open();
    const facts = watch(engine);
    const asked: RetryInfo[] = [];
    const task = defineTask({
      type: 'custom',
      maxAttempts: 3,
      retryDelay: (info) => {
        asked.push(info);
        return info.attempt * 70;
      },
    });
    const error = new Error('busy');
    await here.work(engine, { ...handler('custom', () => Promise.reject(error)), options: task });
    const { id } = await engine.producer.enqueue(task, 1);
    await facts.until('task.dead', { id });

    expect(asked).toEqual([
      { attempt: 1, error },
      { attempt: 2, error },
    ]);
    expect(facts.of('task.retrying', id).map(({ delayMs }) => delayMs)).toEqual([70, 140]);
  });

  it('fall back to the backoff when the function of the contract throws', async () => {
    const engine = await here.open({}, { random: () => 0.5 });
    const facts = watch(engine);
    const retryDelay = (): never => {
      throw new Error('broken');
    };
    await here.work(
      engine,
      handler('a', () => Promise.reject(new Error('no')), {
        maxAttempts: 2,
        retryDelay,
        backoff: { base: 100 },
      }),
    );
    const { id } = await engine.producer.enqueue('a', 1);
    await facts.until('task.dead', { id });

    expect(facts.of('task.retrying', id)).toMatchObject([{ delayMs: 50 }]);
  });

  it.each([
    ['a duration', '130ms'],
    ['milliseconds', 130],
  ])('may be asked for by the error: retryAfter as %s', async (_what, retryAfter) => {
    const engine = await here.open();
    const facts = watch(engine);
    await here.work(
      engine,
      handler('a', () => Promise.reject(Object.assign(new Error('429'), { retryAfter })), {
        maxAttempts: 2,
      }),
    );
    const { id } = await engine.producer.enqueue('a', 1);
    await facts.until('task.dead', { id });

    expect(facts.of('task.retrying', id)).toMatchObject([{ delayMs: 130 }]);
  });
});

describe('errors', () => {
  class CardRefused extends NonRetryableError {}

  it.each([
    ['NonRetryableError', new NonRetryableError('never again')],
    ['a subclass of it', new CardRefused('never again')],
  ])('does not try again after %s', async (_what, error) => {
    const engine = await here.open();
    const facts = watch(engine);
    await here.work(
      engine,
      handler('a', () => Promise.reject(error)),
    );
    const { id } = await engine.producer.enqueue('a', 1);
    const [dead] = await facts.until('task.dead', { id });

    expect(dead).toMatchObject({ reason: 'non-retryable', attempt: 1, error });
    expect(facts.of('task.started', id)).toHaveLength(1);
    const task = await engine.inspector.find(QUEUE, id);
    expect(task!.meta.history).toMatchObject([{ attempt: 1, error: { message: 'never again' } }]);
    expect(task!.meta.history![0]!.error.name).toBe(error.name);
  });

  it.each([
    ['text', 'just text', 'just text'],
    ['nothing', undefined, 'undefined'],
    ['null', null, 'null'],
    ['an object', { status: 503 }, '503'],
    ['a BigInt', 10n, ''],
    ['a symbol', Symbol('s'), ''],
    [
      'an error that cannot be read',
      Object.defineProperty(new Error('x'), 'message', {
        get() {
          throw new Error('trap');
        },
      }),
      '',
    ],
  ])('records %s like any failure', async (_what, thrown: unknown, message) => {
    const engine = await here.open();
    const facts = watch(engine);
    await here.work(
      engine,
      handler('a', () => {
        // eslint-disable-next-line typescript/only-throw-error -- handlers throw what they like
        throw thrown;
      }),
      handler('neighbour', () => undefined),
    );
    const { id } = await engine.producer.enqueue('a', 1, { maxAttempts: 2 });
    const neighbour = await engine.producer.enqueue('neighbour', 1);
    await facts.until('task.dead', { id });
    await facts.until('task.completed', { id: neighbour.id });
    const task = await engine.inspector.find(QUEUE, id);

    expect(task!.meta.history).toHaveLength(2);
    expect(task!.meta.history![0]!.error.message).toContain(message);
  });

  it('does not let a synchronous throw or a failing getter of the result disturb the worker', async () => {
    const engine = await here.open();
    const facts = watch(engine);
    const trap = new Proxy(
      {},
      {
        get() {
          throw new Error('trap');
        },
        has() {
          throw new Error('trap');
        },
      },
    );
    await here.work(
      engine,
      handler('trap', () => trap),
      handler('fine', () => undefined),
    );
    await engine.producer.enqueue('trap', 1, { maxAttempts: 1 });
    const { id } = await engine.producer.enqueue('fine', 1);
    await facts.until('task.completed', { id });
    await here.untilEmpty(engine);

    expect(facts.of('task.started')).toHaveLength(2);
  });
});
