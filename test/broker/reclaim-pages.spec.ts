import { describe, expect, it } from 'vitest';
import { waitFor } from '@taskq/testing';
import {
  ALL_LANES,
  type Delivery,
  enqueue,
  idOf,
  lease,
  leaseOne,
  newTasks,
  NOTHING_TAKEN,
  type ReclaimRequest,
  reclaimRequest,
} from './support/tasks.js';
import { useRedis } from './support/world.js';

const world = useRedis();

/** Leases `count` tasks of each lane to a consumer that then falls silent. */
async function abandoned(count: number, lanes = ALL_LANES): Promise<readonly Delivery[]> {
  const { broker, keys, age } = world();
  for (const lane of lanes) {
    for (let left = count; left > 0; left -= 200) {
      await enqueue(broker, newTasks(Math.min(200, left), { lane }));
    }
  }
  const deliveries = await lease(broker, count * lanes.length);
  for (const lane of lanes) await age(keys.lane(lane), 60_000);
  return deliveries;
}

/** Calls until a sweep is at its end; answers every page. */
async function sweep(over: Partial<ReclaimRequest>) {
  const { broker } = world();
  const pages = [];
  let cursor: ReclaimRequest['cursor'];
  do {
    const answer = await broker.reclaim(reclaimRequest({ ...over, ...(cursor && { cursor }) }));
    pages.push(answer);
    cursor = answer.cursor;
  } while (cursor && pages.length < 100);
  return pages;
}

describe('a sweep', () => {
  it('over more than a hundred entries goes page by page and finds each once', async () => {
    const deliveries = await abandoned(130);

    const pages = await sweep({ limit: 1000 });

    const found = pages.flatMap((page) => page.deliveries.map(idOf));
    expect(found.toSorted()).toEqual(deliveries.map(idOf).toSorted());
    for (const page of pages) expect(page.deliveries.length).toBeLessThanOrEqual(100);
    expect(pages.length).toBeGreaterThanOrEqual(4);
    expect(pages.length).toBeLessThanOrEqual(6);
  });

  it.each([99, 100, 101, 200])('of exactly %i entries ends and finds all', async (count) => {
    await abandoned(count, ['normal']);

    const pages = await sweep({ limit: 1000 });

    expect(pages.flatMap((page) => page.deliveries)).toHaveLength(count);
  });

  it('finds the silent among many that are alive in one page', async () => {
    const { broker, keys, redis } = world();
    const deliveries = await abandoned(150, ['normal']);
    for (const { entryId } of deliveries.slice(0, -1)) {
      await redis.xclaim(keys.normal, 'workers', 'w1', 0, entryId, 'JUSTID');
    }

    const answer = await broker.reclaim(reclaimRequest());

    expect(answer.deliveries.map(idOf)).toEqual([idOf(deliveries.at(-1)!)]);
    expect(answer.cursor).toBeUndefined();
  });

  it('goes on behind a hundred suspects, in the same consumer and in the next', async () => {
    const { broker, keys, redis } = world();
    const deliveries = await abandoned(150, ['normal']);
    for (const { entryId } of deliveries.slice(0, 120)) {
      const twice = ['IDLE', 60_000, 'RETRYCOUNT', 2, 'JUSTID'] as const;
      await redis.xclaim(keys.normal, 'workers', 'w1', 0, entryId, ...twice);
    }
    for (const { entryId } of deliveries.slice(140)) {
      await redis.xclaim(keys.normal, 'workers', 'w4', 0, entryId, 'IDLE', 60_000, 'RETRYCOUNT', 1, 'JUSTID');
    }
    const first = await broker.reclaim(reclaimRequest({ suspects: false }));
    expect(first).toMatchObject({ deliveries: [], cursor: { lane: 'normal', consumer: 'w1' } });

    const second = await broker.reclaim(reclaimRequest({ suspects: false, cursor: first.cursor! }));

    expect(second.deliveries.map(idOf)).toEqual(deliveries.slice(120).map(idOf));
    expect(second.cursor).toBeUndefined();
  });

  it('goes on with the next consumer when the one it stopped at is gone', async () => {
    const { broker } = world();
    await enqueue(broker, newTasks(2));
    await lease(broker, 1, 'a');
    const [next] = await lease(broker, 1, 'c');

    const gone = { lane: 'normal', consumer: 'b', after: '9999999999999-0' } as const;
    const { deliveries } = await broker.reclaim(reclaimRequest({ leaseMs: 0, cursor: gone }));

    expect(deliveries.map(idOf)).toEqual([idOf(next!)]);
  });

  it('goes on where it left something for want of room', async () => {
    const { broker } = world();
    const deliveries = await abandoned(10, ['normal']);
    const first = await broker.reclaim(reclaimRequest({ limit: 4 }));
    expect(first.left).toBe(6);

    const second = await broker.reclaim(reclaimRequest({ cursor: first.cursor! }));

    expect(second.deliveries.map(idOf)).toEqual(deliveries.slice(4).map(idOf));
    expect(second).toMatchObject({ left: 0, cursor: undefined });
  });

  it('does not walk over ten thousand entries of one live consumer and then over those of the next', async () => {
    const { broker, redis, keys } = world();
    const pipeline = redis.pipeline();
    for (let i = 0; i < 12_000; i += 1) pipeline.xadd(keys.normal, '*', 'n', i);
    for (const [consumer, count] of [
      ['a', 4_000],
      ['b', 4_000],
      ['c', 4_000],
    ] as const)
      pipeline.xreadgroup('GROUP', 'workers', consumer, 'COUNT', count, 'STREAMS', keys.normal, '>');
    await pipeline.exec();

    const first = await broker.reclaim(reclaimRequest());
    const second = await broker.reclaim(reclaimRequest({ cursor: first.cursor! }));

    expect(first).toMatchObject({ deliveries: [], cursor: { consumer: 'c', after: '' } });
    expect(second).toEqual(NOTHING_TAKEN);
  });

  it('takes no more than the limit and counts what it leaves', async () => {
    const { broker } = world();
    await abandoned(10, ['high', 'low']);

    const answer = await broker.reclaim(reclaimRequest({ limit: 7 }));

    expect(answer.deliveries).toHaveLength(7);
    expect(answer.left).toBe(13);
  });

  it('with a limit of 0 takes nothing and counts everything', async () => {
    const { broker, keys, pending } = world();
    await abandoned(5, ['normal']);

    const answer = await broker.reclaim(reclaimRequest({ limit: 0 }));

    expect(answer).toMatchObject({ deliveries: [], left: 5, cursor: { lane: 'normal', after: '' } });
    for (const row of await pending(keys.normal)) expect(row.consumer).toBe('w1');
  });

  it('by many with small limits takes everything in the end', async () => {
    const deliveries = await abandoned(40, ['normal', 'low']);
    const found: string[] = [];
    for (let i = 0; i < 60 && found.length < deliveries.length; i += 1) {
      const pages = await sweep({ consumer: `w${10 + (i % 4)}`, limit: 3, everyMs: 60_000 });
      found.push(...pages.flatMap((page) => page.deliveries.map(idOf)));
    }

    expect(found.toSorted()).toEqual(deliveries.map(idOf).toSorted());
  });
});

describe('the gate between sweeps', () => {
  it('keeps everybody from sweeping again soon after a sweep that found nothing', async () => {
    const { broker, keys, age } = world();
    await broker.reclaim(reclaimRequest({ consumer: 'w2', everyMs: 60_000 }));
    const delivery = await leaseOne(broker);
    await age(keys.normal, 120_000);

    for (const consumer of ['w2', 'w3']) {
      expect(await broker.reclaim(reclaimRequest({ consumer, everyMs: 60_000 }))).toEqual(NOTHING_TAKEN);
    }

    expect((await world().pending(keys.normal))[0]).toMatchObject({
      entryId: delivery.entryId,
      consumer: 'w1',
    });
  });

  it('opens when the time is over', async () => {
    const { broker, keys, age } = world();
    await broker.reclaim(reclaimRequest({ everyMs: 60 }));
    await leaseOne(broker);
    await age(keys.normal, 120_000);

    const found = await waitFor(
      async () => (await broker.reclaim(reclaimRequest({ everyMs: 60 }))).deliveries[0],
      { what: 'the next sweep' },
    );

    expect(found).toMatchObject({ delivery: 2, from: 'w1' });
  });

  it('is open when it is further away than it ever could be: a clock that was ahead has written it', async () => {
    const { broker, keys, redis, now, age } = world();
    await leaseOne(broker);
    await age(keys.normal, 120_000);
    await redis.hset(keys.control, 'nextSweepAt', (await now()) + 61_000);

    expect((await broker.reclaim(reclaimRequest({ everyMs: 60_000 }))).deliveries).toHaveLength(1);
    const next = Number(await redis.hget(keys.control, 'nextSweepAt'));
    expect(next).toBeLessThanOrEqual((await now()) + 60_000);
  });

  it('stays open while there is something left', async () => {
    const { broker } = world();
    await abandoned(10, ['normal']);

    const first = await broker.reclaim(reclaimRequest({ consumer: 'w2', limit: 4, everyMs: 60_000 }));
    const second = await broker.reclaim(reclaimRequest({ consumer: 'w3', limit: 100, everyMs: 60_000 }));

    expect([first.deliveries.length, second.deliveries.length]).toEqual([4, 6]);
  });

  it('does not stop a sweep that is under way', async () => {
    await abandoned(250, ['normal']);

    const pages = await sweep({ everyMs: 60_000, limit: 1000 });

    expect(pages.flatMap((page) => page.deliveries)).toHaveLength(250);
  });
});
