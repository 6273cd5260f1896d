import { describe, expect, it } from 'vitest';
import { indexField, QUEUE } from './support/keys.js';
import {
  complete,
  deadLetterOf,
  enqueue,
  idOf,
  lease,
  leaseOne,
  newTask,
  newTasks,
  release,
  retry,
  settle,
} from './support/tasks.js';
import { useRedis } from './support/world.js';

const world = useRedis();

describe('counts', () => {
  it('counts ready tasks per lane, and every other state', async () => {
    const { broker } = world();
    await enqueue(broker, [
      ...newTasks(3, { lane: 'high' }),
      ...newTasks(5),
      ...newTasks(2, { lane: 'low' }),
      ...newTasks(4, { due: { afterMs: 60_000 } }),
    ]);
    const [a, b, c] = (await settle(broker, [], { want: { total: 4, high: 2, normal: 1, low: 1 } }))
      .deliveries;
    await settle(broker, [deadLetterOf(a!), retry(b!), complete(c!)]);

    expect(await broker.counts(QUEUE)).toEqual({
      ready: { high: 1, normal: 4, low: 1 },
      active: 1,
      scheduled: 5,
      dead: 1,
      consumers: 1,
      oldestReadyMs: expect.any(Number),
    });
  });

  it('counts tasks handed back as ready, not as active', async () => {
    const { broker } = world();
    await enqueue(broker, newTasks(4));
    const deliveries = await lease(broker, 3);
    await settle(broker, [release(deliveries[0]!), release(deliveries[1]!, true)]);

    expect(await broker.counts(QUEUE)).toMatchObject({
      ready: { high: 0, normal: 3, low: 0 },
      active: 1,
    });
  });

  it('of a queue that nobody used are zero, and make nothing', async () => {
    const { broker, keyNames } = world();
    const before = await keyNames();

    expect(await broker.counts('never')).toEqual({
      ready: { high: 0, normal: 0, low: 0 },
      active: 0,
      scheduled: 0,
      dead: 0,
      consumers: 0,
      oldestReadyMs: undefined,
    });
    expect(await keyNames()).toEqual(before);
  });

  it('count tasks also where the group is missing', async () => {
    const { broker, keys, redis } = world();
    await enqueue(broker, newTasks(3));
    await redis.xgroup('DESTROY', keys.normal, 'workers');

    expect(await broker.counts(QUEUE)).toMatchObject({ ready: { normal: 3 }, active: 0 });
  });

  it('change nothing', async () => {
    const { broker, snapshot } = world();
    await enqueue(broker, newTasks(3));
    await lease(broker, 1);
    const before = await snapshot();

    await broker.counts(QUEUE);
    await broker.find(QUEUE, 'anything');
    await broker.listScheduled(QUEUE, 0, 10);
    await broker.listConsumers(QUEUE);

    expect(await snapshot()).toEqual(before);
  });
});

describe('oldestReadyMs', () => {
  /** Adds a ready task that was enqueued `ageMs` ago. */
  async function oldTask(ageMs: number, key: string): Promise<void> {
    const { redis, now } = world();
    const at = (await now()) - ageMs;
    await redis.xadd(key, '*', 'id', `old${ageMs}`, 'type', 'a', 'payload', '1', 'enqueuedAt', String(at));
  }

  it('is undefined when none is ready, whatever is active or scheduled', async () => {
    const { broker } = world();
    await leaseOne(broker);
    await enqueue(broker, [newTask({ due: { afterMs: 60_000 } })]);

    expect((await broker.counts(QUEUE)).oldestReadyMs).toBeUndefined();
  });

  it('is the age of the oldest of all lanes', async () => {
    const { broker, keys } = world();
    await oldTask(1_000, keys.high);
    await oldTask(90_000, keys.low);
    await oldTask(5_000, keys.normal);

    const { oldestReadyMs } = await broker.counts(QUEUE);

    expect(oldestReadyMs).toBeGreaterThanOrEqual(90_000);
    expect(oldestReadyMs).toBeLessThan(100_000);
  });

  it('does not look at tasks that are active', async () => {
    const { broker, keys } = world();
    await oldTask(90_000, keys.normal);
    await lease(broker, 1);
    await oldTask(5_000, keys.normal);

    const { oldestReadyMs } = await broker.counts(QUEUE);

    expect(oldestReadyMs).toBeGreaterThanOrEqual(5_000);
    expect(oldestReadyMs).toBeLessThan(20_000);
  });

  it('looks at a task that was handed back, too: it is ready', async () => {
    const { broker, keys } = world();
    await oldTask(90_000, keys.normal);
    const [delivery] = await lease(broker, 1);
    await settle(broker, [release(delivery!)]);

    const counts = await broker.counts(QUEUE);

    expect(counts.ready.normal).toBe(1);
    expect(counts.oldestReadyMs).toBeGreaterThanOrEqual(90_000);
  });
});

describe('find', () => {
  it('follows a task through all its states', async () => {
    const { broker, keys, redis } = world();
    const task = newTask({ lane: 'high', due: { afterMs: 60_000 } });
    const state = async () => (await broker.find(QUEUE, task.id))?.state;
    await enqueue(broker, [task]);
    expect(await broker.find(QUEUE, task.id)).toEqual({
      state: 'scheduled',
      task: {
        id: task.id,
        type: task.type,
        payload: task.payload,
        attempt: 1,
        enqueuedAt: expect.any(Number),
        meta: '',
        lane: 'high',
        dueAt: expect.any(Number),
      },
    });

    await redis.zadd(keys.scheduled, 'XX', 1, task.id);
    await broker.promote({ queue: QUEUE, consumer: 'w1', takeOver: false, dutyMs: 1000 });
    expect(await broker.find(QUEUE, task.id)).toMatchObject({ state: 'ready', lane: 'high' });

    const [delivery] = await lease(broker, 1);
    expect(await broker.find(QUEUE, task.id)).toEqual({
      state: 'active',
      lane: 'high',
      entryId: delivery!.entryId,
      fields: delivery!.fields,
      consumer: 'w1',
      idleMs: expect.any(Number),
      delivery: 1,
    });

    await settle(broker, [release(delivery!)]);
    expect(await state()).toBe('ready');
    const { deliveries } = await broker.reclaim({
      queue: QUEUE,
      consumer: 'w2',
      leaseMs: 1000,
      limit: 1,
      suspects: true,
      releasedOnly: true,
      everyMs: 0,
    });
    expect(await broker.find(QUEUE, task.id)).toMatchObject({ state: 'active', consumer: 'w2' });

    await settle(broker, [deadLetterOf(deliveries[0]!)], { consumer: 'w2' });
    expect(await broker.find(QUEUE, task.id)).toMatchObject({
      state: 'dead',
      letter: { id: task.id, lane: 'high', reason: 'attempts-exhausted' },
    });

    const [letter] = await broker.listDeadLetters(QUEUE, '', 1);
    await broker.replay(QUEUE, [letter!]);
    const [again] = await lease(broker, 1);
    await settle(broker, [complete(again!)]);
    expect(await state()).toBeUndefined();
    expect(await redis.exists(keys.index(task.id))).toBe(0);
  });

  it('knows nothing of ids it never saw, of other queues, and of neighbours', async () => {
    const { broker } = world();
    const [task] = newTasks(1);
    await enqueue(broker, [task!]);

    expect(await broker.find(QUEUE, 'nobody')).toBeUndefined();
    expect(await broker.find('other', task!.id)).toBeUndefined();
    expect(await broker.find(QUEUE, `${task!.id}0`)).toBeUndefined();
    expect(await broker.find(QUEUE, indexField(task!.id))).toBeUndefined();
  });

  it('answers undefined when the index points to what is no more', async () => {
    const { broker, keys, redis } = world();
    const ids: string[] = [];
    for (const outcome of [undefined, retry, deadLetterOf] as const) {
      const delivery = await leaseOne(broker);
      if (outcome) await settle(broker, [outcome(delivery)]);
      ids.push(idOf(delivery));
    }
    await redis.del(keys.normal, keys.scheduled, keys.dead);

    for (const id of ids) expect(await broker.find(QUEUE, id)).toBeUndefined();
  });
});

describe('listScheduled', () => {
  it('answers the soonest first, by page', async () => {
    const { broker } = world();
    const tasks = [5, 3, 9, 1, 7].map((seconds) => newTask({ due: { afterMs: seconds * 10_000 } }));
    await enqueue(broker, tasks);
    const order = [3, 1, 0, 4, 2].map((i) => tasks[i]!.id);

    expect((await broker.listScheduled(QUEUE, 0, 3)).map((task) => task.id)).toEqual(order.slice(0, 3));
    expect((await broker.listScheduled(QUEUE, 3, 3)).map((task) => task.id)).toEqual(order.slice(3));
    expect(await broker.listScheduled(QUEUE, 5, 3)).toEqual([]);
  });

  it('never answers more than a hundred', async () => {
    const { broker } = world();
    await enqueue(broker, newTasks(120, { due: { afterMs: 60_000 } }));

    expect(await broker.listScheduled(QUEUE, 0, 5000)).toHaveLength(100);
  });
});

describe('now', () => {
  it('follows the clock of Redis', async () => {
    const { broker, now } = world();
    await broker.counts(QUEUE);

    expect(Math.abs(broker.now() - (await now()))).toBeLessThan(500);
  });
});
