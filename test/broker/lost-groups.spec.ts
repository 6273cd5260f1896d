import { describe, expect, it } from 'vitest';
import { QUEUE } from './support/keys.js';
import { groupOf, newTask, newTasks } from './support/tasks.js';
import { useRedis } from './support/world.js';

// Redis comes back with less than it answered: made here by giving a channel's record an earlier value.
const world = useRedis();

const ACCEPTED = { status: 'accepted' } as const;
const CHANNEL = 'p-0';
const group = (sequence: number, after: number, count = 1) =>
  groupOf(newTasks(count), { channel: CHANNEL, sequence, after });

/** The channel's record as it was after an earlier group; nothing: as if there had been none. */
async function rollBack(sequence?: number): Promise<void> {
  const { redis, keys } = world();
  if (sequence === undefined) await redis.del(keys.producer(CHANNEL));
  else await redis.set(keys.producer(CHANNEL), `${sequence} a`);
}

describe('a group that names one which was answered', () => {
  it('is answered as any other while that is known', async () => {
    const { broker, redis, keys } = world();
    await broker.enqueue(group(1, 0));

    expect(await broker.enqueue(group(2, 1))).toEqual({ answers: [ACCEPTED], lostAfter: undefined });
    expect(await redis.get(keys.producer(CHANNEL))).toBe('2 a1');
  });

  it.each([
    ['an earlier one', 2, 2],
    ['none', undefined, 0],
  ])('is applied, and says after which the others are gone: %s is known', async (_, known, lostAfter) => {
    const { broker, redis, keys } = world();
    await rollBack(known);
    const late = group(6, 5, 2);

    expect(await broker.enqueue(late)).toEqual({ answers: [ACCEPTED, ACCEPTED], lostAfter });
    expect(await redis.get(keys.producer(CHANNEL))).toBe(`6 !${lostAfter} a2`);
    expect(await redis.xlen(keys.normal)).toBe(2);

    // The same when its reply was lost, and no more from the next group on.
    expect(await broker.enqueue(late)).toEqual({ answers: [ACCEPTED, ACCEPTED], lostAfter });
    expect(await broker.enqueue(group(7, 6))).toEqual({ answers: [ACCEPTED], lostAfter: undefined });
    expect(await redis.xlen(keys.normal)).toBe(3);
  });

  it('may be without tasks: it asks, and adds nothing but its record', async () => {
    const { broker, snapshot, keys } = world();
    await rollBack(2);
    const before = await snapshot();

    expect(await broker.enqueue(group(6, 5, 0))).toEqual({ answers: [], lostAfter: 2 });
    expect(await broker.enqueue(group(7, 6, 0))).toEqual({ answers: [], lostAfter: undefined });
    expect(await snapshot()).toEqual({ ...before, [keys.producer(CHANNEL)]: '7 ' });
  });

  it('knows of groups that were written and never answered: they are not lost', async () => {
    const { broker } = world();
    await broker.enqueue(group(1, 0));
    await broker.enqueue(group(2, 1));

    expect(await broker.enqueue(group(3, 1))).toMatchObject({ lostAfter: undefined });
  });

  it('still finds what is there under an id of its own when it is offered again', async () => {
    const { broker } = world();
    const there = newTask();
    await broker.enqueue(groupOf([there], { channel: CHANNEL, sequence: 5 }));
    const again = groupOf([{ ...there, ownId: true }, newTask({ ownId: true })]);

    expect(await broker.enqueue(again)).toMatchObject({
      answers: [{ status: 'duplicate', id: there.id }, ACCEPTED],
    });
  });
});

describe('a group whose answer was lost', () => {
  const resolve = (sequence: number) =>
    world().broker.resolveGroup({ queue: QUEUE, channel: CHANNEL, sequence });

  it('is known while it is the last of its channel', async () => {
    const { broker, snapshot } = world();
    await broker.enqueue(group(1, 0, 2));
    const before = await snapshot();

    expect(await resolve(1)).toEqual([ACCEPTED, ACCEPTED]);
    expect(await snapshot()).toEqual(before);
  });

  it('is never applied once it was said that it was not', async () => {
    const { broker, redis, keys } = world();
    await broker.enqueue(group(1, 0));

    expect(await resolve(2)).toBeUndefined();
    await broker.enqueue(group(2, 1)).catch(() => undefined);

    expect(await redis.xlen(keys.normal)).toBe(1);
  });

  it('does not hide that groups before it are gone, too', async () => {
    const { broker } = world();
    await rollBack(2);

    expect(await resolve(6)).toBeUndefined();
    expect(await broker.enqueue(group(7, 5))).toMatchObject({ lostAfter: 2 });
  });

  it('does not hide it either where it was applied, and said so to nobody', async () => {
    const { broker } = world();
    await rollBack(2);
    await broker.enqueue(group(6, 5));

    expect(await resolve(6)).toEqual([ACCEPTED]);
    expect(await broker.enqueue(group(7, 5))).toMatchObject({ lostAfter: 2 });
  });
});
