import { BrokerError, type DataLoss, type FetchRequest, type NewTask } from '@taskq/core';
import { beforeEach, describe, expect, it } from 'vitest';
import { VirtualClock } from '../virtual-clock.js';
import { MemoryBroker } from './memory-broker.js';
import { MemoryStore } from './memory-store.js';

const QUEUE = 'orders';
const LEASE_MS = 30_000;

let clock: VirtualClock;
let store: MemoryStore;
let broker: MemoryBroker;
let peer: MemoryBroker;

beforeEach(async () => {
  clock = new VirtualClock();
  store = new MemoryStore({ clock, random: () => 0.5 });
  broker = new MemoryBroker({ store });
  peer = new MemoryBroker({ store });
  await broker.ensureQueue(QUEUE);
});

let sequence = 0;

function enqueue(over: Partial<NewTask> = {}, by = broker) {
  sequence += 1;
  const task = { id: `t${sequence}`, type: 'a', payload: '1', meta: '', lane: 'normal' as const, ...over };
  const group = { queue: QUEUE, channel: 'c', sequence, after: 0, maxReady: 0, tasks: [task] };
  return by.enqueue({ ...group, durability: 'accepted' });
}

function fetch(consumer: string, over: Partial<FetchRequest> = {}, by = broker) {
  return by.fetch({ consumer, part: consumer, blockMs: 5_000, count: 10, queues: [QUEUE], ...over });
}

function reclaim(consumer: string) {
  const how = { limit: 10, suspects: true, releasedOnly: false, everyMs: 0 };
  return peer.reclaim({ queue: QUEUE, consumer, leaseMs: LEASE_MS, ...how });
}

/** Names of those whose promise has settled, in that order, with what they were given. */
function watch(fetches: Readonly<Record<string, ReturnType<typeof fetch>>>): string[] {
  const ended: string[] = [];
  for (const [name, answer] of Object.entries(fetches)) {
    void answer.then(
      ({ deliveries, woken }) => ended.push(`${name} ${deliveries.length}+${woken.length}`),
      (error: unknown) => ended.push(`${name} ${(error as BrokerError).reason}`),
    );
  }
  return ended;
}

describe('a fetch that waits', () => {
  it('ends with nothing after blockMs on the clock of the store', async () => {
    const ended = watch({ a: fetch('a', { blockMs: 5_000 }) });
    await clock.advance(4_999);
    expect(ended).toEqual([]);
    expect(clock.pending).toBe(1);

    await clock.advance(1);
    expect(ended).toEqual(['a 0+0']);
  });

  it('is served in the order of waiting, as far as there is something, and leaves no timer', async () => {
    const ended = watch({ a: fetch('a'), b: fetch('b', {}, peer), c: fetch('c') });
    await enqueue();
    await clock.advance(0);
    expect(ended).toEqual(['a 1+0']);

    await enqueue({ due: { afterMs: 60_000 } });
    await clock.advance(0);
    expect(ended).toEqual(['a 1+0', 'b 0+1']);

    await enqueue({ lane: 'low' });
    await clock.advance(0);
    expect(ended).toEqual(['a 1+0', 'b 0+1', 'c 1+0']);
    expect(clock.pending).toBe(0);
  });

  it('leaves the rest of a group to those who wait behind it', async () => {
    const ended = watch({ a: fetch('a', { count: 2 }), b: fetch('b') });
    const tasks = ['x', 'y', 'z'].map((id) => ({
      id,
      type: 'a',
      payload: '1',
      meta: '',
      lane: 'normal' as const,
    }));
    const group = { queue: QUEUE, channel: 'd', sequence: 1, after: 0, maxReady: 0, tasks };
    await broker.enqueue({ ...group, durability: 'accepted' });
    await clock.advance(0);

    expect(ended).toEqual(['a 2+0', 'b 1+0']);
  });

  it('for several queues is served by any of them, once', async () => {
    await broker.ensureQueue('other');
    const ended = watch({ a: fetch('a', { queues: ['other', QUEUE] }), b: fetch('b') });
    await enqueue();
    await enqueue();
    await clock.advance(0);
    expect(ended).toEqual(['a 1+0', 'b 1+0']);
  });

  it('is rejected when the groups it waits for, or all data, are gone', async () => {
    const ended = watch({ a: fetch('a') });
    store.dropGroup('other');
    store.dropGroup(QUEUE);
    await clock.advance(0);
    expect(ended).toEqual(['a NOGROUP']);

    await broker.ensureQueue(QUEUE);
    const again = watch({ b: fetch('b') });
    store.flush();
    await clock.advance(0);
    expect(again).toEqual(['b UNBLOCKED']);
    await expect(fetch('c')).rejects.toMatchObject({ reason: 'NOGROUP', retryable: true });
  });

  it('that is ended, or whose process is gone, is given nothing any more', async () => {
    const ended = watch({ a: fetch('a'), b: fetch('b', {}, peer) });
    await broker.endFetch('a');
    peer.disconnect();
    await enqueue();
    await clock.advance(0);

    expect(ended).toEqual(['a LINK', 'b LINK']);
    expect((await broker.counts(QUEUE)).ready.normal).toBe(1);
    expect(clock.pending).toBe(0);
  });

  it('asks for no time at all when blockMs is 0', async () => {
    expect(await fetch('a', { blockMs: 0 })).toEqual({ deliveries: [], woken: [] });
  });
});

describe('time', () => {
  it('expires a lease to the millisecond, on the clock of the store', async () => {
    await enqueue();
    await fetch('a');
    await clock.advance(LEASE_MS - 1);
    expect((await reclaim('b')).deliveries).toEqual([]);

    await clock.advance(1);
    expect((await reclaim('b')).deliveries).toMatchObject([{ delivery: 2, from: 'a' }]);
  });

  it('stepped forward expires leases; stepped back it keeps them, and ids still grow', async () => {
    await enqueue();
    const { deliveries } = await fetch('a');
    store.stepTime(-3_600_000);
    expect((await reclaim('b')).deliveries).toEqual([]);
    expect(await broker.listConsumers(QUEUE)).toEqual([{ name: 'a', idleMs: 0, pending: 1 }]);

    await enqueue();
    const [next] = (await fetch('a')).deliveries;
    expect(Number.parseInt(next!.entryId, 10)).toBe(Number.parseInt(deliveries[0]!.entryId, 10));

    store.stepTime(3_600_000 + LEASE_MS);
    expect((await reclaim('b')).deliveries).toHaveLength(2);
  });

  it('forgets a group of a channel after 15 minutes', async () => {
    const group = { queue: QUEUE, channel: 'x', sequence: 1, after: 0, maxReady: 0, tasks: [] };
    const send = () => broker.enqueue({ ...group, sequence: 2, after: 1, durability: 'accepted' });
    await broker.enqueue({ ...group, durability: 'accepted' });
    await clock.advance(15 * 60_000);
    expect((await send()).lostAfter).toBeUndefined();

    await clock.advance(15 * 60_000 + 1);
    expect((await send()).lostAfter).toBe(0);
  });

  it('is that of the store for a process whose own clock stands elsewhere or stands still', async () => {
    const own = new VirtualClock(77_000);
    const third = new MemoryBroker({ store, clock: own });
    expect(third.now()).toBe(store.now());

    await clock.advance(1_000);
    expect(third.now()).toBe(store.now() - 1_000);
    await third.counts(QUEUE);
    expect(third.now()).toBe(store.now());
    await own.advance(500);
    expect(third.now()).toBe(store.now() + 500);
  });

  it('begins in 2024 with a clock that is told to move, and now with that of the machine', () => {
    expect(store.now()).toBe(Date.UTC(2024, 0, 1));
    expect(new MemoryStore({ clock, startMs: 5 }).now()).toBe(5);
    expect(Math.abs(new MemoryBroker().now() - Date.now())).toBeLessThan(1_000);
    expect(new MemoryBroker({ clock }).store.clock).toBe(clock);
  });
});

describe('a link that is lost', () => {
  it('refuses every call, as retryable, and comes back as one that is told', async () => {
    const heard: unknown[] = [];
    const stop = broker.onReconnect((...args) => heard.push(args));
    await broker.ping();
    await clock.advance(1_000);
    broker.disconnect();
    await clock.advance(200);
    for (const call of [() => broker.ping(), () => enqueue(), () => fetch('a'), () => broker.counts(QUEUE)])
      await expect(call()).rejects.toMatchObject({ reason: 'UNAVAILABLE', retryable: true });
    await broker.interruptFetch();
    expect(await peer.ping()).toBe(0);

    broker.reconnect();
    broker.reconnect();
    expect(heard).toEqual(['commands', 'blocking', 'maintenance'].map((link) => [link, 1_200, 200]));
    await broker.ping();

    broker.disconnect();
    broker.reconnect(true);
    expect(heard.slice(3)).toEqual(
      ['commands', 'blocking', 'maintenance'].map((link) => [link, Number.POSITIVE_INFINITY, 0]),
    );
    stop();
    broker.disconnect();
    broker.reconnect();
    expect(heard).toHaveLength(6);
  });

  it('cannot come back once it is closed', async () => {
    await broker.close();
    broker.disconnect();
    broker.reconnect();

    await expect(broker.ping()).rejects.toMatchObject({ reason: 'CLOSED', retryable: false });
  });

  it('keeps leases as they are', async () => {
    await enqueue();
    const [delivery] = (await fetch('a')).deliveries;
    broker.disconnect();
    broker.reconnect();

    expect(await broker.extend(QUEUE, 'a', [delivery!])).toEqual([]);
  });
});

describe('lost data', () => {
  let losses: DataLoss[];
  beforeEach(() => {
    losses = [];
    broker.onDataLoss((loss) => losses.push(loss));
  });

  it('is found at the next reconnect: what was leased to this process and is gone', async () => {
    const before = store.snapshot();
    await enqueue({ lane: 'low' });
    await enqueue();
    const { deliveries } = await fetch('a');
    await clock.advance(500);
    store.restore(before);
    expect(losses).toEqual([]);

    broker.disconnect();
    broker.reconnect();
    const range = (of: 'normal' | 'low') => ({
      of,
      after: '0-0',
      upTo: deliveries.find(({ lane }) => lane === of)!.entryId,
    });
    const ranges = [range('normal'), range('low')];
    expect(losses).toEqual([{ queue: QUEUE, how: 'rolled-back', ranges, seenAgoMs: 500 }]);

    broker.disconnect();
    broker.reconnect();
    expect(losses).toHaveLength(1);
  });

  it('is found when other data has its place, also without a reconnect', async () => {
    await enqueue();
    await fetch('a');
    store.flush();
    expect(await broker.ensureQueue(QUEUE)).toBe(true);
    await clock.advance(0);

    expect(losses).toMatchObject([
      { queue: QUEUE, how: 'replaced', ranges: [{ of: 'normal', after: '0-0' }] },
    ]);
  });

  it('is found by a process that makes the groups anew while it fetches', async () => {
    store.flush();
    const want = { total: 1, high: 0, normal: 0, low: 0 };
    const request = { queue: QUEUE, consumer: 'a', outcomes: [], want, leaseMs: LEASE_MS };
    expect(await broker.settle(request)).toMatchObject({ recreated: true });
    await clock.advance(0);

    expect(losses).toMatchObject([{ how: 'replaced' }]);
  });

  it('is not what never was', async () => {
    broker.disconnect();
    broker.reconnect();
    await enqueue();
    await fetch('a');
    broker.disconnect();
    broker.reconnect();

    expect(losses).toEqual([]);
  });
});

describe('an era', () => {
  const eraOf = async (): Promise<number> => {
    await enqueue();
    return (await fetch('a')).deliveries.at(-1)!.era;
  };

  it('is greater when groups were made again, or the store went back, however often', async () => {
    const eras = [await eraOf()];
    const snapshot = store.snapshot();
    for (const befall of [
      () => store.dropGroup(QUEUE),
      () => store.restore(snapshot),
      () => store.restore(snapshot),
      () => store.dropGroup(QUEUE),
    ]) {
      befall();
      await peer.ensureQueue(QUEUE);
      eras.push(await eraOf());
    }

    expect(eras).toEqual([...new Set(eras)].toSorted((a, b) => a - b));
    expect(eras[0]).toBe(0);
  });

  it('is not the first to a producer that misses what was answered, though it never asked for an era', async () => {
    const producer = new MemoryBroker({ store });
    const group = { queue: QUEUE, channel: 'p', maxReady: 0, durability: 'accepted', tasks: [] } as const;
    await producer.enqueue({ ...group, sequence: 1, after: 0 });
    store.flush();
    await new MemoryBroker({ store }).ensureQueue(QUEUE);
    await producer.enqueue({ ...group, sequence: 2, after: 1 });
    await producer.ensureQueue(QUEUE);

    expect(await eraOf()).toBeGreaterThan(0);
  });

  it('is not the first where tasks are older than the name of the data', async () => {
    const nameless = new MemoryStore({ clock, random: () => 0.5 });
    const other = new MemoryBroker({ store: nameless });
    await enqueue({}, other);
    await other.ensureQueue(QUEUE);

    expect((await fetch('a', {}, other)).deliveries[0]!.era).toBeGreaterThan(0);
  });
});

describe('durability', () => {
  const send = (durability: Parameters<MemoryBroker['enqueue']>[0]['durability']) =>
    broker.enqueue({ queue: QUEUE, channel: 'y', sequence: 1, after: 0, maxReady: 0, tasks: [], durability });

  it('is reached at once, with as many replicas as the store has', async () => {
    for (const durability of ['accepted', 'durable'] as const)
      expect(await send(durability)).toMatchObject({ answers: [] });
    await expect(send({ replicated: 1 })).rejects.toThrow(/0 of 1 replicas/);

    store.replicas = 2;
    expect(await send({ replicated: 2 })).toMatchObject({ answers: [] });
    await expect(send({ replicated: 3 })).rejects.toThrow(/2 of 3 replicas/);
  });
});
