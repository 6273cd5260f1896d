import { describe, expect, it } from 'vitest';
import { QUEUE } from './support/keys.js';
import {
  ALL_LANES,
  complete,
  enqueue,
  lease,
  leaseOne,
  newTask,
  newTasks,
  release,
  settle,
} from './support/tasks.js';
import { useRedis } from './support/world.js';

const world = useRedis();

async function names(): Promise<string[]> {
  return (await world().broker.listConsumers(QUEUE)).map((consumer) => consumer.name).toSorted();
}

describe('removeConsumer', () => {
  it.each(ALL_LANES)(
    'refuses while the consumer holds an entry of lane %s, which stays its own',
    async (lane) => {
      const { broker, keys, pending } = world();
      const delivery = await leaseOne(broker, { lane });

      expect(await broker.removeConsumer(QUEUE, 'w1')).toBe(false);

      expect(await pending(keys.lane(lane))).toMatchObject([{ entryId: delivery.entryId, consumer: 'w1' }]);
      expect((await settle(broker, [complete(delivery)])).stale).toEqual([]);
    },
  );

  it('removes one that holds nothing, from every stream', async () => {
    const { broker, keys, redis } = world();
    for (const lane of ALL_LANES) await settle(broker, [complete(await leaseOne(broker, { lane }))]);
    await broker.fetch({ consumer: 'w1', blockMs: 10, count: 1, queues: [QUEUE] });
    expect(await names()).toEqual(['w1']);

    expect(await broker.removeConsumer(QUEUE, 'w1')).toBe(true);

    expect(await names()).toEqual([]);
    for (const key of [keys.high, keys.normal, keys.low, keys.wake]) {
      expect(await redis.xinfo('CONSUMERS', key, 'workers')).toEqual([]);
    }
  });

  it('takes one that never was, or whose group is gone, as gone', async () => {
    const { broker, keys, redis } = world();
    expect(await broker.removeConsumer(QUEUE, 'nobody')).toBe(true);

    await redis.del(keys.high, keys.normal, keys.low, keys.wake);

    expect(await broker.removeConsumer(QUEUE, 'nobody')).toBe(true);
  });

  it('leaves the others and what they hold', async () => {
    const { broker, keys, pending } = world();
    await leaseOne(broker, {}, 'w2');
    await settle(broker, [complete(await leaseOne(broker))]);

    await broker.removeConsumer(QUEUE, 'w1');

    expect(await names()).toEqual(['w2']);
    expect(await pending(keys.normal)).toMatchObject([{ consumer: 'w2' }]);
  });

  it('removes one that handed everything back', async () => {
    const { broker } = world();
    const delivery = await leaseOne(broker);
    await settle(broker, [release(delivery)]);

    expect(await broker.removeConsumer(QUEUE, 'w1')).toBe(true);

    expect(await broker.counts(QUEUE)).toMatchObject({ ready: { normal: 1 }, active: 0 });
  });
});

describe('listConsumers', () => {
  it('names each once, with what it holds in all lanes and how long it has been silent', async () => {
    const { broker } = world();
    await enqueue(broker, [...newTasks(2), newTask({ lane: 'high' }), newTask({ lane: 'low' })]);
    await lease(broker, 3, 'w1');
    await lease(broker, 1, 'w2');

    const consumers = await broker.listConsumers(QUEUE);

    const byName = consumers.toSorted((a, b) => a.name.localeCompare(b.name));
    expect(byName.map((consumer) => [consumer.name, consumer.pending])).toEqual([
      ['w1', 3],
      ['w2', 1],
    ]);
    for (const { idleMs } of consumers) {
      expect(idleMs).toBeGreaterThanOrEqual(0);
      expect(idleMs).toBeLessThan(10_000);
    }
  });

  it('does not name the owner of what was handed back', async () => {
    const { broker } = world();
    await settle(broker, [release(await leaseOne(broker))]);

    expect(await names()).not.toContain('released');
    expect((await broker.counts(QUEUE)).consumers).toBe((await names()).length);
  });

  it('is empty for a queue that nobody used', async () => {
    const { broker } = world();

    expect(await broker.listConsumers('never')).toEqual([]);
  });
});
