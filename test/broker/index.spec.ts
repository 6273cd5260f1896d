import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { indexedPlace } from './support/index-place.js';
import { QUEUE } from './support/keys.js';
import {
  complete,
  deadLetterOf,
  enqueue,
  idOf,
  lease,
  leaseOf,
  newTask,
  newTasks,
  retry,
  settle,
} from './support/tasks.js';
import { useRedis } from './support/world.js';

const world = useRedis();

/** Ids as a producer gives them, from a place of a bucket on. */
function idsFrom(sequence: number, count: number): string[] {
  const producer = randomBytes(9).toString('base64url');
  return Array.from({ length: count }, (_, n) => `${producer}.${(sequence + n).toString(36)}`);
}

function tasksFrom(sequence: number, count: number) {
  return idsFrom(sequence, count).map((id) => newTask({ id }));
}

describe('neighbours that are enqueued together', () => {
  it('have one place between them, and one for each bucket that they reach over', async () => {
    const { broker, keys, redis } = world();
    const tasks = tasksFrom(30, 10); // u to z, then 10 to 13

    await enqueue(broker, tasks);

    const entries = (await redis.xrange(keys.normal, '-', '+')).map(([entry]) => entry);
    expect(await redis.hgetall(keys.index(tasks[0]!.id))).toEqual({
      '~u': `n${entries[0]}~${entries[5]}`,
      '#': '6',
    });
    expect(await redis.hgetall(keys.index(tasks[9]!.id))).toEqual({
      '~0': `n${entries[6]}~${entries[9]}`,
      '#': '4',
    });
    for (const [n, { id }] of tasks.entries()) {
      expect(await indexedPlace(redis, keys, id)).toBe(`n${entries[n]}`);
      expect(await broker.find(QUEUE, id)).toMatchObject({ state: 'ready', entryId: entries[n] });
    }
  });

  it('have one for each lane and each group', async () => {
    const { broker, keys, redis } = world();
    const tasks = tasksFrom(0, 9);
    const lanes = ['high', 'high', 'normal', 'low', 'low', 'low'] as const;

    await enqueue(
      broker,
      tasks.slice(0, 6).map((task, n) => ({ ...task, lane: lanes[n]! })),
    );
    await enqueue(broker, tasks.slice(6));

    expect(Object.keys(await redis.hgetall(keys.index(tasks[0]!.id))).toSorted()).toEqual(
      ['#', '~0', '~2', '~3', '~6'].toSorted(),
    );
    for (const [n, { id }] of tasks.entries()) {
      expect(await broker.find(QUEUE, id)).toMatchObject({ state: 'ready', lane: lanes[n] ?? 'normal' });
    }
  });

  it('are accepted as far as there is room, in their order', async () => {
    const { broker, keys, redis } = world();
    const tasks = tasksFrom(33, 8);

    const answers = await enqueue(broker, tasks, { maxReady: 5 });

    expect(answers.map(({ status }) => status)).toEqual([
      ...Array(5).fill('accepted'),
      ...Array(3).fill('full'),
    ]);
    expect(await redis.xlen(keys.normal)).toBe(5);
    expect(await broker.find(QUEUE, tasks[4]!.id)).toMatchObject({ state: 'ready' });
    expect(await broker.find(QUEUE, tasks[5]!.id)).toBeUndefined();
    expect((await enqueue(broker, newTasks(3), { maxReady: 5 })).map(({ status }) => status)).toEqual(
      Array(3).fill('full'),
    );
  });

  it('keep text, order and answers beside tasks that travel by themselves', async () => {
    const { broker } = world();
    const tasks = tasksFrom(0, 7).map((task, n) => ({
      ...task,
      payload: n % 3 === 1 ? `"${n}\n"` : `"${n}ž"`,
    }));
    tasks[3] = { ...tasks[3]!, meta: '{"headers":{"a":"b"}}' };

    expect((await enqueue(broker, tasks)).map(({ status }) => status)).toEqual(tasks.map(() => 'accepted'));

    const deliveries = await lease(broker, 10);
    expect(deliveries.map(({ fields }) => fields.filter((_, n) => n % 2 === 1 && n !== 7))).toEqual(
      tasks.map(({ id, type, payload, meta }) => [id, type, payload, ...(meta === '' ? [] : [meta])]),
    );
  });
});

describe('an index bucket', () => {
  it('is gone when the last of its tasks is, whatever became of the others', async () => {
    const { broker, keys, redis } = world();
    const tasks = tasksFrom(0, 6);
    tasks[5] = { ...tasks[5]!, due: { afterMs: 60_000 } };
    await enqueue(broker, tasks);
    const bucket = keys.index(tasks[0]!.id);
    const left = () => redis.hget(bucket, '#');
    expect(await left()).toBe('6');

    const [a, b, c, d, e] = await lease(broker, 10);
    await settle(broker, [complete(a!), complete(b!), retry(c!, { delayMs: 0 }), deadLetterOf(d!)]);
    expect(await left()).toBe('4');

    await settle(broker, [complete(e!)]);
    await broker.deleteDeadLetters(QUEUE, await broker.listDeadLetters(QUEUE, '', 10));
    expect(await left()).toBe('2');

    await redis.zadd(keys.scheduled, 1, idOf(c!), 1, tasks[5].id);
    await broker.promote({ queue: QUEUE, consumer: 'w1', takeOver: true, dutyMs: 1000 });
    const again = await lease(broker, 10);
    expect(again.map(idOf).toSorted()).toEqual([idOf(c!), tasks[5].id].toSorted());
    await settle(broker, [complete(again[0]!)]);
    expect(await left()).toBe('1');
    // Its place was its own, and nothing stands there any more.
    const same = newTask({ id: idOf(again[0]!), ownId: true });
    expect(await enqueue(broker, [same], { maxReady: 1 })).toEqual([{ status: 'accepted' }]);
    await settle(broker, [complete((await lease(broker, 1))[0]!)]);
    expect(await left()).toBe('1');
    await settle(broker, [complete(again[1]!)]);
    expect(await redis.exists(bucket)).toBe(0);
  });

  it('counts a task once, though its outcome is told twice, and not one that is refused', async () => {
    const { broker, keys, redis } = world();
    const tasks = tasksFrom(0, 3);
    await enqueue(broker, tasks);
    const [a, b] = await lease(broker, 2);
    const bucket = keys.index(tasks[0]!.id);

    const { stale } = await settle(broker, [complete(a!), complete(a!), complete({ ...b!, delivery: 2 })]);
    await settle(broker, [complete(a!)]);
    await settle(broker, [complete(b!)], { consumer: 'somebody else' });

    expect(stale).toEqual([1, 2]);
    expect(await redis.hget(bucket, '#')).toBe('2');
    expect((await broker.find(QUEUE, tasks[1]!.id))?.state).toBe('active');
  });

  it('does not come back for an entry that names an id of ours and was written by others', async () => {
    const { broker, keys, redis } = world();
    const [task] = tasksFrom(0, 1);
    await redis.xadd(keys.normal, '*', 'id', task!.id, 'type', 'a', 'payload', '1');
    const [delivery] = await lease(broker, 1);

    await settle(broker, [complete(delivery!)]);

    expect(await redis.exists(keys.index(task!.id))).toBe(0);
  });

  it('is not asked for an entry without an id: nothing is kept of it', async () => {
    const { broker, keys, redis, keyNames } = world();
    const before = await keyNames();
    for (let n = 0; n < 3; n += 1) await redis.xadd(keys.normal, '*', 'type', 'a', 'payload', '1');
    const deliveries = await lease(broker, 3);

    await settle(
      broker,
      deliveries.map((each) => ({ kind: 'remove', lease: leaseOf(each), id: each.entryId })),
    );

    expect(await redis.xlen(keys.normal)).toBe(0);
    expect(await keyNames()).toEqual(before);
  });
});

describe('entries that are done together', () => {
  it('are settled in whatever order they are named, with whatever deliveries', async () => {
    const { broker, keys, pending } = world();
    await enqueue(broker, newTasks(60));
    const deliveries = await lease(broker, 60);
    const mixed = deliveries.toSorted((a, b) => (a.entryId.slice(-1) < b.entryId.slice(-1) ? -1 : 1));

    const { stale } = await settle(
      broker,
      mixed.slice(0, 40).map((each) => complete(each)),
    );

    expect(stale).toEqual([]);
    expect((await pending(keys.normal)).map(({ entryId }) => entryId).toSorted()).toEqual(
      mixed
        .slice(40)
        .map(({ entryId }) => entryId)
        .toSorted(),
    );
  });

  it('are refused when they were delivered again, to whomever', async () => {
    const { broker, keys, redis, pending } = world();
    await enqueue(broker, newTasks(3));
    const deliveries = await lease(broker, 3);
    await redis.xclaim(keys.normal, 'workers', 'w1', 0, deliveries[1]!.entryId);

    const { stale } = await settle(
      broker,
      deliveries.map((each) => complete(each)),
    );

    expect(stale).toEqual([1]);
    expect(await pending(keys.normal)).toHaveLength(1);
  });

  it('leave those alone that are not ours, and name them by their position', async () => {
    const { broker, keys, redis, pending } = world();
    await enqueue(broker, newTasks(20));
    const deliveries = await lease(broker, 20);
    const taken = [deliveries[0]!, deliveries[7]!, deliveries[19]!];
    for (const { entryId } of taken) await redis.xclaim(keys.normal, 'workers', 'w2', 0, entryId);

    const { stale, stillLeased } = await settle(
      broker,
      deliveries.map((each) => complete(each)),
    );

    expect(stale.toSorted((a, b) => a - b)).toEqual([0, 7, 19]);
    expect(stillLeased.toSorted((a, b) => a - b)).toEqual([0, 7, 19]);
    expect((await pending(keys.normal)).map(({ entryId }) => entryId)).toEqual(
      taken.map(({ entryId }) => entryId),
    );
  });
});
