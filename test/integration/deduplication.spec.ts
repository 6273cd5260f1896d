import { discard } from '@taskq/core';
import { waitFor } from '@taskq/testing';
import { describe, expect, it } from 'vitest';
import { gate, handler, lab, range, SPLIT, watch } from './harness.js';

const here = lab();

describe('idempotencyKey', () => {
  it('makes two calls one task, whatever has become of it', async () => {
    const engine = await here.open();
    const facts = watch(engine);
    const { producer } = engine;
    const first = await producer.enqueue('a', { x: 1, y: [2] }, { idempotencyKey: 'order 1' });

    expect(await producer.enqueue('a', { y: [2], x: 1 }, { idempotencyKey: 'order 1' })).toEqual({
      id: first.id,
      status: 'duplicate',
      durability: 'accepted',
    });
    expect(await producer.enqueue('a', { x: 2 }, { idempotencyKey: 'order 1' })).toEqual({
      id: first.id,
      status: 'conflict',
      durability: 'accepted',
    });
    expect(await producer.enqueue('a', { x: 1, y: [2] }, { idempotencyKey: 'order 2' })).toMatchObject({
      status: 'accepted',
    });
    await here.work(
      engine,
      handler('a', () => undefined),
    );
    await facts.until('task.completed', { id: first.id });
    expect(await producer.enqueue('a', { x: 1, y: [2] }, { idempotencyKey: 'order 1' })).toEqual({
      id: first.id,
      status: 'duplicate',
      durability: 'accepted',
    });
    await here.untilEmpty(engine);
    expect(facts.of('task.started')).toHaveLength(2);
  });

  it.skipIf(SPLIT)('holds among calls of one turn, and among producers', async () => {
    const engines = await Promise.all([here.open(), here.open()]);
    const calls = range(100).map((n) =>
      engines[n % 2]!.producer.enqueue('a', { same: true }, { idempotencyKey: 'once' }),
    );
    const answers = await Promise.all(calls);

    expect(answers.filter(({ status }) => status === 'accepted')).toHaveLength(1);
    expect(new Set(answers.map(({ id }) => id)).size).toBe(1);
    expect(await here.admin.xlen(here.key(':tasks'))).toBe(1);
  });

  it('is forgotten when its window is over, not before', async () => {
    const { producer } = await here.open();
    const options = { idempotencyKey: 'brief', idempotencyWindow: '1s' } as const;
    const begun = performance.now();
    await producer.enqueue('a', {}, options);
    await waitFor(async () => (await producer.enqueue('a', {}, options)).status === 'accepted', {
      what: 'the window to end',
      timeoutMs: 2500,
    });

    expect(performance.now() - begun).toBeGreaterThan(990);
  });

  it.skipIf(SPLIT)('is not readable in Redis', async () => {
    const { producer } = await here.open();
    await producer.enqueue('a', {}, { idempotencyKey: 'jane@example.org', deduplicate: 'john@example.org' });

    expect((await here.admin.keys(`${here.prefix}:*`)).filter((key) => key.includes('example'))).toEqual([]);
  });
});

describe('deduplicate', () => {
  it.each([
    ['completes', () => undefined],
    ['is discarded', () => discard('not needed')],
    [
      'is dead-lettered after its retries',
      () => {
        throw new Error('always');
      },
    ],
  ])('holds until the task %s', async (_how, run) => {
    const engine = await here.open();
    const { producer } = engine;
    const hold = gate();
    const facts = watch(engine);
    const work = handler('a', () => hold.passed.then(run), { maxAttempts: 2 });
    const first = await producer.enqueue('a', { b: 1, a: 2 }, { deduplicate: true });

    const again = (): Promise<unknown> => producer.enqueue('a', { a: 2, b: 1 }, { deduplicate: true });
    expect(await again()).toEqual({ id: first.id, status: 'duplicate', durability: 'accepted' });
    expect(await producer.enqueue('a', { other: 1 }, { deduplicate: true })).toMatchObject({
      status: 'accepted',
    });
    await here.work(engine, work);
    await facts.until('task.started', { id: first.id });
    expect(await again()).toEqual({ id: first.id, status: 'duplicate', durability: 'accepted' });
    hold.open();
    await waitFor(() => facts.story(first.id).some((name) => /task\.(completed|discarded|dead)/.test(name)), {
      what: 'the task to end',
    });
    expect(await again()).toMatchObject({ status: 'accepted' });
  });

  it('holds while the task waits for its retry, and while it is delayed', async () => {
    const engine = await here.open();
    const facts = watch(engine);
    await here.work(
      engine,
      handler('a', () => Promise.reject(new Error('no')), { backoff: { base: '1h' }, maxAttempts: 2 }),
    );
    const failing = await engine.producer.enqueue('a', {}, { deduplicate: 'my key' });
    await facts.until('task.retrying', { id: failing.id });
    const delayed = await engine.producer.enqueue('b', {}, { deduplicate: 'other', delay: '1h' });

    expect(await engine.producer.enqueue('a', { any: 1 }, { deduplicate: 'my key' })).toEqual({
      id: failing.id,
      status: 'duplicate',
      durability: 'accepted',
    });
    expect(await engine.producer.enqueue('b', {}, { deduplicate: 'other' })).toEqual({
      id: delayed.id,
      status: 'duplicate',
      durability: 'accepted',
    });
  });
});
