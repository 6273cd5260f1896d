import { describe, expect, it } from 'vitest';
import { indexedPlace } from './support/index-place.js';
import { QUEUE } from './support/keys.js';
import { record } from './support/snapshot.js';
import {
  complete,
  deadLetterOf,
  enqueue,
  field,
  idOf,
  leaseOne,
  newTask,
  retry,
  settle,
} from './support/tasks.js';
import { useRedis } from './support/world.js';

const world = useRedis();

describe('a task to be retried', () => {
  it.each(['high', 'normal', 'low'] as const)('moves from lane %s to scheduled, whole', async (lane) => {
    const { broker, keys, redis, pending, now } = world();
    const payload = '{"text":"a\\nb","more":"ž{}"}\n';
    const delivery = await leaseOne(broker, { lane, payload });
    const id = idOf(delivery);
    const from = await now();
    const task = {
      type: 'mail.send',
      payload,
      attempt: 4,
      enqueuedAt: 123,
      meta: '{"starts":3,"history":[]}',
    };

    const { stale } = await settle(broker, [retry(delivery, { delayMs: 5_000, task })]);

    expect(stale).toEqual([]);
    expect(await redis.xlen(keys.lane(lane))).toBe(0);
    expect(await pending(keys.lane(lane))).toEqual([]);
    expect(await indexedPlace(redis, keys, id)).toBe('s');
    const [scheduled] = await broker.listScheduled(QUEUE, 0, 10);
    expect(scheduled).toEqual({ id, lane, dueAt: expect.any(Number), ...task });
    expect(scheduled!.dueAt).toBeGreaterThanOrEqual(from + 5_000);
    expect(scheduled!.dueAt).toBeLessThanOrEqual((await now()) + 5_000);
  });

  it('keeps an unknown time of enqueueing unknown', async () => {
    const { broker, keys, redis } = world();
    await redis.xadd(keys.normal, '*', 'type', 'a', 'payload', '1');
    const { deliveries } = await settle(broker, [], { want: 1 });
    const { entryId } = deliveries[0]!;

    await settle(broker, [
      {
        kind: 'schedule',
        lease: { lane: 'normal', entryId, delivery: 1 },
        id: entryId,
        delayMs: 10,
        task: { type: 'a', payload: '1', attempt: 2, enqueuedAt: undefined, meta: '' },
      },
    ]);

    expect(await broker.listScheduled(QUEUE, 0, 1)).toMatchObject([
      { id: entryId, enqueuedAt: undefined, payload: '1' },
    ]);
    expect((await broker.find(QUEUE, entryId))?.state).toBe('scheduled');
  });

  it('wakes somebody only when it is due sooner than every other', async () => {
    const { broker, keys, redis } = world();
    await enqueue(broker, [newTask({ due: { afterMs: 30_000 } })]);
    const before = await redis.xlen(keys.wake);

    await settle(broker, [retry(await leaseOne(broker), { delayMs: 60_000 })]);
    expect(await redis.xlen(keys.wake)).toBe(before);

    await settle(broker, [retry(await leaseOne(broker), { delayMs: 1_000 })]);
    expect(await redis.xlen(keys.wake)).toBe(before + 1);
  });

  it('may be due at once', async () => {
    const { broker } = world();
    const delivery = await leaseOne(broker);

    await settle(broker, [retry(delivery, { delayMs: 0 })]);

    const { promoted } = await broker.promote({
      queue: QUEUE,
      consumer: 'w1',
      takeOver: false,
      dutyMs: 1000,
    });
    expect(promoted).toBe(1);
  });
});

describe('a dead-lettered task', () => {
  it('is on the dead-letter stream with every field, in the index, and nowhere else', async () => {
    const { broker, keys, redis, pending, now } = world();
    const delivery = await leaseOne(broker, { lane: 'high', payload: 'p\np' });
    const id = idOf(delivery);
    const from = await now();

    const { stale } = await settle(broker, [deadLetterOf(delivery)]);

    expect(stale).toEqual([]);
    expect(await redis.xlen(keys.high)).toBe(0);
    expect(await pending(keys.high)).toEqual([]);
    const [entry] = await redis.xrange(keys.dead, '-', '+');
    expect(record(entry![1])).toMatchObject({
      id,
      type: 'mail.send',
      payload: 'p\np',
      reason: 'attempts-exhausted',
      detail: 'attempt 3 of 3 failed',
      attempt: '3',
      meta: '{"starts":3}',
      replayMeta: '{"replays":1}',
    });
    expect(await indexedPlace(redis, keys, id)).toBe(`d${entry![0]}`);
    const [letter, ...others] = await broker.listDeadLetters(QUEUE, '', 10);
    expect(others).toEqual([]);
    expect(letter).toEqual({
      entryId: entry![0],
      id,
      type: 'mail.send',
      payload: 'p\np',
      queue: QUEUE,
      lane: 'high',
      reason: 'attempts-exhausted',
      detail: 'attempt 3 of 3 failed',
      attempt: 3,
      enqueuedAt: Number(field(delivery, 'enqueuedAt')),
      diedAt: expect.any(Number),
      meta: '{"starts":3}',
      raw: undefined,
    });
    expect(letter!.diedAt).toBeGreaterThanOrEqual(from);
    expect(letter!.diedAt).toBeLessThanOrEqual(await now());
  });

  it('keeps the fields of an entry that is no task as they were', async () => {
    const { broker, keys, redis } = world();
    await redis.xadd(keys.normal, '*', 'kind', 'x', 'kind', 'y', 'payload', '');
    const [delivery] = (await settle(broker, [], { want: 1 })).deliveries;
    const raw = JSON.stringify(delivery!.fields);

    await settle(broker, [
      {
        kind: 'dead-letter',
        lease: { lane: 'normal', entryId: delivery!.entryId, delivery: 1 },
        id: delivery!.entryId,
        task: { type: '', payload: '', attempt: 1, enqueuedAt: undefined, meta: '' },
        reason: 'malformed',
        detail: 'field "type" is missing',
        replayMeta: '',
        raw,
      },
    ]);

    expect(await broker.listDeadLetters(QUEUE, '', 10)).toMatchObject([
      { id: delivery!.entryId, reason: 'malformed', raw: '["kind","x","kind","y","payload",""]' },
    ]);
    expect(await redis.xlen(keys.normal)).toBe(0);
  });
});

describe('outcomes of one group', () => {
  it('may be of every kind at once', async () => {
    const { broker, keys, redis } = world();
    const deliveries = [];
    for (const lane of ['high', 'normal', 'low'] as const) {
      for (let i = 0; i < 3; i += 1) deliveries.push(await leaseOne(broker, { lane }));
    }

    const { stale } = await settle(
      broker,
      deliveries.map((delivery, i) => [complete, retry, deadLetterOf][i % 3]!(delivery as never)),
    );

    expect(stale).toEqual([]);
    expect(await broker.counts(QUEUE)).toMatchObject({
      ready: { high: 0, normal: 0, low: 0 },
      active: 0,
      scheduled: 3,
      dead: 3,
    });
    expect(await redis.hlen(keys.data)).toBe(3);
  });
});
