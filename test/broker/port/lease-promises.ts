import { describe, expect, it } from 'vitest';
import { waitFor } from '@taskq/testing';
import { QUEUE } from '../support/keys.js';
import {
  ALL_LANES,
  complete,
  enqueue,
  idOf,
  lease,
  leaseOf,
  leaseOne,
  newTasks,
  reclaimRequest,
  settle,
} from '../support/tasks.js';
import type { Port } from './port.js';

const SHORT_LEASE_MS = 30;

export function leasePromises(port: () => Port): void {
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
      expect(await broker.find(QUEUE, idOf(kept))).toMatchObject({ state: 'active', delivery: 1 });
      expect((await settle(broker, [complete(kept)])).stale).toEqual([]);
    });

    it('names the leases that are another’s, and does not take them back', async () => {
      const { broker, peer } = port();
      const lost = await leaseOne(broker);
      const [delivery] = (await peer.reclaim(reclaimRequest({ leaseMs: 0 }))).deliveries;

      expect(await broker.extend(QUEUE, 'w1', [leaseOf(lost)])).toEqual([leaseOf(lost)]);

      expect((await settle(peer, [complete(delivery!)], { consumer: 'w2' })).stale).toEqual([]);
    });

    it('renews only by the very delivery, and names what is gone; in order', async () => {
      const { broker } = port();
      await enqueue(
        broker,
        ALL_LANES.flatMap((lane) => newTasks(2, { lane })),
      );
      const leased = await lease(broker, 6);
      const [gone, kept, older, ready, mine, other] = leased.map(leaseOf);
      await settle(broker, [complete(leased[0]!)]);
      const named = [
        gone!,
        kept!,
        { ...older!, delivery: 2 },
        { ...ready!, entryId: '1-1' },
        mine!,
        { ...other!, lane: 'high' as const, entryId: '2-2' },
      ];

      expect(await broker.extend(QUEUE, 'w1', named)).toEqual([named[0], named[2], named[3], named[5]]);
      expect(await broker.extend(QUEUE, 'w1', [])).toEqual([]);
      expect(await broker.extend('nowhere', 'w1', [kept!])).toEqual([kept]);
    });

    it('takes any number of leases', async () => {
      const { broker } = port();
      await enqueue(broker, newTasks(250));
      const leases = (await lease(broker, 250)).map(leaseOf);
      const wrong = leases.map((each, i) => (i % 50 === 0 ? { ...each, delivery: 9 } : each));

      expect(await broker.extend(QUEUE, 'w1', leases)).toEqual([]);
      expect(await broker.extend(QUEUE, 'w1', wrong)).toEqual(wrong.filter((each) => each.delivery === 9));
    });
  });
}
