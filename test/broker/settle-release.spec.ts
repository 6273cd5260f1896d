import { describe, expect, it } from 'vitest';
import { QUEUE } from './support/keys.js';
import {
  type Delivery,
  enqueue,
  idOf,
  lease,
  LEASE_MS,
  leaseOne,
  newTasks,
  reclaimRequest,
  release,
  settle,
} from './support/tasks.js';
import { useRedis } from './support/world.js';

const world = useRedis();

async function reclaimReleased(consumer: string): Promise<readonly Delivery[]> {
  const answer = await world().broker.reclaim(reclaimRequest({ consumer, releasedOnly: true }));
  return answer.deliveries;
}

describe('a released task', () => {
  it('that was started: its delivery count jumps to the next thousand, so no number repeats', async () => {
    const { broker, keys, pending } = world();
    let delivery = await leaseOne(broker);
    const seen = [delivery.delivery];
    for (const round of [1, 2, 3]) {
      await settle(broker, [release(delivery, true)], { consumer: `w${round}` });
      expect(await pending(keys.normal)).toMatchObject([{ consumer: 'released', deliveries: round * 1000 }]);
      delivery = (await reclaimReleased(`w${round + 1}`))[0]!;
      seen.push(delivery.delivery);
    }

    expect(seen).toEqual([1, 1001, 2001, 3001]);
  });

  it('that was started after crashes forgets those: it is no suspect', async () => {
    const { broker, keys, redis, pending } = world();
    const delivery = await leaseOne(broker);
    await redis.xclaim(keys.normal, 'workers', 'w1', 0, delivery.entryId, 'RETRYCOUNT', 4, 'JUSTID');

    await settle(broker, [release({ ...delivery, delivery: 4 }, true)]);

    expect((await pending(keys.normal))[0]!.deliveries).toBe(1000);
    const { deliveries } = await broker.reclaim(reclaimRequest({ suspects: false }));
    expect(deliveries).toHaveLength(1);
  });

  it('that was not started: no number repeats either, and what was counted of crashes is kept', async () => {
    const { broker, keys, pending } = world();
    const first = await leaseOne(broker);

    await settle(broker, [release(first)]);
    expect(await pending(keys.normal)).toMatchObject([{ consumer: 'released', deliveries: 1000 }]);

    const [second] = await reclaimReleased('w2');
    expect(second).toMatchObject({ entryId: first.entryId, delivery: 1001, from: 'released' });
    await settle(broker, [release(second!, true)], { consumer: 'w2' });
    const [third] = await reclaimReleased('w3');
    expect(third!.delivery).toBe(2001);
    await settle(broker, [release(third!)], { consumer: 'w3' });
    expect((await pending(keys.normal))[0]!.deliveries).toBe(3000);
  });

  it.each([false, true])(
    '(started: %s) looks idle for longer than the lease, so anyone takes it',
    async (on) => {
      const { broker, keys, pending } = world();
      const delivery = await leaseOne(broker);

      await settle(broker, [release(delivery, on)]);

      expect((await pending(keys.normal))[0]!.idleMs).toBeGreaterThan(LEASE_MS);
      const { deliveries } = await broker.reclaim(reclaimRequest({ consumer: 'w2' }));
      expect(deliveries).toMatchObject([{ entryId: delivery.entryId, from: 'released' }]);
      expect(deliveries[0]!.fields).toEqual(delivery.fields);
    },
  );

  it('wakes somebody, once per group', async () => {
    const { broker, keys, redis } = world();
    await enqueue(broker, newTasks(5));
    const deliveries = await lease(broker, 5);

    await settle(
      broker,
      deliveries.map((delivery, i) => release(delivery, i % 2 === 0)),
    );

    expect(await redis.xlen(keys.wake)).toBe(1);
    expect(
      (await broker.fetch({ consumer: 'w2', blockMs: 10, count: 1, queues: [QUEUE] })).woken,
    ).toMatchObject([{ why: 'released' }]);
  });

  it('stays on its stream and in the index, and counts as ready', async () => {
    const { broker, keys, redis } = world();
    const delivery = await leaseOne(broker);

    await settle(broker, [release(delivery)]);

    expect(await redis.xlen(keys.normal)).toBe(1);
    expect(await broker.find(QUEUE, idOf(delivery))).toMatchObject({
      state: 'ready',
      lane: 'normal',
      entryId: delivery.entryId,
    });
    expect(await broker.counts(QUEUE)).toMatchObject({ ready: { normal: 1 }, active: 0 });
  });

  it('is not the releasing worker any more: what it says later is refused', async () => {
    const { broker, snapshot } = world();
    const delivery = await leaseOne(broker);
    await settle(broker, [release(delivery, true)]);
    const before = await snapshot();

    expect((await settle(broker, [release(delivery, true)])).stale).toEqual([0]);
    expect(await broker.extend(QUEUE, 'w1', [delivery])).toHaveLength(1);

    expect(await snapshot()).toEqual(before);
  });
});
