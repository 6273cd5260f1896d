import { describe, expect, it } from 'vitest';
import type { Lane } from '@taskq/core';
import { QUEUE } from './support/keys.js';
import {
  ALL_LANES,
  complete,
  enqueue,
  idOf,
  lease,
  leaseOne,
  newTask,
  newTasks,
  settle,
} from './support/tasks.js';
import { useRedis } from './support/world.js';

const world = useRedis();

async function fill(ready: Partial<Record<Lane, number>>): Promise<void> {
  for (const lane of ALL_LANES) {
    const count = ready[lane] ?? 0;
    if (count > 0) await enqueue(world().broker, newTasks(count, { lane }));
  }
}

function perLane(deliveries: readonly { lane: Lane }[]): Record<Lane, number> {
  const count = { high: 0, normal: 0, low: 0 };
  for (const { lane } of deliveries) count[lane] += 1;
  return count;
}

describe('settle that also fetches', () => {
  it('completes and leases in one step', async () => {
    const { broker, keys, pending } = world();
    const delivery = await leaseOne(broker);
    const next = newTask();
    await enqueue(broker, [next]);

    const answer = await settle(broker, [complete(delivery)], { want: 1 });

    expect(answer).toMatchObject({ stale: [], recreated: false });
    expect(answer.deliveries.map(idOf)).toEqual([next.id]);
    expect(answer.deliveries[0]).toMatchObject({ queue: QUEUE, delivery: 1 });
    expect(await pending(keys.normal)).toMatchObject([{ entryId: answer.deliveries[0]!.entryId }]);
  });

  it('leases no more than wanted in all', async () => {
    const { broker } = world();
    await fill({ high: 20, normal: 20, low: 20 });

    for (const want of [
      { total: 7, high: 0, normal: 0, low: 0 },
      { total: 7, high: 7, normal: 7, low: 7 },
      { total: 7, high: 4, normal: 2, low: 1 },
    ]) {
      expect((await settle(broker, [], { want })).deliveries).toHaveLength(7);
    }
  });

  it('keeps to the quota of each lane when all have work', async () => {
    const { broker } = world();
    await fill({ high: 20, normal: 20, low: 20 });

    const { deliveries } = await settle(broker, [], { want: { total: 10, high: 6, normal: 3, low: 1 } });

    expect(perLane(deliveries)).toEqual({ high: 6, normal: 3, low: 1 });
  });

  it.each([
    [
      { high: 2, normal: 20, low: 20 },
      { high: 2, normal: 7, low: 1 },
    ],
    [
      { high: 20, normal: 0, low: 20 },
      { high: 9, normal: 0, low: 1 },
    ],
    [
      { high: 20, normal: 20, low: 0 },
      { high: 7, normal: 3, low: 0 },
    ],
    [
      { high: 0, normal: 0, low: 20 },
      { high: 0, normal: 0, low: 10 },
    ],
    [
      { high: 1, normal: 2, low: 3 },
      { high: 1, normal: 2, low: 3 },
    ],
    [
      { high: 0, normal: 0, low: 0 },
      { high: 0, normal: 0, low: 0 },
    ],
  ])('takes what %o lacks from the others, most urgent first: %o', async (ready, taken) => {
    const { broker } = world();
    await fill(ready);

    const { deliveries } = await settle(broker, [], { want: { total: 10, high: 6, normal: 3, low: 1 } });

    expect(perLane(deliveries)).toEqual(taken);
  });

  it('takes the fields of others as they are, whatever stands in them', async () => {
    const { broker, keys, redis } = world();
    const fields = (over: Record<string, string>): string[] =>
      Object.entries({
        id: 'a',
        type: 'b',
        payload: '{\n}',
        attempt: '1',
        enqueuedAt: '2',
        meta: '',
        ...over,
      }).flat();
    const written = ['id', 'type', 'payload', 'attempt', 'enqueuedAt', 'meta'].flatMap((name) => [
      fields({ [name]: 'x\ny' }),
      fields({ [name]: '\n' }),
    ]);
    for (const each of written) await redis.xadd(keys.normal, '*', ...each);

    const { deliveries } = await settle(broker, [], { want: written.length });

    expect(deliveries.map((delivery) => delivery.fields)).toEqual(written);
  });

  it('never starves the low lane, also with one slot', async () => {
    const { broker } = world();
    await fill({ high: 100, normal: 100, low: 30 });
    // Ten turns, spread out: what the worker asks for with one free slot at a time.
    const turns: Lane[] = [
      'high',
      'normal',
      'high',
      'high',
      'normal',
      'high',
      'low',
      'high',
      'normal',
      'high',
    ];
    const started = { high: 0, normal: 0, low: 0 };
    for (let served = 0; served < 100; served += 1) {
      const want = { total: 1, high: 0, normal: 0, low: 0, [turns[served % 10]!]: 1 };
      const { deliveries } = await settle(broker, [], { want });
      for (const delivery of deliveries) started[delivery.lane] += 1;
      await settle(
        broker,
        deliveries.map((delivery) => complete(delivery)),
      );
    }

    expect(started).toEqual({ high: 60, normal: 30, low: 10 });
  });

  it('leases in the order in which tasks came', async () => {
    const { broker } = world();
    const tasks = newTasks(30);
    await enqueue(broker, tasks);

    const ids = [...(await lease(broker, 10)), ...(await lease(broker, 20))].map(idOf);

    expect(ids).toEqual(tasks.map((task) => task.id));
  });
});

describe('settle when the group has vanished', () => {
  it('makes it again at 0, says so, and delivers what is there', async () => {
    const { broker, keys, redis } = world();
    await redis.del(keys.normal);
    const task = newTask();
    await enqueue(broker, [task]); // a stream without a group

    const answer = await settle(broker, [], { want: 5 });

    expect(answer.recreated).toBe(true);
    expect(answer.deliveries.map(idOf)).toEqual([task.id]);
    expect((await settle(broker, [], { want: 5 })).recreated).toBe(false);
  });

  it('makes streams again that vanished with it', async () => {
    const { broker, keys, redis } = world();
    await redis.del(keys.high, keys.normal, keys.low);

    expect(await settle(broker, [], { want: 1 })).toMatchObject({ recreated: true, deliveries: [] });

    for (const lane of ALL_LANES) {
      expect(await redis.xinfo('GROUPS', keys.lane(lane))).toHaveLength(1);
    }
  });

  it('takes outcomes of before for stale, not for an error', async () => {
    const { broker, keys, redis } = world();
    const deliveries = [await leaseOne(broker), await leaseOne(broker), await leaseOne(broker)];
    await redis.xgroup('DESTROY', keys.normal, 'workers');

    const answer = await settle(
      broker,
      deliveries.map((delivery) => complete(delivery)),
      { want: 1 },
    );

    expect(new Set(answer.stale)).toEqual(new Set([0, 1, 2]));
    expect(answer.recreated).toBe(true);
    expect(await redis.xlen(keys.normal)).toBe(3);
  });
});
