import { describe, expect, it } from 'vitest';
import { QUEUE } from './support/keys.js';
import {
  ALL_LANES,
  complete,
  enqueue,
  lease,
  leaseOf,
  leaseOne,
  newTasks,
  reclaimRequest,
  settle,
} from './support/tasks.js';
import { useRedis } from './support/world.js';

const world = useRedis();

describe('extend', () => {
  it('renews leases of every lane and leaves the delivery count as it is', async () => {
    const { broker, keys, pending, age } = world();
    for (const lane of ALL_LANES) await enqueue(broker, newTasks(2, { lane }));
    const deliveries = await lease(broker, 6);
    for (const lane of ALL_LANES) await age(keys.lane(lane), 20_000);

    for (let i = 0; i < 3; i += 1) {
      expect(await broker.extend(QUEUE, 'w1', deliveries.map(leaseOf))).toEqual([]);
    }

    for (const lane of ALL_LANES) {
      const rows = await pending(keys.lane(lane));
      expect(rows).toHaveLength(2);
      for (const row of rows) {
        expect(row).toMatchObject({ consumer: 'w1', deliveries: 1 });
        expect(row.idleMs).toBeLessThan(10_000);
      }
    }
  });

  it('renews only the leases it is given', async () => {
    const { broker, keys, pending, age } = world();
    await enqueue(broker, newTasks(3));
    const deliveries = await lease(broker, 3);
    await age(keys.normal, 20_000);

    await broker.extend(QUEUE, 'w1', [leaseOf(deliveries[1]!)]);

    expect((await pending(keys.normal)).map((row) => row.idleMs >= 20_000)).toEqual([true, false, true]);
  });

  it('leaves a task that another consumer has taken to it, and says so', async () => {
    const { broker, keys, pending, age } = world();
    await enqueue(broker, newTasks(3));
    const deliveries = await lease(broker, 3);
    await age(keys.normal, 60_000);
    await broker.extend(QUEUE, 'w1', [leaseOf(deliveries[0]!), leaseOf(deliveries[2]!)]);
    await broker.reclaim(reclaimRequest({ consumer: 'w2' }));
    await age(keys.normal, 5_000);

    const lost = await broker.extend(QUEUE, 'w1', deliveries.map(leaseOf));

    expect(lost).toEqual([leaseOf(deliveries[1]!)]);
    const row = (await pending(keys.normal))[1]!;
    expect(row).toMatchObject({ entryId: deliveries[1]!.entryId, consumer: 'w2', deliveries: 2 });
    expect(row.idleMs).toBeGreaterThanOrEqual(5_000);
  });

  it('goes by the owner, not by the delivery count alone', async () => {
    const { broker, keys, redis, pending } = world();
    const delivery = await leaseOne(broker);
    await redis.xclaim(keys.normal, 'workers', 'w2', 0, delivery.entryId, 'IDLE', 5_000, 'JUSTID');

    expect(await broker.extend(QUEUE, 'w1', [leaseOf(delivery)])).toEqual([leaseOf(delivery)]);

    expect((await pending(keys.normal))[0]).toMatchObject({ consumer: 'w2', deliveries: 1 });
  });

  it('does not renew an earlier delivery to the same consumer', async () => {
    const { broker, keys, pending, age } = world();
    const delivery = await leaseOne(broker);
    await age(keys.normal, 60_000);
    await broker.reclaim(reclaimRequest({ consumer: 'w1', strays: [leaseOf(delivery)] }));
    await age(keys.normal, 5_000);

    expect(await broker.extend(QUEUE, 'w1', [leaseOf(delivery)])).toEqual([leaseOf(delivery)]);

    expect((await pending(keys.normal))[0]!.idleMs).toBeGreaterThanOrEqual(5_000);
  });

  it('reports tasks that are settled, ready or unknown, and leases nothing', async () => {
    const { broker, keys, snapshot, redis } = world();
    const settled = await leaseOne(broker);
    await settle(broker, [complete(settled)]);
    await enqueue(broker, newTasks(1));
    const [ready] = await redis.xrange(keys.normal, '-', '+');
    const leases = [
      leaseOf(settled),
      { lane: 'normal', entryId: ready![0], delivery: 1 },
      { lane: 'high', entryId: '1-1', delivery: 1 },
    ] as const;
    const before = await snapshot();

    expect(await broker.extend(QUEUE, 'w1', leases)).toEqual(leases);

    expect(await snapshot()).toEqual(before);
  });

  it('reports an entry that somebody deleted under its worker, at the latest the second time', async () => {
    const { broker, keys, redis, pending } = world();
    const delivery = await leaseOne(broker);
    await redis.xdel(keys.normal, delivery.entryId);

    const lost = [
      ...(await broker.extend(QUEUE, 'w1', [leaseOf(delivery)])),
      ...(await broker.extend(QUEUE, 'w1', [leaseOf(delivery)])),
    ];

    expect(lost).toContainEqual(leaseOf(delivery));
    expect(await pending(keys.normal)).toEqual([]);
  });

  it('renews the rest of a group with a deleted entry', async () => {
    const { broker, keys, redis, pending, age } = world();
    await enqueue(broker, newTasks(3));
    const deliveries = await lease(broker, 3);
    await age(keys.normal, 20_000);
    await redis.xdel(keys.normal, deliveries[1]!.entryId);

    await broker.extend(QUEUE, 'w1', deliveries.map(leaseOf));

    const rows = (await pending(keys.normal)).filter((row) => row.entryId !== deliveries[1]!.entryId);
    expect(rows.map((row) => row.idleMs < 10_000)).toEqual([true, true]);
  });

  it('handles more leases than fit one page, each named as it was given', async () => {
    const { broker, keys, age, pending } = world();
    for (let i = 0; i < 3; i += 1) await enqueue(broker, newTasks(100));
    const deliveries = await lease(broker, 300);
    await age(keys.normal, 20_000);
    const wrong = new Set([0, 99, 100, 150, 299]);
    const leases = deliveries.map((d, i) => ({ ...leaseOf(d), delivery: wrong.has(i) ? 7 : 1 }));

    const lost = await broker.extend(QUEUE, 'w1', leases);

    expect(lost).toEqual(leases.filter((_, i) => wrong.has(i)));
    const late = (await pending(keys.normal)).filter((row) => row.idleMs >= 20_000);
    expect(late).toHaveLength(wrong.size);
  });

  it('reports everything as lost when the group is gone, without an error', async () => {
    const { broker, keys, redis } = world();
    const delivery = await leaseOne(broker);
    await redis.xgroup('DESTROY', keys.normal, 'workers');

    expect(await broker.extend(QUEUE, 'w1', [leaseOf(delivery)])).toEqual([leaseOf(delivery)]);
  });
});
