import type { Broker } from '@taskq/core';
import { beforeEach, describe, expect, it } from 'vitest';
import { keysOf, QUEUE } from './support/keys.js';
import { enqueue, leaseOne, newTask, promoteRequest, settle, complete } from './support/tasks.js';
import { useRedis } from './support/world.js';

// What concerns many queues at once, and can only be seen in Redis.
const world = useRedis();

/** More than one call looks at. */
const QUEUES = Array.from({ length: 120 }, (_, i) => `q${i}`);
const keys = (queue: string) => keysOf(world().prefix, queue);

const take = (queues: readonly string[], consumer = 'w1') =>
  world().broker.takeDuties({ queues, consumer, dutyMs: 10_000 });
const sweeps = (queues: readonly string[], over: Partial<Parameters<Broker['sweepsDue']>[0]> = {}) =>
  world().broker.sweepsDue({ queues, everyMs: 1_000, ...over });
const cleaning = (queues: readonly string[], consumerAgeMs = 0) =>
  world().broker.cleaningDue({
    queues,
    consumer: 'w1',
    consumerAgeMs,
    deadLetters: 0,
    deadLetterAgeMs: 3_600_000,
  });

/** How many calls a verb takes. */
async function callsOf(verb: () => Promise<unknown>): Promise<number> {
  const calls = async (): Promise<number> => {
    const info = await world().redis.info('commandstats');
    return ['eval', 'evalsha']
      .map((name) => Number(new RegExp(`cmdstat_${name}:calls=(\\d+)`).exec(info)?.[1] ?? 0))
      .reduce((sum, count) => sum + count, 0);
  };
  await verb(); // so that the server knows the script
  const before = await calls();
  await verb();
  return (await calls()) - before;
}

describe('a look at many queues', () => {
  it('takes a call for fifty of them', async () => {
    expect(await callsOf(() => take(QUEUES))).toBe(3);
    expect(await callsOf(() => sweeps(QUEUES))).toBe(3);
    expect(await callsOf(() => cleaning(QUEUES))).toBe(3);
  });

  it('finds each of them in whichever call', async () => {
    const { broker } = world();
    const used = ['q0', 'q49', 'q50', 'q119'];
    for (const queue of used) {
      await broker.ensureQueue(queue);
      await enqueue(broker, [newTask(), newTask({ due: { afterMs: 60_000 } })], { queue });
      await settle(broker, [], { queue, want: 1, consumer: 'w2' });
    }

    expect((await take(QUEUES)).duties.map(({ queue }) => queue)).toEqual(used);
    expect((await sweeps(QUEUES)).queues).toEqual(used);
    expect(await cleaning(QUEUES)).toEqual([]);
    for (const queue of used) await world().redis.xadd(keys(queue).dead, '*', 'id', 'x');
    expect(await cleaning(QUEUES)).toEqual(used);
  });

  it('takes more where consumers are many, each of which is looked at, and misses none', async () => {
    const { broker, redis } = world();
    const crowded = QUEUES.slice(0, 4);
    for (const queue of crowded) {
      await broker.ensureQueue(queue);
      const pipeline = redis.pipeline();
      for (let i = 0; i < 1000; i += 1)
        pipeline.xgroup('CREATECONSUMER', keys(queue).wake, 'workers', `lives${i}`);
      await pipeline.exec();
    }
    await redis.xadd(keys('q3').dead, '*', 'id', 'x');
    const look = () => cleaning(crowded, 3_600_000);

    expect(await callsOf(look)).toBe(4);
    expect(await look()).toEqual(['q3']);
  });

  it('writes nothing where nothing waits', async () => {
    await take(QUEUES);

    expect(await world().redis.keys(`${world().prefix}:{q*`)).toEqual([]);
  });
});

describe('a queue that cannot be read', () => {
  const OTHER = 'other';
  beforeEach(() => world().broker.ensureQueue(OTHER));

  it.each(['scheduled', 'control'] as const)(
    'is one where a task is due, and keeps no duty from the others (%s)',
    async (key) => {
      const { broker, redis } = world();
      for (const queue of [QUEUE, OTHER])
        await enqueue(broker, [newTask({ due: { afterMs: 60_000 } })], { queue });
      await redis.del(keys(QUEUE)[key]);
      await redis.set(keys(QUEUE)[key], 'no');
      const { duties } = await take([QUEUE, OTHER]);

      expect(duties.map(({ queue }) => queue)).toEqual([QUEUE, OTHER]);
      expect(duties[0]!.nextInMs).toBe(0);
      expect(duties[1]!.nextInMs).toBeGreaterThan(0);
      await expect(broker.promote(promoteRequest())).rejects.toThrow(/WRONGTYPE/);
    },
  );

  it('keeps nobody from finding what is held elsewhere', async () => {
    const { broker, redis } = world();
    await leaseOne(broker, { lane: 'low' });
    await enqueue(broker, [newTask()], { queue: OTHER });
    await settle(broker, [], { queue: OTHER, want: 1 });
    await redis.set(keys(QUEUE).high, 'no', 'EX', 100);
    await redis.del(keys(QUEUE).control);
    await redis.set(keys(QUEUE).control, 'no');

    expect(await sweeps([QUEUE, OTHER])).toEqual({ queues: [QUEUE, OTHER], late: false });
  });

  it('keeps nobody from cleaning up elsewhere', async () => {
    const { broker, redis } = world();
    const delivery = await leaseOne(broker, {}, 'w2');
    await settle(broker, [complete(delivery)], { consumer: 'w2' });
    await redis.set(keys(OTHER).dead, 'no');

    expect(await cleaning([QUEUE, OTHER])).toEqual([QUEUE, OTHER]);
  });
});
