import { describe, expect, it } from 'vitest';
import { waitFor } from '@taskq/testing';
import { QUEUE } from '../support/keys.js';
import {
  ALL_LANES,
  complete,
  type Delivery,
  enqueue,
  idOf,
  lease,
  leaseOf,
  leaseOne,
  newTask,
  newTasks,
  NOTHING_TAKEN,
  type ReclaimRequest,
  reclaimRequest,
  release,
  settle,
} from '../support/tasks.js';
import type { Port } from './port.js';

const HOUR_MS = 3_600_000;

export function reclaimPromises(port: () => Port): void {
  const reclaim = (over: Partial<ReclaimRequest> = {}) =>
    port().peer.reclaim(reclaimRequest({ leaseMs: 0, ...over }));
  const entriesOf = (deliveries: readonly Delivery[]) => deliveries.map((delivery) => delivery.entryId);
  const leaseMany = async (count: number, consumer = 'w1'): Promise<readonly Delivery[]> => {
    await enqueue(port().broker, newTasks(count));
    return lease(port().broker, count, consumer);
  };

  describe('reclaim', () => {
    it('gives a silent consumer’s task to another, counts it, and fences the first', async () => {
      const { broker, peer } = port();
      const old = await leaseOne(broker, { lane: 'low' });
      expect((await reclaim({ leaseMs: HOUR_MS })).deliveries).toEqual([]);

      const [delivery] = await waitFor(
        async () => {
          const { deliveries } = await reclaim({ leaseMs: 30 });
          return deliveries.length > 0 ? deliveries : undefined;
        },
        { what: 'the lease to run out' },
      );

      expect(delivery).toEqual({ ...old, delivery: 2, from: 'w1' });
      expect((await settle(broker, [complete(old)])).stale).toEqual([0]);
      expect(await broker.find(QUEUE, idOf(old))).toMatchObject({
        state: 'active',
        consumer: 'w2',
        delivery: 2,
      });
      expect((await settle(peer, [complete(delivery!)], { consumer: 'w2' })).stale).toEqual([]);
    });

    it('never takes a ready task', async () => {
      await enqueue(port().broker, newTasks(3));

      expect(await reclaim()).toEqual(NOTHING_TAKEN);
    });

    it('leaves what the consumer itself holds, says so, and takes of it what is named', async () => {
      const [known, ghost] = await leaseMany(2);
      const refs = [known!, ghost!].map(({ lane, entryId }) => ({ lane, entryId }));

      expect(await reclaim({ consumer: 'w1' })).toMatchObject({ deliveries: [], left: 0, own: refs });
      const named = await reclaim({ consumer: 'w1', strays: [leaseOf(ghost!)] });
      expect(named).toEqual({
        ...NOTHING_TAKEN,
        deliveries: [{ ...ghost, delivery: 2, from: 'w1' }],
      });
      expect(entriesOf((await reclaim({ consumer: 'w2' })).deliveries)).toEqual([
        known!.entryId,
        ghost!.entryId,
      ]);
    });

    it('takes nothing by name that another holds, that is not silent, or that is elsewhere', async () => {
      const { broker } = port();
      const [delivery] = await leaseMany(1);
      const strays = [leaseOf(delivery!)];
      const elsewhere = (['high', 'low'] as const).map((lane) => ({ ...leaseOf(delivery!), lane }));

      expect(await reclaim({ consumer: 'w2', strays })).toEqual(NOTHING_TAKEN);
      expect(await reclaim({ consumer: 'w1', strays: elsewhere })).toEqual(NOTHING_TAKEN);
      expect(await reclaim({ consumer: 'w1', strays, leaseMs: HOUR_MS })).toEqual(NOTHING_TAKEN);
      expect((await settle(broker, [complete(delivery!)])).stale).toEqual([]);
    });

    it('counts what is named and finds no room', async () => {
      const leased = await leaseMany(3);

      const answer = await reclaim({ consumer: 'w1', strays: leased.map(leaseOf), limit: 1 });

      expect(answer).toMatchObject({ deliveries: { length: 1 }, left: 2, cursor: undefined });
    });

    it('takes nothing when it comes late, but for what was handed back', async () => {
      const { broker, peer } = port();
      const [silent, back] = await leaseMany(2);
      await settle(broker, [release(back!)]);
      await peer.counts(QUEUE); // hears what time it is
      const notAfter = peer.now(QUEUE) - HOUR_MS;

      expect(await reclaim({ notAfter })).toEqual({ ...NOTHING_TAKEN, late: true });
      expect(await reclaim({ notAfter, consumer: 'w1', strays: [leaseOf(silent!)] })).toEqual({
        ...NOTHING_TAKEN,
        late: true,
      });
      const released = await reclaim({ notAfter, releasedOnly: true });
      expect(released.late).toBe(true);
      expect(entriesOf(released.deliveries)).toEqual([back!.entryId]);
      const inTime = await reclaim({ notAfter: peer.now(QUEUE) + HOUR_MS });
      expect([inTime.late, ...entriesOf(inTime.deliveries)]).toEqual([false, silent!.entryId]);
    });

    it('takes from all lanes, most urgent first, oldest first', async () => {
      const { broker } = port();
      await enqueue(
        broker,
        ALL_LANES.flatMap((lane) => newTasks(2, { lane })),
      );
      const leased = await lease(broker, 6);

      const { deliveries } = await reclaim();

      expect(deliveries).toEqual(leased.map((each) => ({ ...each, delivery: 2, from: 'w1' })));
    });

    it('answers nothing of a queue that was never made', async () => {
      for (const releasedOnly of [false, true]) {
        expect(await reclaim({ queue: 'nowhere', releasedOnly })).toEqual(NOTHING_TAKEN);
      }
    });
  });

  describe('reclaim keeps to its limit', () => {
    it('and counts what it leaves, which others are told of', async () => {
      const { broker } = port();
      const leased = await leaseMany(6);

      const some = await reclaim({ limit: 4 });

      expect(entriesOf(some.deliveries)).toEqual(entriesOf(leased.slice(0, 4)));
      expect(some).toMatchObject({ cursor: { lane: 'normal', consumer: 'w1' }, left: 2 });
      const { woken } = await broker.fetch({ consumer: 'w3', blockMs: 100, count: 9, queues: [QUEUE] });
      expect(woken).toMatchObject([{ why: 'released' }]);
      expect(await reclaim({ limit: 0, leaseMs: HOUR_MS })).toMatchObject({ deliveries: [], left: 0 });
      expect(await reclaim({ consumer: 'w3', limit: 0 })).toMatchObject({ deliveries: [], left: 6 });
    });

    it('and looks at a page, from where on it goes on', async () => {
      const leased = await leaseMany(230);
      const seen: string[] = [];
      const pages: number[] = [];
      let cursor: ReclaimRequest['cursor'];
      do {
        const answer = await reclaim({ limit: 1_000, everyMs: HOUR_MS, ...(cursor && { cursor }) });
        seen.push(...entriesOf(answer.deliveries));
        pages.push(answer.deliveries.length);
        ({ cursor } = answer);
      } while (cursor);

      // What it has taken seems silent at once with a lease of 0, and counts.
      expect(pages.filter((count) => count > 0)).toEqual([100, 100, 30]);
      expect(seen).toEqual(entriesOf(leased));
    });

    it('and goes over lanes within a page', async () => {
      const { broker } = port();
      await enqueue(broker, [...newTasks(60, { lane: 'high' }), ...newTasks(60, { lane: 'low' })]);
      await lease(broker, 120);

      const first = await reclaim();
      expect(first).toMatchObject({ left: 0, cursor: { lane: 'low', consumer: 'w1' } });
      expect(first.deliveries.map((each) => each.lane)).toEqual([
        ...Array.from({ length: 60 }, () => 'high'),
        ...Array.from({ length: 40 }, () => 'low'),
      ]);
      const rest = await reclaim({ cursor: first.cursor! });
      expect(rest.deliveries.map((each) => each.lane)).toEqual(Array.from({ length: 20 }, () => 'low'));
      expect(rest.cursor).toBeUndefined();
    });

    it('and goes on in the next lane from its start', async () => {
      const { broker } = port();
      const [older] = await leaseMany(1);
      const last = await leaseOne(broker, { lane: 'high' });

      const cursor = { lane: 'high', consumer: 'w1', after: last.entryId } as const;
      const { deliveries } = await reclaim({ cursor });

      expect(entriesOf(deliveries)).toEqual([older!.entryId]);
    });

    it('and goes from consumer to consumer by name, in each lane', async () => {
      const { broker } = port();
      const give = async (consumer: string, lane: 'high' | 'low') => leaseOne(broker, { lane }, consumer);
      const [d, b, c, a] = [
        await give('d', 'high'),
        await give('b', 'high'),
        await give('c', 'low'),
        await give('a', 'low'),
      ];

      const cursor = { lane: 'high', consumer: 'c', after: '' } as const;
      const rest = await reclaim({ cursor, consumer: 'w9' });
      const others = await reclaim({ consumer: 'w8', limit: 1 });

      expect(entriesOf(rest.deliveries)).toEqual([d, a, c].map((each) => each.entryId));
      expect(entriesOf(others.deliveries)).toEqual([b.entryId]);
    });
  });

  describe('reclaim of suspects', () => {
    /** Two consumers have fallen silent with them. */
    async function suspects(count: number): Promise<void> {
      await leaseMany(count);
      await reclaim({ consumer: 'w2' });
    }

    it('takes one at a time, and none while it must not; that is not for want of room', async () => {
      await suspects(3);

      expect(await reclaim({ consumer: 'w3', suspects: false })).toMatchObject({ deliveries: [], left: 0 });
      const one = await reclaim({ consumer: 'w3' });

      expect(one.deliveries.map((each) => each.delivery)).toEqual([3]);
      expect(one.left).toBe(0);
      expect(await reclaim({ consumer: 'w4', limit: 0 })).toMatchObject({ deliveries: [], left: 3 });
    });

    it('does not hold up others, and lets the next sweep begin at once', async () => {
      await suspects(2);
      const [young] = await leaseMany(1);
      const sweep = () => reclaim({ consumer: 'w3', suspects: false, everyMs: HOUR_MS });

      expect(entriesOf((await sweep()).deliveries)).toEqual([young!.entryId]);

      expect((await reclaim({ consumer: 'w4' })).deliveries).not.toEqual([]);
    });
  });

  describe('a sweep', () => {
    it('does not begin, for anybody, before the time that the last one set', async () => {
      await reclaim({ everyMs: HOUR_MS });
      const [first] = await leaseMany(1);

      expect((await reclaim({ consumer: 'w3', everyMs: HOUR_MS })).deliveries).toEqual([]);
      // What goes on, or is about tasks handed back, is no new sweep.
      await settle(port().broker, [release(first!)]);
      expect((await reclaim({ releasedOnly: true })).deliveries).toHaveLength(1);
      const [second] = await leaseMany(1);
      const onward = await reclaim({ cursor: { lane: 'normal', consumer: 'w1', after: first!.entryId } });
      expect(entriesOf(onward.deliveries)).toEqual([second!.entryId]);
    });

    it('begins at once after one that left something', async () => {
      await leaseMany(3);
      expect(await reclaim({ everyMs: HOUR_MS, limit: 1 })).toMatchObject({ left: 2 });

      expect((await reclaim({ consumer: 'w3', everyMs: HOUR_MS })).deliveries).toHaveLength(3);
      expect((await reclaim({ consumer: 'w4', everyMs: HOUR_MS })).deliveries).toEqual([]);
    });

    it('begins when the last one was put off for longer than it ever may be', async () => {
      await reclaim({ everyMs: 2 * HOUR_MS });
      await leaseMany(1);

      expect((await reclaim({ everyMs: HOUR_MS })).deliveries).toHaveLength(1);
    });

    it('begins again when its time has come', async () => {
      await reclaim({ everyMs: 30 });
      await leaseMany(1);

      const deliveries = await waitFor(
        async () => {
          const answer = await reclaim({ everyMs: 30 });
          return answer.deliveries.length > 0 ? answer.deliveries : undefined;
        },
        { what: 'the next sweep' },
      );

      expect(deliveries).toHaveLength(1);
    });
  });

  describe('reclaim of what was handed back', () => {
    it('looks at nothing else', async () => {
      const { broker } = port();
      const [back] = await leaseMany(3);
      await settle(broker, [release(back!)]);

      expect(entriesOf((await reclaim({ releasedOnly: true })).deliveries)).toEqual([back!.entryId]);
    });

    it('keeps to its limit and to a page, and says that there is more', async () => {
      const { broker } = port();
      const leased = await leaseMany(120);
      await settle(
        broker,
        leased.map((each) => release(each)),
      );

      const few = await reclaim({ releasedOnly: true, limit: 10 });
      expect(few.deliveries).toHaveLength(10);
      expect(few.left).toBeGreaterThan(0);
      expect(few.cursor).toBeUndefined();
      const page = await reclaim({ releasedOnly: true, limit: 1_000 });
      expect(page.deliveries).toHaveLength(100);
      expect(page.left).toBeGreaterThan(0);
      const rest = await reclaim({ releasedOnly: true, limit: 1_000 });
      expect(rest).toMatchObject({ left: 0, deliveries: { length: 10 } });
    });

    it('takes one suspect at a time, too', async () => {
      const { broker, peer } = port();
      await enqueue(broker, [newTask(), newTask()]);
      await lease(broker, 2);
      await reclaim({ consumer: 'w2' });
      const third = [
        ...(await reclaim({ consumer: 'w3' })).deliveries,
        ...(await reclaim({ consumer: 'w3' })).deliveries,
      ].filter((each, i, all) => all.findLastIndex((other) => other.entryId === each.entryId) === i);
      await settle(
        peer,
        third.map((each) => release(each)),
        { consumer: 'w3' },
      );

      const answer = await reclaim({ consumer: 'w4', releasedOnly: true, leaseMs: 0 });

      expect(answer.deliveries).toHaveLength(1);
    });
  });
}
