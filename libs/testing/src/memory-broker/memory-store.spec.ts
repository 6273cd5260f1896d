import type { Delivery, NewTask, Settlement } from '@taskq/core';
import { beforeEach, describe, expect, it } from 'vitest';
import { VirtualClock } from '../virtual-clock.js';
import { MemoryBroker } from './memory-broker.js';
import { MemoryStore } from './memory-store.js';

const QUEUE = 'orders';

let clock: VirtualClock;
let store: MemoryStore;
let broker: MemoryBroker;

beforeEach(async () => {
  clock = new VirtualClock();
  store = new MemoryStore({ clock, random: () => 0.5 });
  broker = new MemoryBroker({ store });
  await broker.ensureQueue(QUEUE);
});

let sequence = 0;

function enqueue(id: string, over: Partial<NewTask> = {}) {
  sequence += 1;
  const task = { id, type: 'a', payload: '1', meta: '', lane: 'normal' as const, ...over };
  const group = { queue: QUEUE, channel: 'c', sequence, after: 0, maxReady: 0, tasks: [task] };
  return broker.enqueue({ ...group, durability: 'accepted' });
}

async function lease(count: number, outcomes: readonly Settlement[] = []): Promise<readonly Delivery[]> {
  const want = { total: count, high: 0, normal: 0, low: 0 };
  return (await broker.settle({ queue: QUEUE, consumer: 'w', outcomes, want, leaseMs: 30_000 })).deliveries;
}

/** One task in every state, and every kind of key. */
async function fill(): Promise<void> {
  await enqueue('dies', { lane: 'high' });
  await enqueue('freed', { lane: 'high' });
  await enqueue('runs', { lane: 'high' });
  await enqueue('waits', { due: { afterMs: 60_000 }, unique: { key: 'u', ttlMs: 500_000 } });
  await enqueue('ready', { lane: 'low', idempotency: { key: 'i', fingerprint: 'f', windowMs: 500_000 } });
  const [dies, freed] = await lease(3);
  const task = { type: 'a', payload: '1', attempt: 3, enqueuedAt: undefined, meta: '' };
  await lease(0, [
    {
      ...{ kind: 'dead-letter', lease: dies!, id: 'dies', task, reason: 'handler', detail: 'said so' },
      replayMeta: '{"replays":1}',
    },
    { kind: 'release', lease: freed!, started: true },
  ]);
  await broker.promote({ queue: QUEUE, consumer: 'w', takeOver: false, dutyMs: 1_000 });
  await broker.reclaim({
    ...{ queue: QUEUE, consumer: 'w', leaseMs: 90_000, limit: 0, suspects: true, releasedOnly: false },
    ...{ everyMs: 500 },
  });
}

describe('inspect', () => {
  it('tells everything as plain data that nothing changes', async () => {
    const t = store.now();
    await fill();
    const view = store.inspect();
    const json = JSON.stringify(view);
    await lease(5);

    expect(JSON.stringify(view)).toBe(json);
    expect(view.now).toBe(t);
    expect(Object.keys(view.queues)).toEqual([QUEUE]);
    expect(view.queues[QUEUE]).toMatchObject({
      lanes: {
        high: {
          lastId: `${t}-2`,
          lastDelivered: `${t}-2`,
          entries: [{ entryId: `${t}-1` }, { entryId: `${t}-2` }],
          pending: [
            { entryId: `${t}-1`, consumer: 'released', idleMs: 60_000, deliveries: 1000 },
            { entryId: `${t}-2`, consumer: 'w', idleMs: 0, deliveries: 1 },
          ],
        },
        normal: { lastId: '0-0', lastDelivered: '0-0', entries: [], pending: [] },
        low: { entries: [{ entryId: `${t}-0`, fields: ['id', 'ready', ...anyFields(6)] }], pending: [] },
      },
      wake: [
        { entryId: `${t}-0`, why: 'due' },
        { entryId: `${t}-1`, why: 'released' },
      ],
      scheduled: [{ id: 'waits', dueAt: t + 60_000, lane: 'normal', attempt: 1, enqueuedAt: t }],
      dead: [{ entryId: `${t}-0`, id: 'dies', lane: 'high', reason: 'handler', replayMeta: '{"replays":1}' }],
      index: { dies: `d${t}-0`, freed: `h${t}-1`, runs: `h${t}-2`, waits: 's', ready: `l${t}-0` },
      dedupe: {
        u: { id: 'waits', fingerprint: undefined, until: t + 560_000 },
        i: { id: 'ready', fingerprint: 'f', until: t + 500_000 },
      },
      channels: { c: { sequence, reply: { answers: [{ status: 'accepted' }] }, until: t + 900_000 } },
      control: { promoter: 'w', promoterUntil: t + 1_000, nextSweepAt: t + 500, era: 0 },
      consumers: [{ name: 'w', idleMs: 0, pending: 1 }],
    });
  });

  it('tells nothing of a store that was never asked', () => {
    expect(new MemoryStore({ clock }).inspect().queues).toEqual({});
  });
});

describe('snapshot and restore', () => {
  it('go back to all that was, any number of times', async () => {
    await fill();
    const snapshot = store.snapshot();
    const before = store.inspect().queues;
    for (const round of [1, 2]) {
      await enqueue(`more ${round}`);
      await lease(5);
      await clock.advance(120_000);
      await broker.promote({ queue: QUEUE, consumer: 'x', takeOver: true, dutyMs: 1_000 });
      await broker.replay(QUEUE, await broker.listDeadLetters(QUEUE, '', 5));
      store.restore(snapshot);

      const after = store.inspect().queues;
      expect(timeless(after)).toEqual(timeless(before));
    }
  });

  it('let nobody notice what became of the original', async () => {
    await fill();
    const before = store.inspect().queues;
    const other = new MemoryStore({ clock });
    other.restore(store.snapshot());
    await lease(5);
    await enqueue('more');

    expect(timeless(other.inspect().queues)).toEqual(timeless(before));
  });

  it('reject who waits, since the server that held the link is no more', async () => {
    const waiting = broker.fetch({ consumer: 'w', blockMs: 1_000, count: 1, queues: [QUEUE] });
    store.restore(store.snapshot());

    await expect(waiting).rejects.toMatchObject({ reason: 'LINK', retryable: true });
    expect(clock.pending).toBe(0);
  });

  it('give no entry the id of one that is gone', async () => {
    const snapshot = store.snapshot();
    await enqueue('lost');
    const [lost] = await lease(1);
    store.restore(snapshot);
    await enqueue('new');
    const [next] = await lease(1);
    store.flush();
    await enqueue('newer');
    const [last] = await lease(1);

    expect(new Set([lost!.entryId, next!.entryId, last!.entryId]).size).toBe(3);
  });
});

describe('faults', () => {
  it('flush loses everything of every queue', async () => {
    await fill();
    await broker.ensureQueue('other');
    store.flush();

    expect(store.inspect().queues).toEqual({});
    expect((await broker.counts(QUEUE)).dead).toBe(0);
  });

  it('dropGroup loses the leases of one queue, and keeps the entries', async () => {
    await fill();
    store.dropGroup(QUEUE);
    expect(await broker.counts(QUEUE)).toMatchObject({ ready: { high: 2, low: 1 }, active: 0, consumers: 0 });

    const deliveries = await lease(9);
    expect(deliveries.map(({ delivery, fields }) => [fields[1], delivery])).toEqual([
      ['freed', 1],
      ['runs', 1],
      ['ready', 1],
    ]);
  });

  it('addEntry adds what another language wrote, and who waits is given it', async () => {
    const waiting = broker.fetch({ consumer: 'w', blockMs: 1_000, count: 5, queues: [QUEUE] });
    const entryId = store.addEntry(QUEUE, 'low', { type: 'a', payload: '{}' });

    expect((await waiting).deliveries).toEqual([
      {
        ...{ queue: QUEUE, lane: 'low', entryId, delivery: 1, era: 0 },
        fields: ['type', 'a', 'payload', '{}'],
      },
    ]);
    expect((await broker.counts(QUEUE)).oldestReadyMs).toBeUndefined();
  });
});

function anyFields(count: number): readonly unknown[] {
  return Array.from({ length: count }, () => expect.any(String));
}

/** Without what time alone changes, and without the era, which grows with every restore. */
function timeless(queues: unknown): unknown {
  return JSON.parse(
    JSON.stringify(queues, (key, value: unknown) => (['idleMs', 'era'].includes(key) ? undefined : value)),
  );
}
