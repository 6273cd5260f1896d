import { describe, expect, it } from 'vitest';
import { QUEUE } from '../support/keys.js';
import {
  complete,
  type Delivery,
  enqueue,
  idOf,
  lease,
  leaseOf,
  leaseOne,
  newTasks,
  reclaimRequest,
  release,
  settle,
} from '../support/tasks.js';
import type { Port } from './port.js';

export function releasePromises(port: () => Port): void {
  async function take(consumer: string): Promise<Delivery> {
    const { deliveries } = await port().peer.reclaim(reclaimRequest({ consumer, releasedOnly: true }));
    return deliveries[0]!;
  }

  describe('a task that was handed back', () => {
    it('goes to anyone at once; whether it was started or not', async () => {
      const { broker, peer } = port();
      await enqueue(broker, newTasks(2));
      const [started, untouched] = await lease(broker, 2);
      await settle(broker, [release(started!, true), release(untouched!, false)]);

      const { deliveries } = await peer.reclaim(reclaimRequest({ releasedOnly: true }));

      expect(deliveries.map((each) => [each.entryId, each.delivery, each.from])).toEqual([
        [started!.entryId, 1001, 'released'],
        [untouched!.entryId, 1001, 'released'],
      ]);
      expect(deliveries[0]!.fields).toEqual(started!.fields);
    });

    it('never returns to a count that was given out', async () => {
      const { broker } = port();
      let delivery = await leaseOne(broker);
      const seen = [delivery.delivery];
      for (const started of [true, true, false, true]) {
        await settle(broker, [release(delivery, started)], { consumer: `w${seen.length}` });
        delivery = await take(`w${seen.length + 1}`);
        seen.push(delivery.delivery);
      }

      expect(seen).toEqual([1, 1001, 2001, 3001, 4001]);
    });

    it('begins to count deaths anew when it was started, and goes on when it was not', async () => {
      const { broker, peer } = port();
      await leaseOne(broker);
      const grab = (consumer: string) => peer.reclaim(reclaimRequest({ consumer, leaseMs: 0 }));
      await grab('w2');
      const [third] = (await grab('w3')).deliveries;
      expect(third!.delivery).toBe(3);

      await settle(peer, [release(third!, false)], { consumer: 'w3' });
      const again = await take('w4');
      expect(again.delivery).toBe(1003);
      await settle(peer, [release(again, true)], { consumer: 'w4' });
      const young = await peer.reclaim(reclaimRequest({ consumer: 'w5', suspects: false }));
      expect(young.deliveries.map((each) => each.delivery)).toEqual([2001]);
    });

    it('is ready and nobody’s; who had it can no more settle nor renew it', async () => {
      const { broker } = port();
      const delivery = await leaseOne(broker);
      await settle(broker, [release(delivery, true)]);

      expect(await broker.find(QUEUE, idOf(delivery))).toMatchObject({ state: 'ready', lane: 'normal' });
      expect(await broker.counts(QUEUE)).toMatchObject({ ready: { normal: 1 }, active: 0 });
      expect((await settle(broker, [complete(delivery)])).stale).toEqual([0]);
      expect(await broker.extend(QUEUE, 'w1', [leaseOf(delivery)])).toEqual([leaseOf(delivery)]);
      expect((await broker.listConsumers(QUEUE)).map(({ name }) => name)).toEqual(['w1']);
      expect(await broker.removeConsumer(QUEUE, 'w1')).toBe(true);
    });

    it('is found by an ordinary sweep, too, as if its lease had expired', async () => {
      const { broker, peer } = port();
      const [released] = [await leaseOne(broker), await leaseOne(broker)];
      await settle(broker, [release(released)]);

      const { deliveries } = await peer.reclaim(reclaimRequest());

      expect(deliveries).toMatchObject([{ entryId: released.entryId, from: 'released' }]);
    });
  });
}
