import { describe, expect, it } from 'vitest';
import { BrokerError, type RedisBroker } from '@taskq/core';
import { waitFor } from '@taskq/testing';
import { keysOf, QUEUE } from './support/keys.js';
import { ALL_LANES, complete, enqueue, idOf, newTask, newTasks, release, settle } from './support/tasks.js';
import { useRedis } from './support/world.js';

const world = useRedis();

const LONG_MS = 15_000;

const request = (over: Partial<Parameters<RedisBroker['fetch']>[0]> = {}) => ({
  consumer: 'w1',
  blockMs: 100,
  count: 10,
  queues: [QUEUE],
  ...over,
});

/** The fact that a client of the server waits in a blocking read. */
function blocked(): Promise<unknown> {
  const { redis } = world();
  return waitFor(async () => /\bflags=\w*b/.test(String(await redis.client('LIST'))), {
    what: 'a blocking read',
  });
}

describe('fetch', () => {
  it('leases entries of all lanes to the consumer, most urgent first, each delivered once', async () => {
    const { broker, keys, pending } = world();
    const tasks = [...ALL_LANES].toReversed().map((lane) => newTask({ lane }));
    await enqueue(broker, tasks);

    const { deliveries, woken } = await broker.fetch(request());

    expect(woken).toEqual([]);
    expect(deliveries.map((delivery) => delivery.lane)).toEqual(ALL_LANES);
    expect(deliveries.map(idOf)).toEqual(tasks.toReversed().map((task) => task.id));
    for (const delivery of deliveries) {
      expect(delivery).toMatchObject({ queue: QUEUE, delivery: 1 });
      expect(delivery.from).toBeUndefined();
      expect(await pending(keys.lane(delivery.lane))).toMatchObject([
        { entryId: delivery.entryId, consumer: 'w1', deliveries: 1 },
      ]);
    }
  });

  it('reads several queues in one call and says which entry is whose', async () => {
    const { broker } = world();
    for (const queue of ['a', 'b', 'c']) await broker.ensureQueue(queue);
    const [a, c] = [newTask(), newTask({ lane: 'low' })];
    await enqueue(broker, [a], { queue: 'a' });
    await enqueue(broker, [c], { queue: 'c' });

    const { deliveries } = await broker.fetch(request({ queues: ['a', 'b', 'c'] }));

    expect(deliveries.map((d) => [d.queue, d.lane, idOf(d)])).toEqual([
      ['a', 'normal', a.id],
      ['c', 'low', c.id],
    ]);
  });

  it('takes at most `count` of each lane', async () => {
    const { broker, keys, pending } = world();
    await enqueue(
      broker,
      ALL_LANES.flatMap((lane) => newTasks(5, { lane })),
    );

    const { deliveries } = await broker.fetch(request({ count: 2 }));

    for (const lane of ALL_LANES) {
      expect(deliveries.filter((delivery) => delivery.lane === lane)).toHaveLength(2);
      expect(await pending(keys.lane(lane))).toHaveLength(2);
    }
  });

  it('never gives one entry to two consumers', async () => {
    const { broker, connect } = world();
    const peer = await connect();
    const tasks = newTasks(60);
    await enqueue(broker, tasks);

    const answers = await Promise.all(
      [broker, peer].flatMap((each, i) =>
        Array.from({ length: 4 }, () => each.fetch(request({ consumer: `w${i}`, count: 8 }))),
      ),
    );

    const ids = answers.flatMap((answer) => answer.deliveries.map(idOf));
    expect(ids.toSorted()).toEqual(tasks.map((task) => task.id).toSorted());
  });

  it('answers nothing when nothing comes within blockMs', async () => {
    const { broker } = world();

    expect(await broker.fetch(request({ blockMs: 20 }))).toEqual({ deliveries: [], woken: [] });
  });

  it.each(ALL_LANES)('waits, and answers an entry of lane %s as soon as it is there', async (lane) => {
    const { broker } = world();
    const waiting = broker.fetch(request({ blockMs: LONG_MS }));
    await blocked();
    const task = newTask({ lane });
    const start = performance.now();

    await enqueue(broker, [task]);

    expect((await waiting).deliveries.map(idOf)).toEqual([task.id]);
    expect(performance.now() - start).toBeLessThan(LONG_MS / 3);
  });

  it('answers an entry that another language added with XADD alone', async () => {
    const { broker, keys, redis } = world();
    const entryId = await redis.xadd(keys.normal, '*', 'type', 'mail.send', 'payload', '{}');

    const { deliveries } = await broker.fetch(request());

    expect(deliveries).toEqual([
      {
        queue: QUEUE,
        lane: 'normal',
        entryId,
        delivery: 1,
        era: 0,
        fields: ['type', 'mail.send', 'payload', '{}'],
      },
    ]);
  });

  it('does not hold up commands while it waits', async () => {
    const { broker } = world();
    const waiting = broker.fetch(request({ blockMs: LONG_MS }));
    await blocked();

    expect(await broker.ping()).toBeLessThan(LONG_MS / 3);
    expect(await broker.extend(QUEUE, 'w1', [])).toEqual([]);
    expect(await broker.counts(QUEUE)).toMatchObject({ active: 0 });

    await broker.interruptFetch();
    await waiting;
  });
});

describe('wake-up of a waiting fetch', () => {
  it('reports that a task became due sooner', async () => {
    const { broker } = world();
    const waiting = broker.fetch(request({ blockMs: LONG_MS }));
    await blocked();

    await enqueue(broker, [newTask({ due: { afterMs: 60_000 } })]);

    const { deliveries, woken } = await waiting;
    expect(deliveries).toEqual([]);
    expect(woken).toEqual([{ queue: QUEUE, entryId: expect.stringMatching(/^\d+-\d+$/), why: 'due' }]);
  });

  it('reports that tasks were handed back', async () => {
    const { broker, connect } = world();
    const peer = await connect();
    await enqueue(broker, [newTask()]);
    const [delivery] = (await peer.fetch(request({ consumer: 'w2' }))).deliveries;
    const waiting = broker.fetch(request({ blockMs: LONG_MS }));
    await blocked();

    await settle(peer, [release(delivery!)], { consumer: 'w2' });

    expect((await waiting).woken).toMatchObject([{ queue: QUEUE, why: 'released' }]);
  });

  it('tells one consumer only', async () => {
    const { broker, connect } = world();
    const peer = await connect();
    await enqueue(broker, [newTask({ due: { afterMs: 60_000 } })]);

    const answers = [
      await broker.fetch(request({ blockMs: 20 })),
      await peer.fetch(request({ consumer: 'w2', blockMs: 20 })),
    ];

    expect(answers.map((answer) => answer.woken.length)).toEqual([1, 0]);
  });

  it('keeps the wake stream short however often it is written', async () => {
    const { broker, keys, redis } = world();
    for (let i = 0; i < 50; i += 1) {
      await enqueue(broker, [newTask({ due: { afterMs: 1_000_000 - i * 1000 } })]);
    }

    expect(await redis.xlen(keys.wake)).toBeLessThanOrEqual(10);
  });
});

describe('interruptFetch', () => {
  it('ends a fetch that waits, with nothing and without an error', async () => {
    const { broker } = world();
    const waiting = broker.fetch(request({ blockMs: LONG_MS }));
    await blocked();
    const start = performance.now();

    await broker.interruptFetch();

    expect(await waiting).toEqual({ deliveries: [], woken: [] });
    expect(performance.now() - start).toBeLessThan(LONG_MS / 3);
  });

  it('does nothing when nobody waits, also before the first fetch, and fetching goes on', async () => {
    const { broker } = world();
    await broker.interruptFetch();
    await broker.fetch(request({ blockMs: 10 }));
    await broker.interruptFetch();
    await enqueue(broker, [newTask()]);

    expect((await broker.fetch(request())).deliveries).toHaveLength(1);
  });

  it('ends the fetch of its own broker only', async () => {
    const { broker, connect } = world();
    const peer = await connect();
    const waiting = broker.fetch(request({ blockMs: LONG_MS }));
    await blocked();

    await peer.interruptFetch();
    await enqueue(peer, [newTask()]);

    expect((await waiting).deliveries).toHaveLength(1);
  });
});

describe('fetch when the group is gone', () => {
  it('fails typed as NOGROUP, at once, and works again after ensureQueue', async () => {
    const { broker, keys, redis } = world();
    await redis.del(keys.normal);
    const start = performance.now();

    await expect(broker.fetch(request({ blockMs: LONG_MS }))).rejects.toSatisfy(
      (error) => error instanceof BrokerError && error.reason === 'NOGROUP',
    );

    expect(performance.now() - start).toBeLessThan(LONG_MS / 3);
    await broker.ensureQueue(QUEUE);
    await enqueue(broker, [newTask()]);
    expect((await broker.fetch(request())).deliveries).toHaveLength(1);
  });

  it('fails typed when the stream vanishes while it waits', async () => {
    const { broker, keys, redis } = world();
    const waiting = broker.fetch(request({ blockMs: LONG_MS }));
    const failure = waiting.catch((error: unknown) => error);
    await blocked();

    await redis.del(keys.normal);

    expect(await failure).toBeInstanceOf(BrokerError);
    expect(await failure).toMatchObject({ reason: expect.stringMatching(/^(NOGROUP|UNBLOCKED)$/) });
  });

  it('does not touch the group of another queue', async () => {
    const { broker, prefix, redis } = world();
    await broker.ensureQueue('other');
    await enqueue(broker, [newTask()], { queue: 'other' });
    await redis.del(keysOf(prefix).normal);

    await expect(broker.fetch(request({ queues: [QUEUE, 'other'] }))).rejects.toBeInstanceOf(BrokerError);

    const answer = await settle(broker, [], { queue: 'other', want: 1 });
    expect(answer.deliveries).toHaveLength(1);
    expect((await settle(broker, [complete(answer.deliveries[0]!)], { queue: 'other' })).stale).toEqual([]);
  });
});
