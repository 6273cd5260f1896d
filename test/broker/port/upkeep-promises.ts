import { beforeEach, describe, expect, it } from 'vitest';
import type { Broker } from '@taskq/core';
import { waitFor } from '@taskq/testing';
import { QUEUE } from '../support/keys.js';
import {
  complete,
  deadLetterOf,
  enqueue,
  lease,
  leaseOne,
  newTask,
  newTasks,
  promoteRequest,
  reclaimRequest,
  release,
  settle,
} from '../support/tasks.js';
import type { Port } from './port.js';

/** Many queues looked at together; only the middle one is ever used. */
const QUEUES = ['first', QUEUE, 'last'];

const HOUR_MS = 3_600_000;

export function upkeepPromises(port: () => Port): void {
  const makeQueues = async (): Promise<void> => {
    for (const queue of QUEUES) await port().broker.ensureQueue(queue);
  };

  describe('taking duties', () => {
    beforeEach(makeQueues);
    const take = (over: Partial<Parameters<Broker['takeDuties']>[0]> = {}) =>
      port().broker.takeDuties({ queues: QUEUES, consumer: 'w1', dutyMs: 10_000, ...over });

    it('takes none where nothing waits', async () => {
      await enqueue(port().broker, [newTask()]);

      expect(await take()).toEqual({ duties: [], waiting: false });
      expect(await take({ consumer: 'w2' })).toEqual({ duties: [], waiting: false });
    });

    it('says where tasks wait, and how long until the first of them is due', async () => {
      await enqueue(
        port().broker,
        [600_000, 60_000, 900_000].map((afterMs) => newTask({ due: { afterMs } })),
      );
      const { duties, waiting } = await take();

      expect(waiting).toBe(true);
      expect(duties.map(({ queue }) => queue)).toEqual([QUEUE]);
      expect(duties[0]!.nextInMs).toBeGreaterThan(50_000);
      expect(duties[0]!.nextInMs).toBeLessThanOrEqual(60_000);
    });

    it('says 0 when a task is due, and moves none', async () => {
      const { broker } = port();
      await enqueue(broker, newTasks(2, { due: { afterMs: 1 } }));

      await waitFor(async () => (await take()).duties[0]!.nextInMs === 0, { what: 'the task to be due' });

      expect(await broker.counts(QUEUE)).toMatchObject({ scheduled: 2, ready: { normal: 0 } });
    });

    it('takes none that another has, until that one stops calling', async () => {
      const { broker, peer } = port();
      await enqueue(broker, [newTask({ due: { afterMs: HOUR_MS } })]);
      await take({ dutyMs: 40 });
      const duty = { queues: QUEUES, consumer: 'w2', dutyMs: 40 };
      expect(await peer.takeDuties(duty)).toEqual({ duties: [], waiting: true });
      expect((await take({ dutyMs: 40 })).duties).toHaveLength(1);

      await waitFor(async () => (await peer.takeDuties(duty)).duties.length === 1, {
        what: 'the duty to be free',
      });
    });

    it('is the same duty as that of promoting', async () => {
      const { broker, peer } = port();
      await enqueue(broker, [newTask({ due: { afterMs: HOUR_MS } })]);
      await take();
      expect(await peer.promote(promoteRequest({ consumer: 'w2' }))).toMatchObject({ onDuty: false });
      await peer.promote(promoteRequest({ consumer: 'w2', takeOver: true }));

      expect(await take()).toEqual({ duties: [], waiting: true });
    });

    it('takes one that lasts longer than it ever could: a clock that was ahead gave it', async () => {
      await enqueue(port().broker, [newTask({ due: { afterMs: HOUR_MS } })]);
      await take({ dutyMs: 10_000 });

      expect((await take({ consumer: 'w2', dutyMs: 5_000 })).duties).toHaveLength(1);
    });
  });

  describe('asking where a sweep would find something', () => {
    beforeEach(makeQueues);
    const due = (over: Partial<Parameters<Broker['sweepsDue']>[0]> = {}) =>
      port().peer.sweepsDue({ queues: QUEUES, everyMs: 10_000, ...over });

    it('names no queue of which nobody holds anything, whatever is ready there', async () => {
      const { broker } = port();
      const delivery = await leaseOne(broker);
      await settle(broker, [complete(delivery)]);
      await enqueue(broker, newTasks(3));

      expect(await due()).toEqual({ queues: [], late: false });
    });

    it.each(['high', 'normal', 'low'] as const)(
      'names one where an entry of lane %s is held',
      async (lane) => {
        await leaseOne(port().broker, { lane });

        expect(await due()).toEqual({ queues: [QUEUE], late: false });
      },
    );

    it('names one where a task was handed back', async () => {
      const { broker } = port();
      await settle(broker, [release(await leaseOne(broker))]);

      expect(await due()).toEqual({ queues: [QUEUE], late: false });
    });

    it('names none in which a sweep has begun not long ago, but by a clock that was ahead', async () => {
      const { broker } = port();
      await leaseOne(broker);
      await broker.reclaim(reclaimRequest({ everyMs: 10_000 }));

      expect(await due()).toEqual({ queues: [], late: false });
      expect(await due({ everyMs: 5_000 })).toEqual({ queues: [QUEUE], late: false });
    });

    it('keeps nobody from sweeping', async () => {
      await leaseOne(port().broker);
      await due();

      expect(
        (await port().peer.reclaim(reclaimRequest({ leaseMs: 0, everyMs: 10_000 }))).deliveries,
      ).toHaveLength(1);
    });

    it('says that it is late, and then names none', async () => {
      const { broker, peer } = port();
      await leaseOne(broker);
      await peer.counts(QUEUE); // now it knows the clock

      expect(await due({ notAfter: peer.now() - 1_000 })).toEqual({ queues: [], late: true });
      expect(await due({ notAfter: peer.now() + 60_000 })).toEqual({ queues: [QUEUE], late: false });
    });
  });

  describe('asking where there is something to clean up', () => {
    beforeEach(makeQueues);
    const ask = (over: Partial<Parameters<Broker['cleaningDue']>[0]> = {}) =>
      port().broker.cleaningDue({
        queues: QUEUES,
        consumer: 'w1',
        consumerAgeMs: HOUR_MS,
        deadLetters: 100,
        deadLetterAgeMs: HOUR_MS,
        ...over,
      });

    it('names no queue where nobody is gone and nothing is dead', async () => {
      await leaseOne(port().broker);

      expect(await ask()).toEqual([]);
    });

    it('names one with a consumer that is silent and holds nothing, unless it asks itself', async () => {
      const { broker } = port();
      const delivery = await leaseOne(broker, {}, 'w2');
      expect(await ask({ consumerAgeMs: 0 })).toEqual([]);
      await settle(broker, [complete(delivery)], { consumer: 'w2' });

      expect(await ask()).toEqual([]);
      expect(await ask({ consumerAgeMs: 0 })).toEqual([QUEUE]);
      expect(await ask({ consumerAgeMs: 0, consumer: 'w2' })).toEqual([]);
    });

    it('takes a consumer for silent only when it is so on every lane', async () => {
      const { broker } = port();
      for (const lane of ['low', 'high'] as const) {
        const delivery = await leaseOne(broker, { lane }, 'w2');
        await settle(broker, [complete(delivery)], { consumer: 'w2' });
        await waitFor(async () => (await ask({ consumerAgeMs: 60 })).length === 1, { what: 'some silence' });
      }
      await lease(broker, 1, 'w2');
      await leaseOne(broker, { lane: 'high' }, 'w2');

      expect(await ask({ consumerAgeMs: 60 })).toEqual([]);
    });

    it('does not name one for what was handed back', async () => {
      const { broker } = port();
      await settle(broker, [release(await leaseOne(broker))]);

      expect(await ask({ consumerAgeMs: 0 })).toEqual([]);
    });

    it('names one with a consumer that holds nothing but the word of something', async () => {
      const { broker } = port();
      await enqueue(broker, [newTask({ due: { afterMs: HOUR_MS } })]);
      await broker.fetch({ consumer: 'w2', blockMs: 100, count: 1, queues: [QUEUE] });

      expect(await ask({ consumerAgeMs: 0 })).toEqual([QUEUE]);
    });

    it('names one with more dead letters than there may be, or older ones', async () => {
      const { broker } = port();
      await enqueue(broker, newTasks(3));
      const deliveries = await lease(broker, 3);
      await settle(
        broker,
        deliveries.map((delivery) => deadLetterOf(delivery)),
      );

      expect(await ask({ deadLetters: 3 })).toEqual([]);
      expect(await ask({ deadLetters: 2 })).toEqual([QUEUE]);
      expect(await ask({ deadLetterAgeMs: 60_000 })).toEqual([]);
      await waitFor(async () => (await ask({ deadLetterAgeMs: 30 })).length === 1, { what: 'their age' });
    });
  });
}
