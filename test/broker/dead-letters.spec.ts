import { describe, expect, it } from 'vitest';
import type { RedisBroker } from '@taskq/core';
import { indexedPlace } from './support/index-place.js';
import { QUEUE } from './support/keys.js';
import { record } from './support/snapshot.js';
import {
  deadLetterOf,
  enqueue,
  idOf,
  lease,
  leaseOne,
  type NewTask,
  newTask,
  newTasks,
  settle,
} from './support/tasks.js';
import { useRedis } from './support/world.js';

const world = useRedis();

async function die(broker: RedisBroker, over: Partial<NewTask> = {}): Promise<string> {
  const delivery = await leaseOne(broker, over);
  await settle(broker, [deadLetterOf(delivery)]);
  return idOf(delivery);
}

async function dieMany(broker: RedisBroker, count: number): Promise<string[]> {
  await enqueue(broker, newTasks(count));
  const deliveries = await lease(broker, count);
  await settle(
    broker,
    deliveries.map((delivery) => deadLetterOf(delivery)),
  );
  return deliveries.map(idOf);
}

const letters = () => world().broker.listDeadLetters(QUEUE, '', 100);

describe('replay', () => {
  it('puts a task back on its lane with its attempts reset and its letter gone', async () => {
    const { broker, keys, redis, now } = world();
    const from = await now();
    const id = await die(broker, { lane: 'low', payload: 'a\n"ž"' });

    expect(await broker.replay(QUEUE, await letters())).toBe(1);

    const [entry] = await redis.xrange(keys.low, '-', '+');
    const { enqueuedAt, ...fields } = record(entry![1]);
    expect(fields).toEqual({
      id,
      type: 'mail.send',
      payload: 'a\n"ž"',
      meta: '{"replays":1}',
    });
    expect(Number(enqueuedAt)).toBeGreaterThanOrEqual(from);
    expect(await indexedPlace(redis, keys, id)).toBe(`l${entry![0]}`);
    expect(await redis.xlen(keys.dead)).toBe(0);
    expect(await broker.find(QUEUE, id)).toMatchObject({ state: 'ready', lane: 'low' });
  });

  it('restores the fields of an entry that was no task exactly', async () => {
    const { broker, keys, redis } = world();
    const odd = ['kind', 'x', 'kind', 'y', 'payload', '', 'ž "\\', '\n\u0001'];
    await redis.xadd(keys.high, '*', ...odd);
    const [delivery] = await lease(broker, 1);
    await settle(broker, [
      {
        kind: 'dead-letter',
        lease: { lane: 'high', entryId: delivery!.entryId, delivery: 1 },
        id: delivery!.entryId,
        task: { type: '', payload: '', attempt: 1, enqueuedAt: undefined, meta: '' },
        reason: 'malformed',
        detail: 'field "type" is missing',
        replayMeta: '',
        raw: JSON.stringify(delivery!.fields),
      },
    ]);

    expect(await broker.replay(QUEUE, await letters())).toBe(1);

    const [entry] = await redis.xrange(keys.high, '-', '+');
    expect(entry![1]).toEqual(odd);
    expect(await redis.xlen(keys.dead)).toBe(0);
  });

  it('leaves out letters that are gone, and counts the others', async () => {
    const { broker, keys, redis } = world();
    await dieMany(broker, 3);
    const [a, b, c] = await letters();
    await broker.deleteDeadLetters(QUEUE, [b!]);

    expect(await broker.replay(QUEUE, [a!, b!, c!, { entryId: '1-1', id: 'nobody' }])).toBe(2);

    expect((await lease(broker, 10)).map(idOf)).toEqual([a!.id, c!.id]);
    expect(await indexedPlace(redis, keys, b!.id)).toBeUndefined();
    expect(await broker.find(QUEUE, 'nobody')).toBeUndefined();
  });

  it('of the same letter twice is one task', async () => {
    const { broker } = world();
    await die(broker);
    const [letter] = await letters();

    expect(await broker.replay(QUEUE, [letter!, letter!])).toBe(1);
    expect(await broker.replay(QUEUE, [letter!])).toBe(0);

    expect(await lease(broker, 10)).toHaveLength(1);
  });

  it('takes more letters than fit one page', async () => {
    const { broker } = world();
    const ids = await dieMany(broker, 150);
    const all = [...(await letters())];
    all.push(...(await broker.listDeadLetters(QUEUE, all.at(-1)!.entryId, 100)));

    expect(await broker.replay(QUEUE, all)).toBe(150);

    expect((await lease(broker, 200)).map(idOf)).toEqual(ids);
  });

  it('works when the work stream has vanished meanwhile', async () => {
    const { broker, keys, redis } = world();
    const id = await die(broker);
    await redis.del(keys.normal);

    expect(await broker.replay(QUEUE, await letters())).toBe(1);

    const answer = await settle(broker, [], { want: 1 });
    expect(answer.recreated).toBe(true);
    expect(answer.deliveries.map(idOf)).toEqual([id]);
  });

  it('is not held up by a letter that somebody else wrote', async () => {
    const { broker, keys, redis } = world();
    const bad = [
      await redis.xadd(keys.dead, '*', 'raw', 'not json'),
      await redis.xadd(keys.dead, '*', 'anything', 'at all'),
      await redis.xadd(keys.dead, '*', 'raw', '[]'),
    ];
    const id = await die(broker);

    await broker
      .replay(QUEUE, [
        ...bad.map((entryId) => ({ entryId: entryId!, id: entryId! })),
        ...(await letters()).slice(3),
      ])
      .catch(() => undefined);

    expect((await lease(broker, 10)).map((d) => record(d.fields).id)).toContain(id);
  });
});

describe('deleteDeadLetters', () => {
  it('deletes them with what the index knows, and counts those that were there', async () => {
    const { broker, keys, redis } = world();
    const ids = await dieMany(broker, 3);
    const [a, , c] = await letters();

    expect(await broker.deleteDeadLetters(QUEUE, [a!, c!, { entryId: '1-1', id: 'x' }])).toBe(2);

    expect((await letters()).map((letter) => letter.id)).toEqual([ids[1]]);
    expect(await indexedPlace(redis, keys, ids[0]!)).toBeUndefined();
    expect(await broker.find(QUEUE, ids[1]!)).toMatchObject({ state: 'dead' });
  });

  it('does not forget a task that was replayed meanwhile', async () => {
    const { broker, snapshot } = world();
    const id = await die(broker);
    const all = await letters();
    await broker.replay(QUEUE, all);
    const before = await snapshot();

    expect(await broker.deleteDeadLetters(QUEUE, all)).toBe(0);

    expect(await snapshot()).toEqual(before);
    expect(await broker.find(QUEUE, id)).toMatchObject({ state: 'ready' });
  });

  it('does not forget a task of that id that lives elsewhere', async () => {
    const { broker } = world();
    await die(broker, { id: 'mine', ownId: true });
    const [letter] = await letters();
    await enqueue(broker, [newTask({ id: 'mine' })]); // without ownId: nobody looked

    expect(await broker.deleteDeadLetters(QUEUE, [letter!])).toBe(1);

    expect(await broker.find(QUEUE, 'mine')).toMatchObject({ state: 'ready' });
  });

  it('takes more than fit one page', async () => {
    const { broker, keys, redis } = world();
    await dieMany(broker, 130);
    const entries = await redis.xrange(keys.dead, '-', '+');

    const refs = entries.map(([entryId, fields]) => ({ entryId, id: record(fields).id! }));
    expect(await broker.deleteDeadLetters(QUEUE, refs)).toBe(130);

    expect(await redis.xlen(keys.dead)).toBe(0);
    expect((await world().keyNames()).filter((key) => key.includes(':index:'))).toEqual([]);
  });
});

describe('listDeadLetters', () => {
  it('goes through all of them page by page, oldest first', async () => {
    const { broker } = world();
    const ids = await dieMany(broker, 25);
    const seen: string[] = [];
    let after = '';
    for (let page = 0; page < 10; page += 1) {
      const found = await broker.listDeadLetters(QUEUE, after, 10);
      if (found.length === 0) break;
      expect(found.length).toBeLessThanOrEqual(10);
      seen.push(...found.map((letter) => letter.id));
      after = found.at(-1)!.entryId;
    }

    expect(seen).toEqual(ids);
  });

  it('never answers more than a hundred, and nothing for a queue without any', async () => {
    const { broker } = world();
    await dieMany(broker, 120);

    expect(await broker.listDeadLetters(QUEUE, '', 5000)).toHaveLength(100);
    expect(await broker.listDeadLetters('never', '', 10)).toEqual([]);
  });
});
