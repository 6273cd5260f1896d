import { describe, expect, it } from 'vitest';
import {
  complete,
  deadLetterOf,
  type Delivery,
  enqueue,
  idOf,
  lease,
  leaseOf,
  leaseOne,
  newTasks,
  reclaimRequest,
  release,
  retry,
  settle,
  type Settlement,
} from './support/tasks.js';
import { useRedis } from './support/world.js';

const world = useRedis();

const unique = { key: 'uk', ttlMs: 60_000 };

/** Every outcome a worker may tell the broker. */
const OUTCOMES: [string, (delivery: Delivery) => Settlement][] = [
  ['complete', (delivery) => complete(delivery)],
  ['complete with a unique key', (delivery) => complete(delivery, 'uk')],
  ['retry', (delivery) => retry(delivery)],
  ['retry with a unique key', (delivery) => retry(delivery, { unique })],
  ['dead-letter', (delivery) => deadLetterOf(delivery, { uniqueKey: 'uk' })],
  ['release (not started)', (delivery) => release(delivery, false)],
  ['release (started)', (delivery) => release(delivery, true)],
];

describe.each(OUTCOMES)('%s is refused and changes nothing', (_, outcome) => {
  it('for another owner', async () => {
    const { broker, snapshot } = world();
    const delivery = await leaseOne(broker, { unique });
    const before = await snapshot();

    expect((await settle(broker, [outcome(delivery)], { consumer: 'thief' })).stale).toEqual([0]);

    expect(await snapshot()).toEqual(before);
  });

  it('for another owner of several tasks, settled together', async () => {
    const { broker, snapshot } = world();
    await enqueue(broker, newTasks(3));
    const deliveries = await lease(broker, 3);
    const before = await snapshot();

    const { stale } = await settle(broker, deliveries.map(outcome), { consumer: 'thief' });

    expect(new Set(stale)).toEqual(new Set([0, 1, 2]));
    expect(await snapshot()).toEqual(before);
  });

  it('for a worker whose task was taken over', async () => {
    const { broker, keys, age, snapshot } = world();
    const delivery = await leaseOne(broker, { unique });
    await age(keys.normal, 60_000);
    const { deliveries } = await broker.reclaim(reclaimRequest({ consumer: 'w2' }));
    expect(deliveries).toHaveLength(1);
    const before = await snapshot();

    expect((await settle(broker, [outcome(delivery)])).stale).toEqual([0]);

    expect(await snapshot()).toEqual(before);
  });

  it('for an earlier delivery to the same consumer', async () => {
    const { broker, keys, age, snapshot } = world();
    const delivery = await leaseOne(broker, { unique });
    await age(keys.normal, 60_000);
    const strays = [leaseOf(delivery)];
    const { deliveries } = await broker.reclaim(reclaimRequest({ consumer: 'w1', strays }));
    expect(deliveries).toMatchObject([{ entryId: delivery.entryId, delivery: 2 }]);
    const before = await snapshot();

    expect((await settle(broker, [outcome(delivery)])).stale).toEqual([0]);

    expect(await snapshot()).toEqual(before);
    expect((await settle(broker, [outcome({ ...delivery, delivery: 2 })])).stale).toEqual([]);
  });

  it('for a delivery count not reached yet', async () => {
    const { broker, snapshot } = world();
    const delivery = await leaseOne(broker, { unique });
    const before = await snapshot();

    expect((await settle(broker, [outcome({ ...delivery, delivery: 2 })])).stale).toEqual([0]);

    expect(await snapshot()).toEqual(before);
  });

  it('for a task that is settled already', async () => {
    const { broker, snapshot } = world();
    const delivery = await leaseOne(broker, { unique });
    await settle(broker, [complete(delivery)]);
    const before = await snapshot();

    expect((await settle(broker, [outcome(delivery)])).stale).toEqual([0]);

    expect(await snapshot()).toEqual(before);
  });

  it('for a ready task, which nobody owns', async () => {
    const { broker, redis, keys, snapshot } = world();
    await enqueue(broker, newTasks(1));
    const [entry] = await redis.xrange(keys.normal, '-', '+');
    const before = await snapshot();

    const { stale } = await settle(broker, [
      outcome({
        queue: 'orders',
        lane: 'normal',
        entryId: entry![0],
        delivery: 1,
        era: 0,
        fields: entry![1],
      }),
    ]);

    expect(stale).toEqual([0]);
    expect(await snapshot()).toEqual(before);
  });

  it('for the right entry number on another lane', async () => {
    const { broker, snapshot } = world();
    const delivery = await leaseOne(broker, { unique });
    const before = await snapshot();

    expect((await settle(broker, [outcome({ ...delivery, lane: 'high' })])).stale).toEqual([0]);

    expect(await snapshot()).toEqual(before);
  });
});

describe('a group of valid and stale outcomes', () => {
  it('applies the valid ones and names the stale ones by position', async () => {
    const { broker, keys, redis, pending, age } = world();
    await enqueue(broker, newTasks(8));
    const mine = await lease(broker, 8);
    await age(keys.normal, 60_000);
    // Three of them are another's meanwhile.
    const stolen = [1, 4, 6];
    for (const i of stolen) {
      await redis.xclaim(keys.normal, 'workers', 'w2', 0, mine[i]!.entryId);
    }
    const outcomes = [
      complete(mine[0]!),
      complete(mine[1]!),
      retry(mine[2]!),
      deadLetterOf(mine[3]!),
      retry(mine[4]!),
      release(mine[5]!),
      release(mine[6]!),
      complete(mine[7]!),
    ];

    const { stale } = await settle(broker, outcomes);

    expect(new Set(stale)).toEqual(new Set(stolen));
    const rows = await pending(keys.normal);
    expect(rows.map((row) => [row.entryId, row.consumer])).toEqual([
      [mine[1]!.entryId, 'w2'],
      [mine[4]!.entryId, 'w2'],
      [mine[5]!.entryId, 'released'],
      [mine[6]!.entryId, 'w2'],
    ]);
    const states = await Promise.all(mine.map((delivery) => broker.find('orders', idOf(delivery))));
    expect(states.map((place) => place?.state)).toEqual([
      undefined,
      'active',
      'scheduled',
      'dead',
      'active',
      'ready',
      'active',
      undefined,
    ]);
  });

  it('finds owners among many entries that are not settled, on any side of them', async () => {
    const { broker } = world();
    await enqueue(broker, newTasks(190));
    const mine = await lease(broker, 190);
    const some = mine.filter((_, i) => i % 20 === 0);

    const { stale } = await settle(
      broker,
      some.map((delivery) => complete(delivery)),
    );

    expect(stale).toEqual([]);
    expect((await broker.counts('orders')).active).toBe(190 - some.length);
  });

  it('still leases what was asked for', async () => {
    const { broker } = world();
    await enqueue(broker, newTasks(2));
    const [delivery] = await lease(broker, 1);

    const { stale, deliveries } = await settle(broker, [complete({ ...delivery!, delivery: 9 })], {
      want: 5,
    });

    expect(stale).toEqual([0]);
    expect(deliveries).toHaveLength(1);
  });

  it('settles a task named twice once: the second time it is gone', async () => {
    const { broker, keys, redis } = world();
    await enqueue(broker, newTasks(2));
    const [a, b] = await lease(broker, 2);

    const { stale } = await settle(broker, [complete(a!), retry(a!), retry(b!), deadLetterOf(b!)]);

    expect(new Set(stale)).toEqual(new Set([1, 3]));
    expect(await redis.zrange(keys.scheduled, '0', '-1')).toEqual([idOf(b!)]);
    expect(await redis.xlen(keys.dead)).toBe(0);
  });
});
