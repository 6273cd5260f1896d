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
  reclaimRequest,
  release,
  settle,
} from '../support/tasks.js';
import type { Port } from './port.js';

const SHORT_LEASE_MS = 30;

export function deliveryPromises(port: () => Port): void {
  const fetchRequest = { consumer: 'w1', blockMs: 100, count: 10, queues: [QUEUE] };

  /** Reclaims until something comes: the lease of whoever held it must run out first. */
  function reclaimed(over: Parameters<typeof reclaimRequest>[0] = {}): Promise<readonly Delivery[]> {
    return waitFor(
      async () => {
        const { deliveries } = await port().peer.reclaim(
          reclaimRequest({ leaseMs: SHORT_LEASE_MS, ...over }),
        );
        return deliveries.length > 0 ? deliveries : undefined;
      },
      { what: 'a lease to run out' },
    );
  }

  describe('ensureQueue', () => {
    it('says whether anything was missing, and changes nothing that exists', async () => {
      const { broker, peer } = port();
      await enqueue(broker, newTasks(2));

      expect(await peer.ensureQueue(QUEUE)).toBe(false);
      expect(await peer.ensureQueue('new')).toBe(true);
      expect(await lease(broker, 5)).toHaveLength(2);
    });
  });

  describe('fetch', () => {
    it('leases entries of all lanes, each to one consumer', async () => {
      const { broker, peer } = port();
      const tasks = ALL_LANES.flatMap((lane) => newTasks(4, { lane }));
      await enqueue(broker, tasks);

      const answers = await Promise.all([
        broker.fetch({ ...fetchRequest, count: 2 }),
        peer.fetch({ ...fetchRequest, count: 2, consumer: 'w2' }),
      ]);

      const deliveries = answers.flatMap((answer) => answer.deliveries);
      expect(deliveries.map(idOf).toSorted()).toEqual(tasks.map((task) => task.id).toSorted());
      for (const delivery of deliveries) expect(delivery).toMatchObject({ queue: QUEUE, delivery: 1 });
    });

    it('waits for an entry, and ends with nothing after blockMs or when interrupted', async () => {
      const { broker, peer } = port();
      expect(await broker.fetch({ ...fetchRequest, blockMs: 20 })).toEqual({ deliveries: [], woken: [] });
      const task = newTask();
      const waiting = broker.fetch({ ...fetchRequest, blockMs: 15_000 });
      await enqueue(peer, [task]);
      expect((await waiting).deliveries.map(idOf)).toEqual([task.id]);

      const start = performance.now();
      let ended = false;
      const idle = broker.fetch({ ...fetchRequest, blockMs: 15_000 }).finally(() => (ended = true));
      await waitFor(() => broker.interruptFetch().then(() => ended), { what: 'the interrupted fetch' });

      expect(await idle).toEqual({ deliveries: [], woken: [] });
      expect(performance.now() - start).toBeLessThan(5_000);
    });

    it('tells one waiting consumer that a task will be due sooner, and that tasks were handed back', async () => {
      const { broker, peer } = port();
      await enqueue(peer, [newTask({ due: { afterMs: 60_000 } })]);
      const first = await broker.fetch({ ...fetchRequest, blockMs: 15_000 });
      expect(first.woken).toMatchObject([{ queue: QUEUE, why: 'due' }]);

      const delivery = await leaseOne(peer, {}, 'w2');
      await settle(peer, [release(delivery)], { consumer: 'w2' });
      const second = await broker.fetch({ ...fetchRequest, blockMs: 15_000 });
      expect(second.woken).toMatchObject([{ queue: QUEUE, why: 'released' }]);
      const answer = await broker.reclaim(
        reclaimRequest({ consumer: 'w1', releasedOnly: true, wakeEntryId: second.woken[0]!.entryId }),
      );
      expect(answer.deliveries).toMatchObject([{ entryId: delivery.entryId, delivery: 1 }]);
    });
  });

  describe('extend', () => {
    it('keeps a lease, with its delivery count, from those who reclaim', async () => {
      const { broker, peer } = port();
      const kept = await leaseOne(broker);
      const left = await leaseOne(broker);
      const deliveries = await waitFor(
        async () => {
          expect(await broker.extend(QUEUE, 'w1', [leaseOf(kept)])).toEqual([]);
          const answer = await peer.reclaim(reclaimRequest({ leaseMs: SHORT_LEASE_MS }));
          return answer.deliveries.length > 0 ? answer.deliveries : undefined;
        },
        { what: 'the other lease to run out' },
      );

      expect(deliveries.map((delivery) => delivery.entryId)).toEqual([left.entryId]);
      expect((await settle(broker, [complete(kept)])).stale).toEqual([]);
    });

    it('names the leases that are another’s, and does not take them back', async () => {
      const { broker, peer } = port();
      const lost = await leaseOne(broker);
      const [delivery] = await reclaimed();

      expect(await broker.extend(QUEUE, 'w1', [leaseOf(lost)])).toEqual([leaseOf(lost)]);

      expect((await settle(peer, [complete(delivery!)], { consumer: 'w2' })).stale).toEqual([]);
    });
  });

  describe('reclaim', () => {
    it('gives a silent consumer’s task to another, counts it, and fences the first', async () => {
      const { broker, peer } = port();
      const old = await leaseOne(broker, { lane: 'low' });

      const [delivery] = await reclaimed();

      expect(delivery).toEqual({ ...old, delivery: 2, from: 'w1' });
      expect((await settle(broker, [complete(old)])).stale).toEqual([0]);
      expect((await settle(peer, [complete(delivery!)], { consumer: 'w2' })).stale).toEqual([]);
    });

    it('leaves what the consumer itself works on, and takes what it knows nothing of', async () => {
      const { broker } = port();
      await enqueue(broker, newTasks(2));
      const [known, ghost] = await lease(broker, 2);

      const deliveries = await reclaimed({ consumer: 'w1', held: [known!.entryId] });

      expect(deliveries.map((delivery) => delivery.entryId)).toEqual([ghost!.entryId]);
    });

    it('keeps to its limit, counts what it leaves, and takes one suspect at a time', async () => {
      const { broker, peer } = port();
      await enqueue(broker, newTasks(6));
      await lease(broker, 6);
      expect(await reclaimed({ limit: 4 })).toHaveLength(4);
      // Four have outlived two deliveries once w2 is silent, too: suspects.
      await reclaimed({ limit: 2, consumer: 'w3' });
      const answer = await waitFor(
        async () => {
          const found = await peer.reclaim(
            reclaimRequest({ leaseMs: SHORT_LEASE_MS, consumer: 'w4', suspects: false, limit: 0 }),
          );
          return found.left === 6 ? found : undefined;
        },
        { what: 'six leases to run out' },
      );
      expect(answer.deliveries).toEqual([]);

      const { deliveries } = await peer.reclaim(
        reclaimRequest({ leaseMs: SHORT_LEASE_MS, consumer: 'w4', suspects: true }),
      );

      expect(deliveries.filter((delivery) => delivery.delivery >= 3)).toHaveLength(1);
    });

    it('never takes a ready task', async () => {
      const { broker, peer } = port();
      await enqueue(broker, newTasks(3));

      expect(await peer.reclaim(reclaimRequest({ leaseMs: 0 }))).toMatchObject({ deliveries: [], left: 0 });
    });
  });

  describe('consumers', () => {
    it('are listed with what they hold, and removed only when that is nothing', async () => {
      const { broker } = port();
      const delivery = await leaseOne(broker);
      expect(await broker.listConsumers(QUEUE)).toMatchObject([{ name: 'w1', pending: 1 }]);
      expect(await broker.removeConsumer(QUEUE, 'w1')).toBe(false);

      await settle(broker, [complete(delivery)]);

      expect(await broker.removeConsumer(QUEUE, 'w1')).toBe(true);
      expect(await broker.listConsumers(QUEUE)).toEqual([]);
    });
  });
}
