import { describe, expect, it } from 'vitest';
import { ALL_LANES, complete, enqueue, lease, newTask, newTasks, retry, settle } from './support/tasks.js';
import { useRedis } from './support/world.js';

const world = useRedis();

const statuses = (answers: readonly { status: string }[]) => answers.map((answer) => answer.status);

describe('maxReady', () => {
  it('accepts exactly as many as there is room for, in order, and refuses the rest', async () => {
    const { broker, keys, redis } = world();
    const tasks = newTasks(5);

    const answers = await enqueue(broker, tasks, { maxReady: 3 });

    expect(statuses(answers)).toEqual(['accepted', 'accepted', 'accepted', 'full', 'full']);
    const entries = await redis.xrange(keys.normal, '-', '+');
    expect(entries.map(([, fields]) => fields[fields.indexOf('id') + 1])).toEqual(
      tasks.slice(0, 3).map((task) => task.id),
    );
    const marks = await Promise.all(tasks.map((task) => broker.find('orders', task.id)));
    expect(marks.map((place) => place?.state)).toEqual(['ready', 'ready', 'ready', undefined, undefined]);
  });

  it('counts ready tasks only: active ones leave room, finished ones too', async () => {
    const { broker } = world();
    await enqueue(broker, newTasks(10));
    const deliveries = await lease(broker, 6); // 4 ready, 6 active
    expect(statuses(await enqueue(broker, newTasks(3), { maxReady: 6 }))).toEqual([
      'accepted',
      'accepted',
      'full',
    ]);

    await settle(
      broker,
      deliveries.slice(0, 3).map((delivery) => complete(delivery)),
    );
    expect(statuses(await enqueue(broker, [newTask()], { maxReady: 6 }))).toEqual(['full']);

    await lease(broker, 1);
    expect(statuses(await enqueue(broker, newTasks(2), { maxReady: 6 }))).toEqual(['accepted', 'full']);
  });

  it('counts the lanes together', async () => {
    const { broker } = world();
    await enqueue(
      broker,
      ALL_LANES.map((lane) => newTask({ lane })),
    );

    for (const lane of ALL_LANES) {
      expect(statuses(await enqueue(broker, [newTask({ lane })], { maxReady: 3 }))).toEqual(['full']);
    }
    expect(statuses(await enqueue(broker, [newTask()], { maxReady: 4 }))).toEqual(['accepted']);
  });

  it('does not count tasks that wait for their time', async () => {
    const { broker } = world();
    await enqueue(broker, newTasks(20, { due: { afterMs: 60_000 } }));
    await enqueue(broker, [newTask()]);
    await settle(
      broker,
      (await lease(broker, 1)).map((delivery) => retry(delivery)),
    );

    expect(statuses(await enqueue(broker, newTasks(3), { maxReady: 2 }))).toEqual([
      'accepted',
      'accepted',
      'full',
    ]);
  });

  it('does not let duplicates take room', async () => {
    const { broker } = world();
    const unique = { key: 'uk', ttlMs: 60_000 };

    const answers = await enqueue(broker, [...newTasks(3, { unique }), newTask(), newTask()], {
      maxReady: 2,
    });

    expect(statuses(answers)).toEqual(['accepted', 'duplicate', 'duplicate', 'accepted', 'full']);
  });

  it('counts tasks of several lanes in one group', async () => {
    const { broker } = world();
    const tasks = [...newTasks(2, { lane: 'high' }), ...newTasks(2), ...newTasks(2, { lane: 'low' })];

    const answers = await enqueue(broker, tasks, { maxReady: 3 });

    expect(statuses(answers)).toEqual(['accepted', 'accepted', 'accepted', 'full', 'full', 'full']);
  });

  it('counts tasks with a key of their own', async () => {
    const { broker } = world();
    const keyed = ['a', 'b', 'c'].map((key) => newTask({ unique: { key, ttlMs: 60_000 } }));

    const answers = await enqueue(broker, [...keyed, newTask()], { maxReady: 2 });

    expect(statuses(answers)).toEqual(['accepted', 'accepted', 'full', 'full']);
    expect(await broker.find('orders', keyed[2]!.id)).toBeUndefined();
  });

  it('of 0 is no limit', async () => {
    const { broker } = world();

    expect(new Set(statuses(await enqueue(broker, newTasks(150), { maxReady: 0 })))).toEqual(
      new Set(['accepted']),
    );
  });

  it('works before the group exists', async () => {
    const { broker, keys, redis } = world();
    await redis.del(keys.high, keys.normal, keys.low);

    expect(statuses(await enqueue(broker, newTasks(3), { maxReady: 2 }))).toEqual([
      'accepted',
      'accepted',
      'full',
    ]);
    expect(statuses(await enqueue(broker, newTasks(1), { maxReady: 2 }))).toEqual(['full']);
  });
});
