import { describe, expect, it } from 'vitest';
import { indexedPlace } from './support/index-place.js';
import { QUEUE } from './support/keys.js';
import { complete, enqueue, idOf, lease, leaseOne, newTasks, settle } from './support/tasks.js';
import { useRedis } from './support/world.js';

const world = useRedis();

describe('a completed task', () => {
  it('is acknowledged and deleted in one step, and leaves nothing behind', async () => {
    const { broker, keys, redis, pending, keyNames } = world();
    const before = await keyNames();
    const delivery = await leaseOne(broker);

    expect(await settle(broker, [complete(delivery)])).toEqual({
      stale: [],
      stillLeased: [],
      buried: [],
      deliveries: [],
      recreated: false,
    });

    expect(await redis.xlen(keys.normal)).toBe(0);
    expect(await pending(keys.normal)).toEqual([]);
    expect(await redis.exists(keys.index(idOf(delivery)))).toBe(0);
    expect((await keyNames()).filter((key) => !key.includes(':producer:'))).toEqual(before);
  });

  it('leaves its neighbours in the index', async () => {
    const { broker, keys, redis } = world();
    await enqueue(broker, newTasks(3));
    const deliveries = await lease(broker, 3);
    const ids = deliveries.map(idOf);

    await settle(broker, [complete(deliveries[1]!)]);

    expect(await indexedPlace(redis, keys, ids[1]!)).toBeUndefined();
    expect((await broker.find(QUEUE, ids[0]!))?.state).toBe('active');
    expect((await broker.find(QUEUE, ids[2]!))?.state).toBe('active');
  });

  it('keeps ready = XLEN - pending exact through a long series', async () => {
    const { broker, keys, redis, pending } = world();
    await enqueue(broker, newTasks(150));
    let ready = 150;
    for (let round = 0; round < 10; round += 1) {
      const deliveries = await lease(broker, 10);
      ready -= 10;
      await settle(
        broker,
        deliveries.slice(round % 3).map((delivery) => complete(delivery)),
      );
      const held = (await pending(keys.normal)).length;
      expect((await redis.xlen(keys.normal)) - held).toBe(ready);
      expect(await broker.counts(QUEUE)).toMatchObject({
        ready: { high: 0, normal: ready, low: 0 },
        active: held,
      });
    }
  });

  it('may come with 200 others of three lanes in any order', async () => {
    const { broker, keys, redis, keyNames } = world();
    for (const lane of ['high', 'normal', 'low'] as const) await enqueue(broker, newTasks(70, { lane }));
    const deliveries = await lease(broker, 210);
    expect(deliveries).toHaveLength(210);
    const shuffled = deliveries.toSorted((a, b) => idOf(a).slice(-1).localeCompare(idOf(b).slice(-1)));

    const { stale } = await settle(
      broker,
      shuffled.map((delivery) => complete(delivery)),
    );

    expect(stale).toEqual([]);
    for (const lane of ['high', 'normal', 'low'] as const) expect(await redis.xlen(keys.lane(lane))).toBe(0);
    expect((await keyNames()).filter((key) => key.includes(':index:'))).toEqual([]);
  });

  it('may be one that another language wrote, without a place in the index', async () => {
    const { broker, keys, redis, pending } = world();
    await redis.xadd(keys.normal, '*', 'type', 'a', 'payload', '1');
    const [delivery] = await lease(broker, 1);

    const { stale } = await settle(broker, [
      {
        kind: 'remove',
        lease: { lane: 'normal', entryId: delivery!.entryId, delivery: 1 },
        id: delivery!.entryId,
      },
    ]);

    expect(stale).toEqual([]);
    expect(await redis.xlen(keys.normal)).toBe(0);
    expect(await pending(keys.normal)).toEqual([]);
  });

  it('is nothing to other groups on the stream, whose own pending lists stay', async () => {
    const { broker, keys, redis } = world();
    await redis.xgroup('CREATE', keys.normal, 'audit', '0');
    const delivery = await leaseOne(broker);
    await redis.xreadgroup('GROUP', 'audit', 'x', 'COUNT', 1, 'STREAMS', keys.normal, '>');

    expect((await settle(broker, [complete(delivery)])).stale).toEqual([]);

    expect(await redis.xpending(keys.normal, 'audit', '-', '+', 10)).toHaveLength(1);
  });
});

describe('an empty settle', () => {
  it('changes nothing at all', async () => {
    const { broker, snapshot } = world();
    await enqueue(broker, newTasks(3));
    await lease(broker, 1);
    const before = await snapshot();

    expect(await settle(broker, [])).toEqual({
      stale: [],
      stillLeased: [],
      buried: [],
      deliveries: [],
      recreated: false,
    });

    expect(await snapshot()).toEqual(before);
  });
});
