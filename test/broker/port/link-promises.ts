import { describe, expect, it } from 'vitest';
import { BrokerError } from '@taskq/core';
import { QUEUE } from '../support/keys.js';
import { enqueue, lease, leaseOne, newTask } from '../support/tasks.js';
import type { Port } from './port.js';

export function linkPromises(port: () => Port): void {
  describe('the link', () => {
    it('answers a ping, and nothing once it is closed', async () => {
      const { broker, peer } = port();
      await broker.openForWork([QUEUE]);
      expect(await broker.ping()).toBeGreaterThanOrEqual(0);

      await broker.close();
      await broker.close();

      await expect(broker.ping()).rejects.toBeInstanceOf(BrokerError);
      await expect(broker.counts(QUEUE)).rejects.toBeInstanceOf(BrokerError);
      await expect(enqueue(broker, [newTask()])).rejects.toBeInstanceOf(BrokerError);
      expect((await peer.counts(QUEUE)).ready.normal).toBe(0);
    });

    it('rejects a fetch that waits when it is closed, and leases nothing to it any more', async () => {
      const { broker, peer } = port();
      const waiting = broker.fetch({ consumer: 'w1', blockMs: 15_000, count: 5, queues: [QUEUE] });
      const refused = waiting.catch((error: unknown) => error);

      await broker.close();

      expect(await refused).toBeInstanceOf(BrokerError);

      await enqueue(peer, [newTask()]);
      expect(await lease(peer, 5, 'w2')).toHaveLength(1);
    });

    it('tells the time of the broker, nearly', async () => {
      const { broker, peer } = port();
      await leaseOne(broker);
      await leaseOne(peer);

      expect(Math.abs(broker.now() - peer.now())).toBeLessThan(1_000);
    });
  });
}
