import { describe, expect, it } from 'vitest';
import type { RedisBroker } from '@taskq/core';
import { waitFor } from '@taskq/testing';
import {
  complete,
  deadLetterOf,
  enqueue,
  type EnqueueAnswer,
  idOf,
  lease,
  leaseOne,
  type NewTask,
  newTask,
  release,
  retry,
  settle,
} from './support/tasks.js';
import { useRedis } from './support/world.js';

const world = useRedis();

const ACCEPTED = { status: 'accepted' };
const duplicateOf = (task: { id: string }) => ({ status: 'duplicate', id: task.id });
const conflictWith = (task: { id: string }) => ({ status: 'conflict', id: task.id });

async function enqueueOne(broker: RedisBroker, task: NewTask): Promise<EnqueueAnswer> {
  return (await enqueue(broker, [task]))[0]!;
}

describe('idempotency key', () => {
  const keyed = (fingerprint = 'f1', windowMs = 60_000, key = 'ik') =>
    newTask({ idempotency: { key, fingerprint, windowMs } });

  it('makes a second call a duplicate of the first and writes no task', async () => {
    const { broker, keys, redis, keyNames } = world();
    const first = keyed();
    expect(await enqueueOne(broker, first)).toEqual(ACCEPTED);
    const before = await keyNames();

    expect(await enqueueOne(broker, keyed())).toEqual(duplicateOf(first));

    expect(await redis.xlen(keys.normal)).toBe(1);
    expect((await keyNames()).filter((key) => !before.includes(key) && !key.includes(':producer:'))).toEqual(
      [],
    );
  });

  it('lives in a key of its own with the window as its lifetime', async () => {
    const { broker, keys, redis } = world();

    await enqueueOne(broker, keyed());

    const ttl = await redis.pttl(keys.dedupe('ik'));
    expect(ttl).toBeGreaterThan(50_000);
    expect(ttl).toBeLessThanOrEqual(60_000);
  });

  it('is not prolonged by duplicates', async () => {
    const { broker, keys, redis } = world();
    await enqueueOne(broker, keyed());
    await redis.pexpire(keys.dedupe('ik'), 5_000);

    await enqueueOne(broker, keyed());

    expect(await redis.pttl(keys.dedupe('ik'))).toBeLessThanOrEqual(5_000);
  });

  it('answers conflict when the payload is another, and changes nothing', async () => {
    const { broker, keys, redis } = world();
    const first = keyed('f1');
    await enqueueOne(broker, first);
    const kept = await redis.get(keys.dedupe('ik'));

    expect(await enqueueOne(broker, keyed('f2'))).toEqual(conflictWith(first));

    expect(await redis.xlen(keys.normal)).toBe(1);
    expect(await redis.get(keys.dedupe('ik'))).toBe(kept);
  });

  it('holds after the first task was completed', async () => {
    const { broker } = world();
    const first = keyed();
    await enqueueOne(broker, first);
    const [delivery] = await lease(broker, 1);
    await settle(broker, [complete(delivery!)]);

    expect(await enqueueOne(broker, keyed())).toEqual(duplicateOf(first));
  });

  it('is forgotten when its window is over', async () => {
    const { broker, keys, redis } = world();
    await enqueueOne(broker, keyed('f1', 50));
    await waitFor(async () => (await redis.exists(keys.dedupe('ik'))) === 0, {
      what: 'the end of the window',
    });

    expect(await enqueueOne(broker, keyed('f2'))).toEqual(ACCEPTED);
  });

  it('works within one group', async () => {
    const { broker, keys, redis } = world();
    const first = keyed();

    const answers = await enqueue(broker, [first, keyed(), keyed('f2'), keyed('f1', 60_000, 'other')]);

    expect(answers).toEqual([ACCEPTED, duplicateOf(first), conflictWith(first), ACCEPTED]);
    expect(await redis.xlen(keys.normal)).toBe(2);
  });

  it('is not taken by a task that found the queue full', async () => {
    const { broker, keys, redis } = world();
    await enqueueOne(broker, newTask());
    const refused = keyed();
    expect(await enqueue(broker, [refused], { maxReady: 1 })).toEqual([{ status: 'full' }]);

    expect(await redis.exists(keys.dedupe('ik'))).toBe(0);
    expect(await enqueueOne(broker, keyed())).toEqual(ACCEPTED);
  });

  it('holds for a scheduled task too', async () => {
    const { broker, keys, redis } = world();
    const first = { ...keyed(), due: { afterMs: 60_000 } };
    await enqueueOne(broker, first);

    expect(await enqueueOne(broker, keyed())).toEqual(duplicateOf(first));
    expect(await redis.zcard(keys.scheduled)).toBe(1);
    expect(await redis.xlen(keys.normal)).toBe(0);
  });
});

describe('unique key', () => {
  const unique = { key: 'uk', ttlMs: 60_000 };
  const keyed = (over: Partial<NewTask> = {}) => newTask({ unique, ...over });

  it('makes tasks duplicates while the first is ready, active or scheduled', async () => {
    const { broker, keys, redis } = world();
    const first = keyed();
    await enqueueOne(broker, first);
    expect(await enqueueOne(broker, keyed())).toEqual(duplicateOf(first));

    const [delivery] = await lease(broker, 1);
    expect(await enqueueOne(broker, keyed())).toEqual(duplicateOf(first));

    await settle(broker, [retry(delivery!, { unique })]);
    expect(await enqueueOne(broker, keyed({ lane: 'high' }))).toEqual(duplicateOf(first));
    expect(await redis.xlen(keys.normal)).toBe(0);
    expect(await redis.xlen(keys.high)).toBe(0);
  });

  it('is freed when the task is completed or discarded', async () => {
    const { broker, keys, redis } = world();
    const delivery = await leaseOne(broker, { unique });

    await settle(broker, [complete(delivery, 'uk')]);

    expect(await redis.exists(keys.dedupe('uk'))).toBe(0);
    expect(await enqueueOne(broker, keyed())).toEqual(ACCEPTED);
  });

  it('is freed when a task goes in the group of ordinary completions or among other outcomes', async () => {
    const { broker, keys, redis } = world();
    await enqueue(broker, [newTask(), newTask(), keyed(), newTask({ unique: { key: 'u2', ttlMs: 60_000 } })]);
    const [a, b, c, d] = await lease(broker, 4);

    await settle(broker, [complete(a!), complete(c!, 'uk'), retry(b!), complete(d!, 'u2')]);

    expect(await redis.exists(keys.dedupe('uk'), keys.dedupe('u2'))).toBe(0);
  });

  it('is freed when the task is dead-lettered', async () => {
    const { broker, keys, redis } = world();
    const delivery = await leaseOne(broker, { unique });

    await settle(broker, [deadLetterOf(delivery, { uniqueKey: 'uk' })]);

    expect(await redis.exists(keys.dedupe('uk'))).toBe(0);
    expect(await enqueueOne(broker, keyed())).toEqual(ACCEPTED);
  });

  it('is not freed by a retry, which prolongs it past the delay', async () => {
    const { broker, keys, redis } = world();
    const delivery = await leaseOne(broker, { unique });
    await redis.pexpire(keys.dedupe('uk'), 1_000);

    await settle(broker, [retry(delivery, { delayMs: 30_000, unique: { key: 'uk', ttlMs: 120_000 } })]);

    expect(await redis.pttl(keys.dedupe('uk'))).toBeGreaterThan(100_000);
    expect(await enqueueOne(broker, keyed())).toEqual(duplicateOf({ id: idOf(delivery) }));
  });

  it('is not freed by handing the task back', async () => {
    const { broker } = world();
    const delivery = await leaseOne(broker, { unique });

    await settle(broker, [release(delivery)]);

    expect(await enqueueOne(broker, keyed())).toEqual(duplicateOf({ id: idOf(delivery) }));
  });

  it.each([
    ['completion', complete],
    [
      'dead letter',
      (delivery: Parameters<typeof deadLetterOf>[0]) => deadLetterOf(delivery, { uniqueKey: 'uk' }),
    ],
    ['retry', (delivery: Parameters<typeof retry>[0]) => retry(delivery, { unique })],
  ] as const)('that another task has taken since is left to it by a %s', async (_, outcome) => {
    const { broker, keys, redis } = world();
    const first = await leaseOne(broker, { unique });
    await redis.del(keys.dedupe('uk')); // its time ran out
    const second = keyed();
    expect(await enqueueOne(broker, second)).toEqual(ACCEPTED);

    await settle(broker, [outcome === complete ? complete(first, 'uk') : outcome(first)]);

    expect(await enqueueOne(broker, keyed())).toEqual(duplicateOf(second));
  });

  it('is not freed by a stale worker', async () => {
    const { broker } = world();
    const delivery = await leaseOne(broker, { unique });

    await settle(broker, [complete(delivery, 'uk')], { consumer: 'thief' });

    expect(await enqueueOne(broker, keyed())).toEqual(duplicateOf({ id: idOf(delivery) }));
  });

  it('is not taken by a task that found the queue full', async () => {
    const { broker, keys, redis } = world();
    await enqueueOne(broker, newTask());
    expect(await enqueue(broker, [keyed()], { maxReady: 1 })).toEqual([{ status: 'full' }]);

    expect(await redis.exists(keys.dedupe('uk'))).toBe(0);
  });

  it('holds for the time given after the task is due', async () => {
    const { broker, keys, redis } = world();

    await enqueueOne(broker, keyed({ due: { afterMs: 300_000 } }));

    expect(await redis.pttl(keys.dedupe('uk'))).toBeGreaterThan(300_000);
  });

  it('works within one group', async () => {
    const { broker, keys, redis } = world();
    const first = keyed();

    expect(await enqueue(broker, [first, keyed(), keyed()])).toEqual([
      ACCEPTED,
      duplicateOf(first),
      duplicateOf(first),
    ]);
    expect(await redis.xlen(keys.normal)).toBe(1);
  });

  it('and idempotency key of one task: the refused task takes neither', async () => {
    const { broker, keys, redis } = world();
    await enqueueOne(broker, newTask({ idempotency: { key: 'ik', fingerprint: 'f1', windowMs: 60_000 } }));

    await enqueueOne(broker, keyed({ idempotency: { key: 'ik', fingerprint: 'f2', windowMs: 60_000 } }));

    expect(await redis.exists(keys.dedupe('uk'))).toBe(0);
    expect(await enqueueOne(broker, keyed())).toEqual(ACCEPTED);
  });
});

describe('an id given by the caller', () => {
  const own = (over: Partial<NewTask> = {}) => newTask({ id: 'order-17', ownId: true, ...over });

  it.each([
    ['ready', async () => {}],
    ['active', async (broker: RedisBroker) => void (await lease(broker, 1))],
    [
      'scheduled',
      async (broker: RedisBroker) =>
        void (await settle(
          broker,
          (await lease(broker, 1)).map((d) => retry(d)),
        )),
    ],
    [
      'dead',
      async (broker: RedisBroker) =>
        void (await settle(
          broker,
          (await lease(broker, 1)).map((d) => deadLetterOf(d)),
        )),
    ],
  ])('is a duplicate while a task with it is %s', async (_, bring) => {
    const { broker } = world();
    await enqueueOne(broker, own());
    await bring(broker);
    const count = await broker.counts('orders');

    expect(await enqueueOne(broker, own())).toEqual(duplicateOf(own()));

    const after = await broker.counts('orders');
    expect({ ...after, oldestReadyMs: 0 }).toEqual({ ...count, oldestReadyMs: 0 });
  });

  it('is free again when the task is completed', async () => {
    const { broker } = world();
    await enqueueOne(broker, own());
    const [delivery] = await lease(broker, 1);
    await settle(broker, [complete(delivery!)]);

    expect(await enqueueOne(broker, own())).toEqual(ACCEPTED);
  });

  it('takes no dedupe key when it is a duplicate', async () => {
    const { broker, keys, redis } = world();
    await enqueueOne(broker, own());

    await enqueueOne(
      broker,
      own({
        unique: { key: 'uk', ttlMs: 60_000 },
        idempotency: { key: 'ik', fingerprint: 'f', windowMs: 60_000 },
      }),
    );

    expect(await redis.exists(keys.dedupe('uk'), keys.dedupe('ik'))).toBe(0);
  });

  it('is one task within one group', async () => {
    const { broker, keys, redis } = world();

    expect(await enqueue(broker, [own(), own()])).toEqual([ACCEPTED, duplicateOf(own())]);
    expect(await redis.xlen(keys.normal)).toBe(1);
  });
});
