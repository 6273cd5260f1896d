import { describe, expect, it } from 'vitest';
import { BrokerError } from '@taskq/core';
import { indexedPlace } from './support/index-place.js';
import { indexField, runField } from './support/keys.js';
import { record } from './support/snapshot.js';
import { ALL_LANES, complete, enqueue, groupOf, lease, newTask, newTasks, settle } from './support/tasks.js';
import { useRedis } from './support/world.js';

const world = useRedis();

const ACCEPTED = { status: 'accepted' };

describe('enqueue of a ready task', () => {
  it('writes the entry, its place in the index and the record of the channel: nothing else', async () => {
    const { broker, keys, redis, keyNames, now } = world();
    const before = await keyNames();
    const from = await now();
    const task = newTask({ payload: '{"a":[1,2]}', meta: '{"headers":{"x":"y"}}' });

    expect(await enqueue(broker, [task], { channel: 'c1' })).toEqual([ACCEPTED]);

    const [entry] = await redis.xrange(keys.normal, '-', '+');
    const { enqueuedAt, ...fields } = record(entry![1]);
    expect(fields).toEqual({
      id: task.id,
      type: task.type,
      payload: task.payload,
      meta: task.meta,
    });
    expect(Number(enqueuedAt)).toBeGreaterThanOrEqual(from);
    expect(Number(enqueuedAt)).toBeLessThanOrEqual(await now());
    expect(await redis.hgetall(keys.index(task.id))).toEqual({
      [runField(task.id)]: `n${entry![0]}~${entry![0]}`,
      '#': '1',
    });
    expect(await keyNames()).toEqual([...before, keys.index(task.id), keys.producer('c1')].toSorted());
  });

  it('keeps the record of a channel for a while only', async () => {
    const { broker, keys, redis } = world();

    await enqueue(broker, [newTask()], { channel: 'c1' });

    const ttl = await redis.pttl(keys.producer('c1'));
    expect(ttl).toBeGreaterThan(60_000);
    expect(ttl).toBeLessThanOrEqual(7 * 86_400_000);
  });

  it.each(ALL_LANES)('puts a task of lane %s on that stream alone', async (lane) => {
    const { broker, keys, redis } = world();
    const task = newTask({ lane });

    await enqueue(broker, [task]);

    for (const other of ALL_LANES) {
      expect(await redis.xlen(keys.lane(other))).toBe(other === lane ? 1 : 0);
    }
    const [entry] = await redis.xrange(keys.lane(lane), '-', '+');
    expect(await indexedPlace(redis, keys, task.id)).toBe(`${lane[0]}${entry![0]}`);
  });

  it.each([
    ['newlines', 'line one\nline two\r\n\n'],
    ['unicode', '"žluťoučký 🐎 \u0000 \u2028 ﷽"'],
    ['braces and quotes', '{"a":"{}[]\\"\'$`%s"}'],
    ['nothing', ''],
    ['what looks like a reply', 'a d123 c456 f'],
    ['a number', '12345678901234567890'],
  ])('keeps a payload with %s as it is', async (_, payload) => {
    const { broker } = world();

    await enqueue(broker, [newTask({ payload })]);

    const [delivery] = await lease(broker, 1);
    expect(record(delivery!.fields).payload).toBe(payload);
  });

  it('accepts 200 tasks in one group, in order, in index hashes of two fields each', async () => {
    const { broker, keys, redis } = world();
    const tasks = newTasks(200);

    const answers = await enqueue(broker, tasks);

    expect(answers).toEqual(tasks.map(() => ACCEPTED));
    const entries = await redis.xrange(keys.normal, '-', '+');
    expect(entries.map(([, fields]) => record(fields).id)).toEqual(tasks.map((task) => task.id));
    const buckets = [...new Set(tasks.map((task) => keys.index(task.id)))];
    const sizes = await Promise.all(buckets.map((key) => redis.hlen(key)));
    expect(sizes).toEqual(buckets.map(() => 2));
    expect(buckets.length).toBeLessThanOrEqual(7);
    const counts = await Promise.all(buckets.map((key) => redis.hget(key, '#')));
    expect(counts.reduce((sum, count) => sum + Number(count), 0)).toBe(200);
    for (const [n, task] of tasks.entries()) {
      expect(await indexedPlace(redis, keys, task.id)).toBe(`n${entries[n]![0]}`);
    }
    expect(await redis.object('ENCODING', buckets[0]!)).toBe('listpack');
  });

  it('never trims the work stream', async () => {
    const { broker, keys, redis } = world();
    for (let i = 0; i < 12; i += 1) await enqueue(broker, newTasks(200));

    expect(await redis.xlen(keys.normal)).toBe(2400);
  });

  it('spreads one group over its lanes and keeps the order within each', async () => {
    const { broker, keys, redis } = world();
    const tasks = ALL_LANES.flatMap(() => ALL_LANES.map((lane) => newTask({ lane })));

    await enqueue(broker, tasks);

    for (const lane of ALL_LANES) {
      const entries = await redis.xrange(keys.lane(lane), '-', '+');
      const ids = entries.map(([, fields]) => record(fields).id);
      expect(ids).toEqual(tasks.filter((task) => task.lane === lane).map((task) => task.id));
    }
  });
});

describe('a group sent twice (its reply was lost)', () => {
  it('is answered the same and written once', async () => {
    const { broker, snapshot } = world();
    const group = groupOf([
      newTask(),
      newTask({ lane: 'high', due: { afterMs: 60_000 } }),
      newTask({ idempotency: { key: 'i1', fingerprint: 'f', windowMs: 60_000 } }),
      newTask({ unique: { key: 'u1', ttlMs: 60_000 } }),
      newTask({ id: 'mine', ownId: true }),
    ]);
    const first = await broker.enqueue(group);
    const before = await snapshot();

    expect(await broker.enqueue(group)).toEqual(first);

    expect(first).toEqual({ answers: group.tasks.map(() => ACCEPTED), lostAfter: undefined });
    expect(await snapshot()).toEqual(before);
  });

  it('is answered the same by another connection, as after a reconnect', async () => {
    const { broker, connect, snapshot } = world();
    const group = groupOf(newTasks(3));
    const first = await broker.enqueue(group);
    const before = await snapshot();

    expect(await (await connect()).enqueue(group)).toEqual(first);

    expect(await snapshot()).toEqual(before);
  });

  it('is written once also when the first copy was completed meanwhile', async () => {
    const { broker, snapshot } = world();
    const group = groupOf([newTask()]);
    await broker.enqueue(group);
    const [delivery] = await lease(broker, 1);
    await settle(broker, [complete(delivery!)]);
    const before = await snapshot();

    expect(await broker.enqueue(group)).toEqual({ answers: [ACCEPTED], lostAfter: undefined });

    expect(await snapshot()).toEqual(before);
    expect(await lease(broker, 1)).toEqual([]);
  });

  it('answers again which tasks found the queue full, though there is room now', async () => {
    const { broker, snapshot } = world();
    const group = groupOf(newTasks(2), { maxReady: 1 });
    const first = { answers: [ACCEPTED, { status: 'full' }], lostAfter: undefined };
    expect(await broker.enqueue(group)).toEqual(first);
    await lease(broker, 1);
    const before = await snapshot();

    expect(await broker.enqueue(group)).toEqual(first);

    expect(await snapshot()).toEqual(before);
  });

  it('is told from the next group of the channel and from another channel', async () => {
    const { broker, keys, redis } = world();
    await broker.enqueue(groupOf([newTask()], { channel: 'c', sequence: 1 }));
    await broker.enqueue(groupOf([newTask()], { channel: 'c', sequence: 2 }));
    await broker.enqueue(groupOf([newTask()], { channel: 'd', sequence: 2 }));

    expect(await redis.xlen(keys.normal)).toBe(3);
  });

  it('is refused when a later group of the channel was applied, and writes nothing', async () => {
    const { broker, snapshot } = world();
    await broker.enqueue(groupOf([newTask()], { channel: 'c', sequence: 7 }));
    const before = await snapshot();

    await expect(broker.enqueue(groupOf([newTask()], { channel: 'c', sequence: 6 }))).rejects.toBeInstanceOf(
      BrokerError,
    );

    expect(await snapshot()).toEqual(before);
  });

  it('compares sequences as numbers', async () => {
    const { broker, keys, redis } = world();
    for (const sequence of [9, 10, 99, 100, 1_000_000]) {
      await broker.enqueue(groupOf([newTask()], { channel: 'c', sequence }));
    }

    expect(await redis.xlen(keys.normal)).toBe(5);
  });
});

describe('a task for later', () => {
  it('waits in scheduled, with its data and its mark in the index, and off the streams', async () => {
    const { broker, keys, redis, now } = world();
    const from = await now();
    const task = newTask({ due: { afterMs: 60_000 }, payload: 'a\nb', meta: '{"x":1}', lane: 'low' });

    expect(await enqueue(broker, [task])).toEqual([ACCEPTED]);

    const due = Number(await redis.zscore(keys.scheduled, task.id));
    expect(due).toBeGreaterThanOrEqual(from + 60_000);
    expect(due).toBeLessThanOrEqual((await now()) + 60_000);
    const [lane, attempt, enqueuedAt, type, meta, ...payload] = (await redis.hget(keys.data, task.id))!.split(
      '\n',
    );
    expect([lane, attempt, type, meta, payload.join('\n')]).toEqual(['l', '1', task.type, '{"x":1}', 'a\nb']);
    expect(Number(enqueuedAt)).toBeGreaterThanOrEqual(from);
    expect(await redis.hget(keys.index(task.id), indexField(task.id))).toBe('s');
    for (const name of ALL_LANES) expect(await redis.xlen(keys.lane(name))).toBe(0);
  });

  it('is due exactly at the time given', async () => {
    const { broker, keys, redis, now } = world();
    const at = (await now()) + 123_456;
    const task = newTask({ due: { at } });

    await enqueue(broker, [task]);

    expect(Number(await redis.zscore(keys.scheduled, task.id))).toBe(at);
  });

  it.each([
    ['long past', { at: 0 }],
    ['just past', { at: 1 }],
    ['now', { afterMs: 0 }],
  ])('is ready at once when its time is %s', async (_, due) => {
    const { broker, keys, redis } = world();
    const task = newTask({ due });

    await enqueue(broker, [task]);

    expect(await redis.xlen(keys.normal)).toBe(1);
    expect(await redis.exists(keys.scheduled, keys.data)).toBe(0);
    expect(await redis.hget(keys.index(task.id), indexField(task.id))).toMatch(/^n\d+-\d+$/);
  });

  it('writes a wake entry only when it is due sooner than every other', async () => {
    const { broker, keys, redis } = world();
    const wakes: number[] = [];
    for (const afterMs of [60_000, 90_000, 60_500, 30_000, 45_000]) {
      await enqueue(broker, [newTask({ due: { afterMs } })]);
      wakes.push(await redis.xlen(keys.wake));
    }

    expect(wakes.map((count) => count > 0)).toEqual([true, true, true, true, true]);
    expect([wakes[1]! - wakes[0]!, wakes[2]! - wakes[1]!, wakes[4]! - wakes[3]!]).toEqual([0, 0, 0]);
    expect(wakes[3]! - wakes[2]!).toBe(1);
  });

  it('does not wake anybody for a task that is ready', async () => {
    const { broker, keys, redis } = world();

    await enqueue(broker, newTasks(5));

    expect(await redis.xlen(keys.wake)).toBe(0);
  });
});
