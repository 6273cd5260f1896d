import type { TaskContext } from '@taskq/core';
import { describe, expect, it } from 'vitest';
import { handler, lab, range, rejection, watch } from '../integration/harness.js';

const here = lab();

const SPLIT = { queues: { orders: { partitions: 3, concurrency: 12 } } };
const orders = { queue: 'orders' };
const PARTS = ['orders.0.0', 'orders.1.1', 'orders.2.1'];

const readyIn = (engine: Awaited<ReturnType<typeof here.open>>) =>
  Promise.all(PARTS.map(async (name) => (await engine.inspector.counts(name)).ready.normal));

describe('a queue with partitions', () => {
  it('keeps tasks in all of them, evenly, and is counted as one', async () => {
    const engine = await here.open(SPLIT);
    await engine.producer.enqueueMany(
      'a',
      range(1944).map((n) => ({ payload: n, options: orders })),
    );

    const ready = await readyIn(engine);
    expect(ready).toEqual([648, 648, 648]);
    expect(engine.inspector.partitions('orders')).toEqual(PARTS);
    expect((await engine.inspector.counts('orders')).ready.normal).toBe(1944);
    expect(await here.admin.exists(here.key(':tasks', 'orders'))).toBe(0);
  });

  it('runs tasks of every partition, in slots of each, and speaks of the queue only', async () => {
    const engine = await here.open(SPLIT);
    const facts = watch(engine);
    const contexts: TaskContext[] = [];
    const worker = await here.work(
      engine,
      handler('a', (_, context) => void contexts.push(context), orders),
    );
    const keys = range(30).map((n) => `customer-${n}`);
    await Promise.all(
      keys.map((partitionKey) => engine.producer.enqueue('a', 1, { ...orders, partitionKey })),
    );
    await here.untilEmpty(engine, 5000, 'orders');

    expect(contexts.map(({ queue }) => queue)).toEqual(Array(30).fill('orders'));
    for (const name of ['task.enqueued', 'task.started', 'task.completed'] as const) {
      expect(new Set(facts.of(name).map(({ queue }) => queue))).toEqual(new Set(['orders']));
      expect(facts.of(name)).toHaveLength(30);
    }
    expect(worker.status().queues).toEqual([{ queue: 'orders', slots: 12, active: 0, stuck: 0 }]);
  });

  it('speaks of the queue also where an entry is no task', async () => {
    const engine = await here.open(SPLIT);
    const facts = watch(engine);
    await here.work(
      engine,
      handler('a', () => undefined, orders),
    );
    for (const name of PARTS) await here.admin.xadd(here.key(':tasks', name), '*', 'nonsense', '1');
    await facts.until('task.malformed', { count: 3 });

    expect(facts.of('task.malformed').map(({ queue }) => queue)).toEqual(['orders', 'orders', 'orders']);
  });

  it('keeps the order of tasks with one partition key', async () => {
    const engine = await here.open({ queues: { orders: { partitions: 3, concurrency: 3, prefetch: 0 } } });
    const seen: Record<string, number[]> = {};
    for (const n of range(40)) {
      for (const key of ['x', 'y', 'z'])
        await engine.producer.enqueue('a', { key, n }, { ...orders, partitionKey: key });
    }
    await here.work(
      engine,
      handler('a', ({ key, n }: { key: string; n: number }) => void (seen[key] ??= []).push(n), orders),
    );
    await here.untilEmpty(engine, 5000, 'orders');

    for (const key of ['x', 'y', 'z']) expect(seen[key]).toEqual(range(40));
  });

  it('finds equal tasks whoever enqueues them, and whichever they would have been spread to', async () => {
    const [one, other] = [await here.open(SPLIT), await here.open(SPLIT)];
    for (const n of range(12)) {
      const guards = [{ idempotencyKey: `i${n}` }, { deduplicate: `d${n}` }, { id: `own-${n}` }];
      for (const guard of guards) {
        const first = await one.producer.enqueue('a', n, { ...orders, ...guard });
        // Whatever else is enqueued in between.
        await one.producer.enqueueMany(
          'b',
          range(50).map((payload) => ({ payload, options: orders })),
        );
        const second = await other.producer.enqueue('a', n, { ...orders, ...guard });

        expect([first.status, second]).toMatchObject(['accepted', { status: 'duplicate', id: first.id }]);
      }
    }
  });

  it('wants a partition key where a call has several keys that make it unique', async () => {
    const engine = await here.open(SPLIT);
    const several = { ...orders, idempotencyKey: 'i', deduplicate: 'd' };

    const error = await rejection(engine.producer.enqueue('a', 1, several));
    expect(error.message).toContain('partitionKey');

    expect(await engine.producer.enqueue('a', 1, { ...several, partitionKey: 'k' })).toMatchObject({
      status: 'accepted',
    });
    expect(await engine.producer.enqueue('a', 1, { ...several, partitionKey: 'k' })).toMatchObject({
      status: 'duplicate',
    });
  });

  it('enqueues once what is enqueued again with the id that it was given', async () => {
    const engine = await here.open(SPLIT);
    for (const n of range(300)) {
      const { id } = await engine.producer.enqueue('a', n, orders);
      if (n % 50 !== 0) continue;
      expect(await engine.producer.enqueue('a', n, { ...orders, id })).toMatchObject({
        status: 'duplicate',
        id,
      });
    }
  });

  it('shows dead letters in their order, page by page, each once, and replays them', async () => {
    const engine = await here.open(SPLIT);
    const facts = watch(engine);
    let mended = false;
    await here.work(
      engine,
      handler(
        'a',
        () => {
          if (!mended) throw new Error('no');
        },
        { ...orders, maxAttempts: 1 },
      ),
    );
    const answers = await Promise.all(
      range(60).map((n) => engine.producer.enqueue('a', n, { ...orders, partitionKey: `k${n}` })),
    );
    const ids = answers.map(({ id }) => id);
    for (const id of ids) await facts.until('task.dead', { id });
    mended = true;

    const seen: string[] = [];
    const entries: string[] = [];
    for (let after = ''; ;) {
      const page = await engine.inspector.deadLetters('orders', { after, limit: 7 });
      if (page.length === 0) break;
      expect(page.every(({ queue }) => queue === 'orders')).toBe(true);
      seen.push(...page.map(({ id }) => id));
      entries.push(...page.map(({ entryId }) => entryId));
      after = page.at(-1)!.entryId;
    }
    expect(seen.toSorted()).toEqual(ids.toSorted());
    // `diedAt` may differ from an entry's time by a millisecond: the clock goes on while a script runs.
    const times = entries.map((entryId) => Number.parseInt(entryId, 10));
    expect(times).toEqual(times.toSorted((a, b) => a - b));

    expect(await engine.inspector.find('orders', ids[5]!)).toMatchObject({ state: 'dead', queue: 'orders' });
    expect(await engine.inspector.replay('orders', ids[5]!)).toBe(true);
    await facts.until('task.completed', { id: ids[5]! });
    expect(await engine.inspector.replayAll('orders')).toBe(59);
    await here.untilEmpty(engine, 5000, 'orders');
    expect(await engine.inspector.counts('orders')).toMatchObject({ dead: 0 });
  });

  it('shows what waits in the order in which it is due, from any offset', async () => {
    const engine = await here.open(SPLIT);
    const delays = range(45).map((n) => 60_000 + ((n * 7919) % 45) * 1000);
    await Promise.all(
      delays.map((delay, n) =>
        engine.producer.enqueue('a', delay, { ...orders, delay, partitionKey: `k${n}` }),
      ),
    );
    const shown: number[] = [];
    for (const offset of [0, 20, 40]) {
      const page = await engine.inspector.scheduled('orders', { offset, limit: 20 });
      shown.push(...page.map(({ payload }) => Number(payload)));
    }

    expect(shown).toEqual(delays.toSorted((a, b) => a - b));
  });

  it('is full when its partitions are', async () => {
    const engine = await here.open({ queues: { orders: { partitions: 3, concurrency: 3, maxReady: 30 } } });
    const outcomes = await Promise.allSettled(
      range(600).map((n) => engine.producer.enqueue('a', n, { ...orders, partitionKey: `k${n}` })),
    );
    const refused = outcomes.filter((outcome) => outcome.status === 'rejected');

    expect(refused).toHaveLength(570);
    expect(refused[0]!.reason).toMatchObject({ name: 'QueueFullError', queue: 'orders', maxReady: 30 });
    expect((await engine.inspector.counts('orders')).ready.normal).toBe(30);
  });

  it('hands everything back at a stop, whichever partition it is of', async () => {
    const engine = await here.open(SPLIT);
    const worker = await here.work(
      engine,
      handler(
        'a',
        (_, { signal }) =>
          new Promise((_resolve, reject) =>
            signal.addEventListener('abort', () => reject(signal.reason as Error)),
          ),
        orders,
      ),
    );
    await Promise.all(
      range(12).map((n) => engine.producer.enqueue('a', n, { ...orders, partitionKey: `k${n * 7}` })),
    );
    const active = async () => (await engine.inspector.counts('orders')).active;
    const { waitFor } = await import('@taskq/testing');
    await waitFor(async () => (await active()) >= 9, { what: 'tasks of all partitions to run' });

    const { released, stuck } = await worker.stop({ drainTimeoutMs: 50 });

    expect([released >= 9, stuck]).toEqual([true, 0]);
    const { ready, active: left } = await engine.inspector.counts('orders');
    expect([ready.normal, left]).toEqual([12, 0]);
  });
});
