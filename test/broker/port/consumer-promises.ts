import { describe, expect, it } from 'vitest';
import { QUEUE } from '../support/keys.js';
import {
  complete,
  enqueue,
  lease,
  leaseOf,
  leaseOne,
  newTask,
  promoteRequest,
  reclaimRequest,
  settle,
} from '../support/tasks.js';
import type { Port } from './port.js';

export function consumerPromises(port: () => Port): void {
  describe('consumers', () => {
    it('are listed with what they hold, over all lanes', async () => {
      const { broker, peer } = port();
      await enqueue(broker, [newTask(), newTask({ lane: 'low' }), newTask({ lane: 'high' })]);
      await lease(broker, 2);
      await lease(peer, 1, 'w2');

      const consumers = await broker.listConsumers(QUEUE);

      expect(consumers.toSorted((a, b) => a.name.localeCompare(b.name))).toMatchObject([
        { name: 'w1', pending: 2 },
        { name: 'w2', pending: 1 },
      ]);
      for (const { idleMs } of consumers) {
        expect(idleMs).toBeGreaterThanOrEqual(0);
        expect(idleMs).toBeLessThan(10_000);
      }
      expect((await broker.counts(QUEUE)).consumers).toBe(2);
      expect(await broker.listConsumers('nowhere')).toEqual([]);
    });

    it('are removed only when they hold nothing', async () => {
      const { broker } = port();
      const delivery = await leaseOne(broker, { lane: 'low' });
      expect(await broker.removeConsumer(QUEUE, 'w1')).toBe(false);
      expect((await settle(broker, [complete(delivery)])).stale).toEqual([]);

      expect(await broker.removeConsumer(QUEUE, 'w1')).toBe(true);

      expect(await broker.listConsumers(QUEUE)).toEqual([]);
      expect(await broker.removeConsumer(QUEUE, 'w1')).toBe(true);
      expect(await broker.removeConsumer('nowhere', 'w1')).toBe(true);
    });

    it('may go though they were told of something, and come back', async () => {
      const { broker } = port();
      await enqueue(broker, [newTask({ due: { afterMs: 60_000 } })]);
      const fetch = { consumer: 'w1', blockMs: 100, count: 9, queues: [QUEUE] };
      expect((await broker.fetch(fetch)).woken).toHaveLength(1);
      expect(await broker.listConsumers(QUEUE)).toMatchObject([{ name: 'w1', pending: 0 }]);

      expect(await broker.removeConsumer(QUEUE, 'w1')).toBe(true);
      expect(await broker.listConsumers(QUEUE)).toEqual([]);

      expect(await leaseOne(broker)).toMatchObject({ delivery: 1 });
      expect(await broker.listConsumers(QUEUE)).toMatchObject([{ name: 'w1', pending: 1 }]);
    });

    it('give up the duty of promoting when they are to be removed', async () => {
      const { broker, peer } = port();
      await broker.promote(promoteRequest());
      await leaseOne(broker);
      const duty = () => peer.promote(promoteRequest({ consumer: 'w2' }));
      expect(await duty()).toMatchObject({ onDuty: false });

      expect(await broker.removeConsumer(QUEUE, 'w1')).toBe(false);

      expect(await duty()).toMatchObject({ onDuty: true });
    });

    it('whose task was taken over hold nothing', async () => {
      const { broker, peer } = port();
      const delivery = await leaseOne(broker);
      await peer.reclaim(reclaimRequest({ leaseMs: 0 }));

      expect(await broker.removeConsumer(QUEUE, 'w1')).toBe(true);

      expect(await broker.extend(QUEUE, 'w1', [leaseOf(delivery)])).toHaveLength(1);
      expect(await broker.listConsumers(QUEUE)).toMatchObject([{ name: 'w2', pending: 1 }]);
    });
  });
}
