import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { BrokerError } from '@taskq/core';
import { QUEUE } from './support/keys.js';
import {
  complete,
  deadLetterOf,
  type Delivery,
  enqueue,
  groupOf,
  idOf,
  lease,
  newTask,
  newTasks,
  promoteRequest,
  release,
  retry,
  settle,
} from './support/tasks.js';
import { useRedis } from './support/world.js';

const world = useRedis();

const isOom = (error: unknown) => error instanceof BrokerError && error.reason === 'OOM';

/** From here on Redis refuses every command that may need memory. */
async function fillMemory(): Promise<void> {
  const { redis } = world();
  await redis.config('SET', 'maxmemory', '1');
  await expect(redis.set('probe', 'x')).rejects.toThrow('OOM');
}

let deliveries: readonly Delivery[];

beforeEach(async () => {
  const { broker } = world();
  await enqueue(broker, newTasks(6));
  await enqueue(broker, newTasks(2, { unique: { key: 'uk', ttlMs: 60_000 }, lane: 'low' }));
  deliveries = await lease(broker, 5);
});
afterEach(async () => {
  await world().redis.config('SET', 'maxmemory', '0');
});

describe('when Redis is at maxmemory', () => {
  it('enqueue is refused as OOM and writes nothing', async () => {
    const { broker, snapshot } = world();
    const before = await snapshot();
    await fillMemory();

    await expect(enqueue(broker, [newTask()])).rejects.toSatisfy(isOom);
    await expect(enqueue(broker, [newTask({ due: { afterMs: 1000 } })])).rejects.toSatisfy(isOom);

    expect(await snapshot()).toEqual(before);
  });

  it('a group refused is accepted when sent again after there is room', async () => {
    const { broker, redis, keys } = world();
    const group = groupOf([newTask()], { channel: 'c' });
    await fillMemory();
    await expect(broker.enqueue(group)).rejects.toSatisfy(isOom);
    const length = await redis.xlen(keys.normal);
    await redis.config('SET', 'maxmemory', '0');

    expect(await broker.enqueue(group)).toEqual({ answers: [{ status: 'accepted' }], lostAfter: undefined });

    expect(await redis.xlen(keys.normal)).toBe(length + 1);
  });

  it('completed tasks still drain, and further ones are still leased', async () => {
    const { broker, redis, keys } = world();
    await fillMemory();

    const answer = await settle(
      broker,
      deliveries.map((delivery) => complete(delivery)),
      { want: 10 },
    );

    expect(answer.stale).toEqual([]);
    expect(answer.deliveries).toHaveLength(2);
    await settle(broker, [complete(answer.deliveries[0]!), complete(answer.deliveries[1]!, 'uk')]);
    expect([await redis.xlen(keys.normal), await redis.xlen(keys.low)]).toEqual([0, 0]);
    expect(await redis.exists(keys.dedupe('uk'))).toBe(0);
  });

  it('a group that holds completes and retries applies both, whatever their order', async () => {
    const { broker } = world();
    await fillMemory();
    const [a, b, c] = deliveries;

    const { stale } = await settle(broker, [retry(a!), deadLetterOf(b!), complete(c!)]);

    expect(stale).toEqual([]);
    const states = await Promise.all([a, b, c].map((each) => broker.find(QUEUE, idOf(each!))));
    expect(states.map((place) => place?.state)).toEqual(['scheduled', 'dead', undefined]);
  });

  it('a group whose only complete frees a unique key applies all of it too', async () => {
    const { broker, redis, keys } = world();
    const answer = await settle(broker, [complete(deliveries[0]!)], { want: 10 });
    const unique = answer.deliveries.find((delivery) => delivery.lane === 'low')!;
    await fillMemory();

    const { stale } = await settle(broker, [retry(deliveries[1]!), complete(unique, 'uk')]);

    expect(stale).toEqual([]);
    expect(await redis.xlen(keys.low)).toBe(0);
    expect((await broker.find(QUEUE, idOf(deliveries[1]!)))?.state).toBe('scheduled');
  });

  it.each([
    ['retry', retry],
    ['dead letter', deadLetterOf],
  ] as const)('a %s alone fails as OOM and changes nothing', async (_, outcome) => {
    const { broker, snapshot } = world();
    const before = await snapshot();
    await fillMemory();

    await expect(settle(broker, [outcome(deliveries[0]!)])).rejects.toSatisfy(isOom);

    expect(await snapshot()).toEqual(before);
  });

  it('tasks are still handed back, and taken by another', async () => {
    const { broker, keys, pending } = world();
    await fillMemory();

    const { stale } = await settle(
      broker,
      deliveries.map((delivery) => release(delivery, true)),
    );

    expect(stale).toEqual([]);
    expect((await pending(keys.normal)).map((row) => row.consumer)).toEqual(deliveries.map(() => 'released'));
  });

  it('leases are still renewed', async () => {
    const { broker, keys, pending, age } = world();
    await age(keys.normal, 20_000);
    await fillMemory();

    expect(await broker.extend(QUEUE, 'w1', deliveries)).toEqual([]);

    for (const row of await pending(keys.normal)) expect(row.idleMs).toBeLessThan(20_000);
  });

  it('a task that is due waits on, unharmed', async () => {
    const { broker, redis, keys } = world();
    const task = newTask({ due: { afterMs: 60_000 } });
    await enqueue(broker, [task]);
    await redis.zadd(keys.scheduled, 'XX', 1, task.id);
    await fillMemory();

    await expect(broker.promote(promoteRequest())).rejects.toSatisfy(isOom);
    expect((await broker.find(QUEUE, task.id))?.state).toBe('scheduled');

    await redis.config('SET', 'maxmemory', '0');
    expect(await broker.promote(promoteRequest())).toMatchObject({ promoted: 1 });
  });
});
