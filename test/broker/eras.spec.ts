import { describe, expect, it } from 'vitest';
import { QUEUE } from './support/keys.js';
import { enqueue, idOf, newTask, reclaimRequest, settle } from './support/tasks.js';
import { useRedis } from './support/world.js';

// Delivery counts may begin anew: in another run of the server, and in a group that was made again. The era is what
// keeps the fence growing over that, so no delivery may come with an old one.
const world = useRedis();

const YEAR_2026 = Date.UTC(2026) / 1000;

/** As if this run of the server had loaded what another one wrote. */
async function restart(): Promise<void> {
  await world().redis.hset(world().keys.control, 'run', 'an-earlier-run');
}

async function storedEra(): Promise<number> {
  return Number(await world().redis.hget(world().keys.control, 'era'));
}

describe('the era', () => {
  it('stays while the server runs and no group is missing, whoever asks', async () => {
    const { broker, connect } = world();
    for (const each of [broker, await connect(), await connect()]) await each.ensureQueue(QUEUE);
    await enqueue(broker, [newTask()]);

    expect((await settle(broker, [], { want: 1 })).deliveries).toMatchObject([{ era: 0 }]);
    expect(await storedEra()).toBe(0);
  });

  it('is another in another run of the server, and then stays', async () => {
    const { connect } = world();
    await restart();
    await (await connect()).ensureQueue(QUEUE);
    const era = await storedEra();
    await (await connect()).ensureQueue(QUEUE);

    expect(era).toBeGreaterThan(0);
    expect(await storedEra()).toBe(era);
  });

  it.each(['high', 'normal', 'low'] as const)(
    'is another when the group of lane %s is made',
    async (lane) => {
      const { broker, keys, redis } = world();
      let before = 0;
      // Several times within a second, too.
      for (let round = 0; round < 3; round += 1) {
        await redis.xgroup('DESTROY', keys[lane], 'workers');
        await broker.ensureQueue(QUEUE);
        expect(await storedEra()).toBeGreaterThan(before);
        before = await storedEra();
      }
    },
  );

  it('is no longer 0 where tasks are older than the name of the data: a server may have given them out', async () => {
    const { broker, connect, keys, redis } = world();
    await enqueue(broker, [newTask()]);
    // What a replica had that became the primary before it heard of the name.
    await redis.del(keys.control, keys.wake);
    await redis.xgroup('DESTROY', keys.normal, 'workers');
    await (await connect()).ensureQueue(QUEUE);

    expect(await storedEra()).toBeGreaterThan(0);
  });

  it('is none that was lost with the data: it goes by the time', async () => {
    const { connect, redis, keys, now } = world();
    const secondsSince2026 = Math.floor((await now()) / 1000) - YEAR_2026;
    // A snapshot from before any era was counted is all that is left.
    await restart();
    await redis.hdel(keys.control, 'era');
    await (await connect()).ensureQueue(QUEUE);

    expect(await storedEra()).toBeGreaterThanOrEqual(secondsSince2026);
  });
});

describe('the era of other data', () => {
  const flush = async (): Promise<void> => void (await world().redis.del(...(await world().keyNames())));

  it('is greater than any that a process knew of the data before, whichever of them asks', async () => {
    const { broker, connect } = world();
    await restart();
    const peer = await connect();
    await peer.ensureQueue(QUEUE);
    const before = await storedEra();
    expect(before).toBeGreaterThan(0);
    await flush();
    // One that knows nothing of it comes first.
    await (await connect()).ensureQueue(QUEUE);
    expect(await storedEra()).toBe(0);

    await peer.ensureQueue(QUEUE);
    const after = await storedEra();
    expect(after).toBeGreaterThan(before);
    // And stays, though others know less.
    for (const each of [broker, peer]) await each.ensureQueue(QUEUE);
    expect(await storedEra()).toBe(after);
  });

  it('is greater than 0 to a producer that misses what was answered, though it never asked for an era', async () => {
    const { connect } = world();
    const producer = await connect();
    const group = { queue: QUEUE, channel: 'c', maxReady: 0, durability: 'accepted' as const };
    await producer.enqueue({ ...group, sequence: 1, after: 0, tasks: [newTask()] });
    await flush();
    await (await connect()).ensureQueue(QUEUE);
    expect(await producer.enqueue({ ...group, sequence: 2, after: 1, tasks: [] })).toMatchObject({
      lostAfter: 0,
    });

    await producer.ensureQueue(QUEUE);
    expect(await storedEra()).toBeGreaterThan(0);
  });

  it('is what its tasks are leased under, also by a process that makes it', async () => {
    const { broker } = world();
    await broker.ensureQueue(QUEUE);
    await flush();
    await enqueue(broker, [newTask()]);
    const { deliveries, recreated } = await settle(broker, [], { want: 1 });

    expect(recreated).toBe(true);
    expect(deliveries).toMatchObject([{ era: await storedEra() }]);
    expect(deliveries[0]!.era).toBeGreaterThan(0);
  });
});

describe('nothing is leased under an era that is out of date', () => {
  it('by a settle, before it was asked which run this is', async () => {
    const { broker, connect } = world();
    await enqueue(broker, [newTask()]);
    await restart();
    const { deliveries } = await settle(await connect(), [], { want: 1 });

    expect(deliveries).toMatchObject([{ era: await storedEra() }]);
    expect(deliveries[0]!.era).toBeGreaterThan(0);
  });

  it('by a sweep, likewise', async () => {
    const { broker, connect, age, keys } = world();
    await enqueue(broker, [newTask()]);
    await settle(broker, [], { want: 1, consumer: 'dead' });
    await age(keys.normal, 60_000);
    await restart();
    const { deliveries } = await (await connect()).reclaim(reclaimRequest({ consumer: 'w2' }));

    expect(deliveries).toMatchObject([{ era: await storedEra() }]);
    expect(deliveries[0]!.era).toBeGreaterThan(0);
  });

  it('by a fetch, likewise', async () => {
    const { broker, connect } = world();
    await enqueue(broker, [newTask()]);
    await restart();
    const { deliveries } = await (
      await connect()
    ).fetch({ consumer: 'w1', queues: [QUEUE], blockMs: 1000, count: 1 });

    expect(deliveries).toMatchObject([{ era: await storedEra() }]);
    expect(deliveries[0]!.era).toBeGreaterThan(0);
  });

  it('after a reconnect: it is asked again', async () => {
    const { broker, breakLinks } = world();
    await enqueue(broker, [newTask()]);
    await restart();
    const back = new Promise<void>((resolve) => broker.onReconnect(() => resolve()));
    await breakLinks();
    await back;
    const { deliveries } = await settle(broker, [], { want: 1 });

    expect(deliveries[0]!.era).toBeGreaterThan(0);
  });

  it('by a fetch that waited while the era changed: what it brings is nobody’s until its lease is over', async () => {
    const { broker, redis, keys, age } = world();
    const fetching = broker.fetch({ consumer: 'w1', queues: [QUEUE], blockMs: 5000, count: 1 });
    while (!String(await redis.client('LIST')).includes('cmd=xreadgroup')) await Promise.resolve();
    // Another process found that groups were missing, and made them again; then a task comes.
    await redis.hset(keys.control, 'era', '7');
    const task = newTask();
    await enqueue(broker, [task]);

    expect((await fetching).deliveries).toEqual([]);
    await age(keys.normal, 60_000);
    const { deliveries } = await broker.reclaim(reclaimRequest());
    expect(deliveries.map(idOf)).toEqual([task.id]);
    expect(deliveries[0]!.era).toBe(7);
  });
});
