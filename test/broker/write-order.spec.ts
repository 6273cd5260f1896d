import { describe, expect, it } from 'vitest';
import { BrokerError, type RedisBroker } from '@taskq/core';
import { type Keys, QUEUE } from './support/keys.js';
import {
  complete,
  deadLetterOf,
  type Delivery,
  enqueue,
  groupOf,
  idOf,
  lease,
  leaseOne,
  newTask,
  promoteRequest,
  reclaimRequest,
  release,
  retry,
  settle,
  type Settlement,
} from './support/tasks.js';
import { useRedis } from './support/world.js';

// A key that holds something of the wrong type kills a script at the command that writes it. Wherever that is, the
// task must still be where it was, or be where it was going: never nowhere.
const world = useRedis();

const isWrongType = (error: unknown) => error instanceof BrokerError && error.reason === 'WRONGTYPE';

/** Of a verb that may, or may not, have to touch the poisoned key. */
const succeedsOrIsWrongType = (result: PromiseSettledResult<unknown>) =>
  result.status === 'fulfilled' || isWrongType(result.reason);

/** Puts something else where a script will write; keeps what was there to put it back. */
async function poison(key: string): Promise<() => Promise<void>> {
  const { redis } = world();
  const kept = `kept:${key}`;
  const existed = (await redis.exists(key)) === 1;
  if (existed) await redis.rename(key, kept);
  await (key.endsWith(':producer:c') || key.includes(':dedupe:')
    ? redis.rpush(key, 'x')
    : redis.set(key, 'x'));
  return async () => {
    await redis.del(key);
    if (existed) await redis.rename(kept, key);
  };
}

/** Ids on the streams, in scheduled (with its data) and among the dead letters. */
async function whereabouts(keys: Keys): Promise<string[]> {
  const { redis } = world();
  const found: string[] = [];
  for (const key of [keys.high, keys.normal, keys.low, keys.dead]) {
    if ((await redis.type(key)) !== 'stream') continue;
    for (const [, fields] of await redis.xrange(key, '-', '+')) found.push(fields[fields.indexOf('id') + 1]!);
  }
  if ((await redis.type(keys.scheduled)) === 'zset' && (await redis.type(keys.data)) === 'hash') {
    for (const id of await redis.zrange(keys.scheduled, '0', '-1')) {
      if (await redis.hexists(keys.data, id)) found.push(id);
    }
  }
  return found;
}

const unique = { key: 'uk', ttlMs: 60_000 };
type Poisoned = (keys: Keys, id: string) => string;
const SETTLED: { kind: string; outcome: (delivery: Delivery) => Settlement; what: string; key: Poisoned }[] =
  [
    { kind: 'retry', outcome: (d) => retry(d), what: 'scheduled', key: (keys) => keys.scheduled },
    { kind: 'retry', outcome: (d) => retry(d), what: 'scheduled:data', key: (keys) => keys.data },
    { kind: 'retry', outcome: (d) => retry(d), what: 'the index', key: (keys, id) => keys.index(id) },
    { kind: 'dead letter', outcome: (d) => deadLetterOf(d), what: 'the letters', key: (keys) => keys.dead },
    {
      kind: 'dead letter',
      outcome: (d) => deadLetterOf(d),
      what: 'the index',
      key: (keys, id) => keys.index(id),
    },
  ];

describe('settle, when a key it must write holds something else', () => {
  it.each(SETTLED)(
    '$kind: $what poisoned: typed error, the worker still holds the task',
    async ({ outcome, key }) => {
      const { broker, keys, pending } = world();
      const delivery = await leaseOne(broker);
      const heal = await poison(key(keys, idOf(delivery)));

      await expect(settle(broker, [outcome(delivery)])).rejects.toSatisfy(isWrongType);

      expect(await pending(keys.normal)).toMatchObject([{ entryId: delivery.entryId, consumer: 'w1' }]);
      expect(await whereabouts(keys)).toContain(idOf(delivery));
      await heal();
      expect((await settle(broker, [outcome(delivery)])).stale).toEqual([]);
      // Possibly twice (a letter without a place in the index is left over), never nowhere.
      expect(new Set(await whereabouts(keys))).toEqual(new Set([idOf(delivery)]));
      expect(await pending(keys.normal)).toEqual([]);
    },
  );

  it.each([
    ['retry', (d: Delivery) => retry(d, { unique })],
    ['dead letter', (d: Delivery) => deadLetterOf(d, { uniqueKey: 'uk' })],
    ['release', (d: Delivery) => release(d, true)],
  ])('%s: whatever else is poisoned, no task is lost', async (_, outcome) => {
    const { broker, keys } = world();
    const others = [keys.dedupe('uk'), keys.wake, keys.high, keys.low, keys.control];
    for (const key of others) {
      const delivery = await leaseOne(broker, { unique });
      const heal = await poison(key);
      const [answer] = await Promise.allSettled([settle(broker, [outcome(delivery)])]);

      expect(answer).toSatisfy(succeedsOrIsWrongType);
      expect(await whereabouts(keys)).toContain(idOf(delivery));
      await heal();
      await settle(broker, [complete(delivery, 'uk')]);
      await world().redis.del(keys.dedupe('uk'));
    }
  });

  it('a poisoned index does not keep completed tasks from going', async () => {
    const { broker, keys, redis } = world();
    const delivery = await leaseOne(broker);
    await poison(keys.index(idOf(delivery)));

    await expect(settle(broker, [complete(delivery)])).rejects.toSatisfy(isWrongType);

    expect(await redis.xlen(keys.normal)).toBe(0);
  });

  it('a poisoned lane: tasks of the others can still be settled', async () => {
    const { broker, keys } = world();
    const delivery = await leaseOne(broker);
    await poison(keys.high);

    expect((await settle(broker, [complete(delivery)])).stale).toEqual([]);
  });

  it('a poisoned lane: leasing fails typed, and what it leased elsewhere is not lost', async () => {
    const { broker, keys, age } = world();
    const task = newTask();
    await enqueue(broker, [task]);
    const heal = await poison(keys.low);

    await expect(settle(broker, [], { want: { total: 3, normal: 1, low: 1 } })).rejects.toSatisfy(
      isWrongType,
    );

    await heal();
    await age(keys.normal, 60_000);
    const again = [...(await lease(broker, 1)), ...(await broker.reclaim(reclaimRequest())).deliveries];
    expect(again.map(idOf)).toEqual([task.id]);
  });

  it('one poisoned outcome does not undo those before it, and those after it can be sent again', async () => {
    const { broker, keys } = world();
    const deliveries = [await leaseOne(broker), await leaseOne(broker), await leaseOne(broker)];
    const ids = deliveries.map(idOf);
    const heal = await poison(keys.dead);
    const outcomes = [retry(deliveries[0]!), deadLetterOf(deliveries[1]!), retry(deliveries[2]!)];

    await expect(settle(broker, outcomes)).rejects.toSatisfy(isWrongType);

    expect((await whereabouts(keys)).toSorted()).toEqual(ids.toSorted());
    await heal();
    const { stale } = await settle(broker, outcomes);
    expect(stale).not.toContain(1);
    expect((await whereabouts(keys)).toSorted()).toEqual(ids.toSorted());
    expect(await broker.counts(QUEUE)).toMatchObject({ active: 0, scheduled: 2, dead: 1 });
  });
});

describe('enqueue, when a key it must write holds something else', () => {
  const tasks = () => [
    newTask({ idempotency: { key: 'ik', fingerprint: 'f', windowMs: 60_000 } }),
    newTask({ unique, due: { afterMs: 60_000 } }),
  ];
  it.each([
    ['the lane', (keys: Keys) => keys.normal],
    ['scheduled', (keys: Keys) => keys.scheduled],
    ['scheduled:data', (keys: Keys) => keys.data],
    ['the index', (keys: Keys, id: string) => keys.index(id)],
    ['an idempotency key', (keys: Keys) => keys.dedupe('ik')],
    ['a unique key', (keys: Keys) => keys.dedupe('uk')],
    ['the record of the channel', (keys: Keys) => keys.producer('c')],
    ['wake', (keys: Keys) => keys.wake],
  ])('%s poisoned: typed error, and every task is there once sent again', async (_, key) => {
    const { broker, keys } = world();
    const group = groupOf(tasks(), { channel: 'c' });
    const heal = await poison(key(keys, group.tasks[0]!.id));

    await expect(broker.enqueue(group)).rejects.toSatisfy(isWrongType);
    await heal();

    const { answers } = await broker.enqueue(group);
    const there = await whereabouts(keys);
    answers.forEach((answer, i) => {
      expect(['accepted', 'duplicate']).toContain(answer.status);
      expect(there).toContain(group.tasks[i]!.id);
    });
  });
});

describe('promote, when a key it must write holds something else', () => {
  async function dueTask(broker: RedisBroker): Promise<string> {
    const { redis, keys } = world();
    const task = newTask({ due: { afterMs: 60_000 } });
    await enqueue(broker, [task]);
    await redis.zadd(keys.scheduled, 'XX', 1, task.id);
    return task.id;
  }

  it.each([
    ['the lane', (keys: Keys) => keys.normal],
    ['the index', (keys: Keys, id: string) => keys.index(id)],
    ['the control hash', (keys: Keys) => keys.control],
  ])('%s poisoned: typed error, and the task still waits', async (_, key) => {
    const { broker, keys, redis } = world();
    const id = await dueTask(broker);
    const heal = await poison(key(keys, id));

    await expect(broker.promote(promoteRequest())).rejects.toSatisfy(isWrongType);

    expect(await redis.zrange(keys.scheduled, '0', '-1')).toEqual([id]);
    expect(await redis.hexists(keys.data, id)).toBe(1);
    await heal();
    expect(await broker.promote(promoteRequest())).toMatchObject({ promoted: 1 });
  });

  it('what was moved before the one that cannot be moved is moved once', async () => {
    const { broker, keys, redis } = world();
    const [first, second] = [
      newTask({ due: { afterMs: 60_000 }, lane: 'high' }),
      newTask({ due: { afterMs: 60_000 } }),
    ];
    await enqueue(broker, [first, second]);
    await redis.zadd(keys.scheduled, 'XX', 1, first.id, 2, second.id);
    const heal = await poison(keys.normal);

    await expect(broker.promote(promoteRequest())).rejects.toSatisfy(isWrongType);
    await expect(broker.promote(promoteRequest())).rejects.toSatisfy(isWrongType);

    await heal();
    expect(await whereabouts(keys)).toEqual([first.id, second.id]);
  });
});

describe('replay, when a key it must write holds something else', () => {
  it.each([
    ['the lane', (keys: Keys) => keys.normal],
    ['the index', (keys: Keys, id: string) => keys.index(id)],
  ])('%s poisoned: typed error, and the letter is still there', async (_, key) => {
    const { broker, keys, redis } = world();
    const delivery = await leaseOne(broker);
    const id = idOf(delivery);
    await settle(broker, [deadLetterOf(delivery)]);
    const letters = await broker.listDeadLetters(QUEUE, '', 10);
    const heal = await poison(key(keys, id));

    await expect(broker.replay(QUEUE, letters)).rejects.toSatisfy(isWrongType);

    expect(await redis.xlen(keys.dead)).toBe(1);
    await heal();
    expect(await broker.replay(QUEUE, letters)).toBe(1);
    expect((await lease(broker, 5)).map(idOf)).toContain(id);
  });
});

describe('reclaim, when a key holds something else', () => {
  it.each([
    ['control', (keys: Keys) => keys.control],
    ['a lane', (keys: Keys) => keys.high],
  ])('%s poisoned: the tasks of the other lanes stay within reach', async (_, key) => {
    const { broker, keys, age, pending } = world();
    const delivery = await leaseOne(broker);
    await age(keys.normal, 60_000);
    const heal = await poison(key(keys));

    const [answer] = await Promise.allSettled([broker.reclaim(reclaimRequest())]);

    expect(answer).toSatisfy(succeedsOrIsWrongType);

    expect((await pending(keys.normal)).map((row) => row.entryId)).toEqual([delivery.entryId]);
    await heal();
  });
});
