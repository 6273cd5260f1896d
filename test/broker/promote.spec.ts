import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { waitFor } from '@taskq/testing';
import { indexedPlace } from './support/index-place.js';
import { indexField, QUEUE } from './support/keys.js';
import { record } from './support/snapshot.js';
import {
  enqueue,
  idOf,
  lease,
  leaseOne,
  type NewTask,
  newTask,
  newTasks,
  promoteRequest,
  retry,
  settle,
} from './support/tasks.js';
import { useRedis } from './support/world.js';

const world = useRedis();

/** Enqueues tasks for later, then moves them to a time in the past: the first the longest ago. */
async function dueTasks(count: number, over: Partial<NewTask> = {}): Promise<string[]> {
  const { broker, redis, keys, now } = world();
  const ids: string[] = [];
  for (let left = count; left > 0; left -= 200) {
    const tasks = newTasks(Math.min(200, left), { due: { afterMs: 600_000 }, ...over });
    await enqueue(broker, tasks);
    ids.push(...tasks.map((task) => task.id));
  }
  const from = (await now()) - 10_000;
  await redis.zadd(keys.scheduled, 'XX', ...ids.flatMap((id, i) => [from + i, id]));
  return ids;
}

describe('promote', () => {
  it('moves a due task to its lane in wire format and leaves nothing behind', async () => {
    const { broker, keys, redis } = world();
    const payload = '{"text":"a\nb\n"}';
    const [id] = await dueTasks(1, { lane: 'high', payload, meta: '{"maxAttempts":3}' });
    const enqueuedAt = (await broker.listScheduled(QUEUE, 0, 1))[0]!.enqueuedAt;

    expect(await broker.promote(promoteRequest())).toEqual({
      onDuty: true,
      promoted: 1,
      nextInMs: undefined,
    });

    const [entry] = await redis.xrange(keys.high, '-', '+');
    expect(record(entry![1])).toEqual({
      id,
      type: 'mail.send',
      payload,
      enqueuedAt: String(enqueuedAt),
      meta: '{"maxAttempts":3}',
    });
    expect(await indexedPlace(redis, keys, id!)).toBe(`h${entry![0]}`);
    expect(await redis.exists(keys.scheduled, keys.data)).toBe(0);
  });

  it('keeps attempt and meta of a task that is retried', async () => {
    const { broker } = world();
    const delivery = await leaseOne(broker, { lane: 'low' });
    await settle(broker, [retry(delivery, { delayMs: 0 })]);

    await broker.promote(promoteRequest());

    const [again] = await lease(broker, 1);
    expect(again).toMatchObject({ lane: 'low', delivery: 1 });
    expect(record(again!.fields)).toMatchObject({
      id: idOf(delivery),
      attempt: '2',
      meta: '{"starts":1}',
    });
  });

  it('keeps an unknown time of enqueueing unknown', async () => {
    const { broker, keys, redis } = world();
    await redis.hset(keys.data, 'foreign', 'n\n2\n\nmail.send\n\n{}');
    await redis.zadd(keys.scheduled, 1, 'foreign');

    await broker.promote(promoteRequest());

    const [delivery] = await lease(broker, 1);
    expect(record(delivery!.fields)).toMatchObject({ id: 'foreign', attempt: '2', enqueuedAt: '' });
  });

  it('moves what is due in order of time, and nothing that is not', async () => {
    const { broker } = world();
    const ids = await dueTasks(20);
    const later = newTask({ due: { afterMs: 60_000 } });
    await enqueue(broker, [later]);

    const { promoted, nextInMs } = await broker.promote(promoteRequest());

    expect(promoted).toBe(20);
    expect(nextInMs).toBeGreaterThan(50_000);
    expect(nextInMs).toBeLessThanOrEqual(60_000);
    expect((await lease(broker, 50)).map(idOf)).toEqual(ids);
    expect((await broker.find(QUEUE, later.id))?.state).toBe('scheduled');
  });

  it('moves a hundred at most, and says that more are due now', async () => {
    const { broker } = world();
    const ids = await dueTasks(230);

    const answers = [];
    for (let i = 0; i < 3; i += 1) answers.push(await broker.promote(promoteRequest()));

    expect(answers).toEqual([
      { onDuty: true, promoted: 100, nextInMs: 0 },
      { onDuty: true, promoted: 100, nextInMs: 0 },
      { onDuty: true, promoted: 30, nextInMs: undefined },
    ]);
    expect((await lease(broker, 300)).map(idOf)).toEqual(ids);
  });

  it('answers when nothing waits', async () => {
    const { broker } = world();

    expect(await broker.promote(promoteRequest())).toEqual({
      onDuty: true,
      promoted: 0,
      nextInMs: undefined,
    });
  });

  it('goes by the clock of Redis', async () => {
    const { broker, keys, redis } = world();
    const task = newTask({ due: { afterMs: 150 } });
    await enqueue(broker, [task]);
    expect(await broker.promote(promoteRequest())).toMatchObject({ promoted: 0 });
    const due = Number(await redis.zscore(keys.scheduled, task.id));

    await waitFor(async () => (await broker.promote(promoteRequest())).promoted === 1, { what: 'the task' });

    expect(await world().now()).toBeGreaterThanOrEqual(due);
  });

  it.each([
    ['has no data', undefined],
    ['has data that is nonsense', 'nonsense'],
    ['has data of an unknown lane', 'q\n1\n1\na\n\n{}'],
    ['has empty data', ''],
  ])('is not held up by an id that %s', async (_, data) => {
    const { broker, keys, redis } = world();
    await redis.zadd(keys.scheduled, 1, 'ghost');
    if (data !== undefined) await redis.hset(keys.data, 'ghost', data);
    const ids = await dueTasks(3);

    await broker.promote(promoteRequest());

    expect((await lease(broker, 10)).map(idOf).filter((id) => id !== 'ghost')).toEqual(ids);
    // And it does not come back for ever.
    expect(await broker.promote(promoteRequest())).toMatchObject({ promoted: 0, nextInMs: undefined });
  });

  it('acknowledges and deletes the wake entry it is told', async () => {
    const { broker, keys, redis, pending } = world();
    await enqueue(broker, [newTask({ due: { afterMs: 60_000 } })]);
    const request = { consumer: 'w1', blockMs: 10, count: 1, queues: [QUEUE] };
    const { woken } = await broker.fetch(request);
    expect(await pending(keys.wake)).toHaveLength(1);

    await broker.promote(promoteRequest({ takeOver: true, wakeEntryId: woken[0]!.entryId }));

    expect(await pending(keys.wake)).toEqual([]);
    expect(await redis.xlen(keys.wake)).toBe(0);
  });
});

describe('a task that was found due', () => {
  /** The second half of promoting: what is due has been found already. */
  const move = async (id: string): Promise<unknown> => {
    const { redis, keys } = world();
    const script = readFileSync('libs/core/src/redis/scripts/promote.lua', 'utf8');
    const names = [keys.high, keys.normal, keys.low, keys.scheduled, keys.data, keys.dead, keys.index(id)];
    return redis.eval(script, names.length, ...names, '1000000', id, '7', indexField(id));
  };

  it('and was moved to a later time before it was promoted, waits', async () => {
    const { redis, keys, now } = world();
    const [id = ''] = await dueTasks(1);
    await redis.zadd(keys.scheduled, 'XX', (await now()) + 60_000, id);

    expect(await move(id)).toEqual([0, 1]);
    expect(await redis.zscore(keys.scheduled, id)).not.toBeNull();
    expect(await redis.xlen(keys.normal)).toBe(0);
  });

  it('and was promoted by another before, is left alone', async () => {
    const { redis, keys } = world();
    const [id = ''] = await dueTasks(1);

    expect([await move(id), await move(id)]).toEqual([
      [1, 1],
      [0, 1],
    ]);
    expect(await redis.xlen(keys.normal)).toBe(1);
  });
});

describe('the duty of promoting', () => {
  it('is held by one consumer at a time; another finds nothing and changes nothing', async () => {
    const { broker, snapshot } = world();
    await broker.promote(promoteRequest({ consumer: 'w1' }));
    await dueTasks(3);
    const before = await snapshot();

    expect(await broker.promote(promoteRequest({ consumer: 'w2' }))).toEqual({
      onDuty: false,
      promoted: 0,
      nextInMs: undefined,
    });

    expect(await snapshot()).toEqual(before);
    expect(await broker.promote(promoteRequest({ consumer: 'w1' }))).toMatchObject({ promoted: 3 });
  });

  it('may be taken over by one who was woken', async () => {
    const { broker } = world();
    await broker.promote(promoteRequest({ consumer: 'w1' }));
    await dueTasks(3);

    expect(await broker.promote(promoteRequest({ consumer: 'w2', takeOver: true }))).toMatchObject({
      onDuty: true,
      promoted: 3,
    });
    expect(await broker.promote(promoteRequest({ consumer: 'w1' }))).toMatchObject({ onDuty: false });
  });

  it('is free after Redis’ clock was set back behind it', async () => {
    const { broker, redis, keys, now } = world();
    await enqueue(broker, [newTask({ due: { afterMs: 0 } })]);
    const ahead = String((await now()) + 600_000);
    await redis.hset(keys.control, 'promoter', 'w1', 'promoterUntil', ahead);

    const request = promoteRequest({ consumer: 'w2', dutyMs: 1_250 });
    expect(await broker.promote(request)).toMatchObject({ onDuty: true });
    expect(Number(await redis.hget(keys.control, 'promoterUntil'))).toBeLessThanOrEqual(
      (await now()) + 1_250,
    );
  });

  it('is free when its holder has not called for dutyMs', async () => {
    const { broker } = world();
    await broker.promote(promoteRequest({ consumer: 'w1', dutyMs: 50 }));
    await dueTasks(1);

    const answer = await waitFor(
      async () => {
        const found = await broker.promote(promoteRequest({ consumer: 'w2' }));
        return found.onDuty ? found : undefined;
      },
      { what: 'the duty to be free' },
    );
    expect(answer.promoted).toBe(1);
  });

  it('is free at once when its holder is removed', async () => {
    const { broker } = world();
    await broker.promote(promoteRequest({ consumer: 'w1', dutyMs: 600_000 }));

    await broker.removeConsumer(QUEUE, 'w1');

    expect(await broker.promote(promoteRequest({ consumer: 'w2', dutyMs: 600_000 }))).toMatchObject({
      onDuty: true,
    });
  });

  it('stays with its holder when another is removed', async () => {
    const { broker } = world();
    await broker.promote(promoteRequest({ consumer: 'w1', dutyMs: 600_000 }));

    await broker.removeConsumer(QUEUE, 'w2');

    const other = promoteRequest({ consumer: 'w3', dutyMs: 600_000 });
    expect(await broker.promote(other)).toMatchObject({ onDuty: false });
  });

  it('is not needed for safety: two who promote at once move every task once', async () => {
    const { broker, connect, keys, redis } = world();
    const peer = await connect();
    const ids = await dueTasks(300);

    let promoted = 0;
    while (promoted < 300) {
      const answers = await Promise.all([
        broker.promote(promoteRequest({ consumer: 'w1', takeOver: true })),
        peer.promote(promoteRequest({ consumer: 'w2', takeOver: true })),
      ]);
      for (const answer of answers) promoted += answer.promoted;
    }

    const entries = await redis.xrange(keys.normal, '-', '+');
    expect(entries).toHaveLength(300);
    expect(new Set(entries.map(([, fields]) => record(fields).id))).toEqual(new Set(ids));
  });
});
