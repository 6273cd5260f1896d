import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { QUEUE } from './support/keys.js';
import {
  ALL_LANES,
  complete,
  type Delivery,
  enqueue,
  idOf,
  lease,
  LEASE_MS,
  leaseOf,
  leaseOne,
  newTasks,
  NOTHING_TAKEN,
  reclaimRequest,
  release,
  settle,
} from './support/tasks.js';
import { useRedis } from './support/world.js';

const world = useRedis();

/** Makes one entry look as if it had been delivered `count` times and left alone since. */
async function deliveredTimes(delivery: Delivery, count: number): Promise<void> {
  const { redis, keys } = world();
  const key = keys.lane(delivery.lane);
  await redis.xclaim(
    key,
    'workers',
    'w1',
    0,
    delivery.entryId,
    'IDLE',
    60_000,
    'RETRYCOUNT',
    count,
    'JUSTID',
  );
}

/** Whether the next sweep has to wait: not when this one left something that could be taken. */
async function nextSweepWaits(): Promise<boolean> {
  return (await world().redis.hexists(world().keys.control, 'nextSweepAt')) === 1;
}

/** What a sweep leaves in the control hash: what was there, and when the next may begin. */
function sweptControl(before: unknown): unknown {
  return { ...(before as object), nextSweepAt: expect.stringMatching(/^\d{13}$/) };
}

describe('reclaim', () => {
  it('takes entries silent for longer than the lease, counts the delivery, and says whose they were', async () => {
    const { broker, keys, age, pending } = world();
    const delivery = await leaseOne(broker);
    await age(keys.normal, LEASE_MS + 1);

    const answer = await broker.reclaim(reclaimRequest());

    expect(answer).toEqual({
      ...NOTHING_TAKEN,
      deliveries: [{ ...delivery, delivery: 2, from: 'w1' }],
    });
    expect(await pending(keys.normal)).toMatchObject([
      { entryId: delivery.entryId, consumer: 'w2', deliveries: 2 },
    ]);
    expect((await pending(keys.normal))[0]!.idleMs).toBeLessThan(10_000);
  });

  it('leaves entries whose lease still runs', async () => {
    const { broker, keys, age, snapshot } = world();
    await leaseOne(broker);
    await age(keys.normal, LEASE_MS - 5_000);
    const before = await snapshot();

    expect(await broker.reclaim(reclaimRequest())).toMatchObject({ deliveries: [], left: 0 });

    expect(await snapshot()).toEqual({ ...before, [keys.control]: sweptControl(before[keys.control]) });
  });

  it('never takes a ready task', async () => {
    const { broker } = world();
    await enqueue(broker, newTasks(5));

    expect(await broker.reclaim(reclaimRequest({ leaseMs: 0 }))).toMatchObject({ deliveries: [], left: 0 });
    expect((await broker.counts(QUEUE)).ready.normal).toBe(5);
  });

  it('looks at every lane', async () => {
    const { broker, keys, age } = world();
    for (const lane of ALL_LANES) await enqueue(broker, newTasks(2, { lane }));
    await lease(broker, 6);
    for (const lane of ALL_LANES) await age(keys.lane(lane), 60_000);

    const { deliveries } = await broker.reclaim(reclaimRequest());

    expect(deliveries.map((delivery) => delivery.lane).toSorted()).toEqual(
      ALL_LANES.flatMap((lane) => [lane, lane]).toSorted(),
    );
  });

  it('takes nothing from its own consumer, however idle, and says what that should know of', async () => {
    const { broker, keys, age, snapshot } = world();
    const { lane, entryId } = await leaseOne(broker);
    await age(keys.normal, 600_000);
    const before = await snapshot();

    const answer = await broker.reclaim(reclaimRequest({ consumer: 'w1' }));

    expect(answer).toEqual({ ...NOTHING_TAKEN, own: [{ lane, entryId }] });
    expect(await snapshot()).toEqual({ ...before, [keys.control]: sweptControl(before[keys.control]) });
  });

  it('takes own entries by name: the replies that leased them were lost', async () => {
    const { broker, keys, age } = world();
    await enqueue(broker, newTasks(3));
    const [, ghost] = await lease(broker, 3);
    await age(keys.normal, 60_000);

    const answer = await broker.reclaim(reclaimRequest({ consumer: 'w1', strays: [leaseOf(ghost!)] }));

    expect(answer).toEqual({ ...NOTHING_TAKEN, deliveries: [{ ...ghost, delivery: 2, from: 'w1' }] });
  });

  it('takes none by name that another has, that was renewed, or that is on another lane', async () => {
    const { broker, keys, age, snapshot } = world();
    const theirs = await leaseOne(broker, {}, 'w3');
    await age(keys.normal, 60_000);
    const renewed = await leaseOne(broker, { lane: 'high' });
    const silent = await leaseOne(broker, { lane: 'low' });
    await age(keys.low, 60_000);
    const elsewhere = { lane: 'normal', entryId: silent.entryId } as const;
    const before = await snapshot();

    const strays = [leaseOf(theirs), leaseOf(renewed), elsewhere];
    expect(await broker.reclaim(reclaimRequest({ consumer: 'w1', strays }))).toEqual(NOTHING_TAKEN);

    expect(await snapshot()).toEqual(before);
  });

  it('keeps to limit and suspects with own entries, too', async () => {
    const { broker } = world();
    await enqueue(broker, newTasks(4));
    const deliveries = await lease(broker, 4);
    for (const [i, delivery] of deliveries.entries()) await deliveredTimes(delivery, i < 2 ? 2 : 1);

    const strays = deliveries.map(leaseOf);
    const answer = await broker.reclaim(reclaimRequest({ consumer: 'w1', strays, limit: 2 }));

    expect(answer.deliveries.map((d) => d.entryId)).toEqual([deliveries[0]!.entryId, deliveries[2]!.entryId]);
    expect(answer.left).toBe(1);
  });

  it('gives every entry to one of two who sweep at once', async () => {
    const { broker, connect, keys, age } = world();
    const peer = await connect();
    await enqueue(broker, newTasks(80));
    const leased = await lease(broker, 80);
    await age(keys.normal, 60_000);

    const answers = await Promise.all([
      broker.reclaim(reclaimRequest({ consumer: 'w2' })),
      peer.reclaim(reclaimRequest({ consumer: 'w3' })),
    ]);

    const ids = answers.flatMap((answer) => answer.deliveries.map(idOf));
    expect(ids.toSorted()).toEqual(leased.map(idOf).toSorted());
  });

  it('drops entries that were deleted from the stream, without an error and without a delivery', async () => {
    const { broker, keys, redis, age, pending } = world();
    await enqueue(broker, newTasks(3));
    const deliveries = await lease(broker, 3);
    await age(keys.normal, 60_000);
    await redis.xdel(keys.normal, deliveries[1]!.entryId);

    const answer = await broker.reclaim(reclaimRequest());

    expect(answer.deliveries.map((d) => d.entryId)).toEqual([deliveries[0]!.entryId, deliveries[2]!.entryId]);
    expect((await pending(keys.normal)).map((row) => row.entryId)).not.toContain(deliveries[1]!.entryId);
    expect((await redis.xlen(keys.normal)) - (await pending(keys.normal)).length).toBe(0);
  });

  it('finds nothing, without an error, where there is no group', async () => {
    const { broker, keys, redis } = world();
    await redis.del(keys.high, keys.normal, keys.low, keys.wake);

    expect(await broker.reclaim(reclaimRequest())).toEqual(NOTHING_TAKEN);
    expect(await broker.reclaim(reclaimRequest({ wakeEntryId: '1-1' }))).toMatchObject({ deliveries: [] });
  });

  it('fences the one it was taken from, and lets the new owner finish', async () => {
    const { broker, keys, age, redis } = world();
    const old = await leaseOne(broker);
    await age(keys.normal, 60_000);
    const [delivery] = (await broker.reclaim(reclaimRequest())).deliveries;

    expect((await settle(broker, [complete(old)])).stale).toEqual([0]);
    expect((await settle(broker, [complete(delivery!)], { consumer: 'w2' })).stale).toEqual([]);
    expect(await redis.xlen(keys.normal)).toBe(0);
  });
});

describe('a call that is late', () => {
  it('takes nothing, says so, and leaves the next sweep to others', async () => {
    const { broker, keys, age, now, snapshot } = world();
    const delivery = await leaseOne(broker);
    await age(keys.normal, 60_000);
    const before = await snapshot();
    const notAfter = (await now()) - 1;

    const sweep = await broker.reclaim(reclaimRequest({ notAfter, everyMs: 60_000 }));
    const strays = [leaseOf(delivery)];
    const own = await broker.reclaim(reclaimRequest({ notAfter, consumer: 'w1', strays }));

    expect([sweep, own]).toEqual([
      { ...NOTHING_TAKEN, late: true },
      { ...NOTHING_TAKEN, late: true },
    ]);
    expect(await snapshot()).toEqual(before);
  });

  it('takes what was handed back: its owner has let go of it', async () => {
    const { broker, now } = world();
    const delivery = await leaseOne(broker);
    await settle(broker, [release(delivery)]);

    const answer = await broker.reclaim(reclaimRequest({ notAfter: (await now()) - 1, releasedOnly: true }));

    expect(answer).toMatchObject({ deliveries: [{ entryId: delivery.entryId }], late: true });
  });

  it('waited in the socket of a server that stood still: what it would have taken is alive', async () => {
    const { broker, connect, server, redis } = world();
    const peer = await connect({ redis: { commandTimeout: '10s' } });
    await peer.reclaim(reclaimRequest({ limit: 0 })); // knows the clock
    const delivery = await leaseOne(broker);
    const stall = { leaseMs: 300, notAfter: peer.now(QUEUE) + 100 };
    await redis.ping();
    process.kill(server.pid!, 'SIGSTOP');
    const waiting = peer.reclaim(reclaimRequest(stall));
    await delay(600);
    process.kill(server.pid!, 'SIGCONT');

    expect(await waiting).toEqual({ ...NOTHING_TAKEN, late: true });
    expect(await broker.extend(QUEUE, 'w1', [leaseOf(delivery)])).toEqual([]);
  });
});

describe('a suspect (it has outlived two deliveries)', () => {
  it('is left when none is wanted, for the next sweep, which may come at once', async () => {
    const { broker, pending, keys } = world();
    const delivery = await leaseOne(broker);
    await deliveredTimes(delivery, 2);

    expect(await broker.reclaim(reclaimRequest({ suspects: false }))).toMatchObject({
      deliveries: [],
      // It waits for a suspect to end, not for room.
      left: 0,
    });
    expect(await nextSweepWaits()).toBe(false);
    expect(await pending(keys.normal)).toMatchObject([{ consumer: 'w1', deliveries: 2 }]);
  });

  it('is taken one at a time; its neighbours are not held up', async () => {
    const { broker, redis, keys } = world();
    await enqueue(broker, newTasks(6));
    const deliveries = await lease(broker, 6);
    for (const [i, delivery] of deliveries.entries()) await deliveredTimes(delivery, i < 3 ? 3 : 1);

    const answer = await broker.reclaim(reclaimRequest({ suspects: true }));

    expect(answer.deliveries.map((d) => d.entryId)).toEqual([
      deliveries[0]!.entryId,
      ...deliveries.slice(3).map((d) => d.entryId),
    ]);
    expect(answer.deliveries[0]!.delivery).toBe(4);
    expect(answer.left).toBe(0);
    expect(await nextSweepWaits()).toBe(false);
    const woken = await redis.xrange(keys.wake, '-', '+');
    expect(woken.map(([, fields]) => fields)).toEqual([['why', 'released']]);
  });

  it.each([
    [1, false],
    [2, true],
    [4, true],
    [999, true],
    [1000, false],
    [1001, false],
    [1002, true],
    [3000, false],
  ])('has a delivery count of 2 or more since it was handed back last: %i is one: %s', async (count, is) => {
    const { broker } = world();
    const delivery = await leaseOne(broker);
    await deliveredTimes(delivery, count);

    const { deliveries } = await broker.reclaim(reclaimRequest({ suspects: false }));

    expect([deliveries.length, await nextSweepWaits()]).toEqual(is ? [0, false] : [1, true]);
  });
});

describe('entries handed back', () => {
  it('are taken at once, alone, when only those are asked for', async () => {
    const { broker, keys, age } = world();
    await enqueue(broker, newTasks(3));
    const [first, second] = await lease(broker, 3);
    await age(keys.normal, 60_000);
    await settle(broker, [release(first!), release(second!, true)]);

    const answer = await broker.reclaim(reclaimRequest({ releasedOnly: true }));

    expect(answer.deliveries.map((d) => [d.entryId, d.from, d.delivery])).toEqual([
      [first!.entryId, 'released', 1001],
      [second!.entryId, 'released', 1001],
    ]);
    expect(answer.cursor).toBeUndefined();
  });

  it('are found also behind a gate and behind many entries of live workers', async () => {
    const { broker } = world();
    await enqueue(broker, newTasks(200));
    const deliveries = await lease(broker, 200);
    await broker.reclaim(reclaimRequest({ everyMs: 60_000 }));
    await settle(broker, [release(deliveries[199]!)]);

    const answer = await broker.reclaim(reclaimRequest({ releasedOnly: true, everyMs: 60_000 }));

    expect(answer.deliveries.map((d) => d.entryId)).toEqual([deliveries[199]!.entryId]);
  });

  it('are acknowledged with the wake entry that told of them', async () => {
    const { broker, keys, redis, pending } = world();
    await settle(broker, [release(await leaseOne(broker))]);
    const request = { consumer: 'w2', blockMs: 10, count: 1, queues: [QUEUE] };
    const { woken } = await broker.fetch(request);

    await broker.reclaim(reclaimRequest({ releasedOnly: true, wakeEntryId: woken[0]!.entryId }));

    expect(await redis.xlen(keys.wake)).toBe(0);
    expect(await pending(keys.wake)).toEqual([]);
  });

  it('beyond the limit are left to others, who are woken for them', async () => {
    const { broker, keys, redis } = world();
    await enqueue(broker, newTasks(5));
    const released = await lease(broker, 5);
    await settle(
      broker,
      released.map((delivery) => release(delivery)),
    );
    await redis.xtrim(keys.wake, 'MAXLEN', 0);

    const answer = await broker.reclaim(reclaimRequest({ releasedOnly: true, limit: 2 }));

    expect(answer.deliveries).toHaveLength(2);
    expect(answer.left).toBe(3);
    expect(await redis.xlen(keys.wake)).toBe(1);
  });
});
