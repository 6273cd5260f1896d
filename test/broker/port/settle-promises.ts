import { describe, expect, it } from 'vitest';
import { waitFor } from '@taskq/testing';
import { QUEUE } from '../support/keys.js';
import {
  complete,
  deadLetterOf,
  enqueue,
  field,
  idOf,
  lease,
  leaseOne,
  newTask,
  newTasks,
  promoteRequest,
  reclaimRequest,
  release,
  retry,
  settle,
} from '../support/tasks.js';
import type { Port } from './port.js';

export function settlePromises(port: () => Port): void {
  describe('settle', () => {
    it('applies every kind of outcome, and counts agree', async () => {
      const { broker } = port();
      await enqueue(broker, newTasks(6));
      const [a, b, c, d] = await lease(broker, 5);

      const answer = await settle(broker, [complete(a!), retry(b!), deadLetterOf(c!), release(d!)]);

      expect(answer).toEqual({ stale: [], deliveries: [], recreated: false });
      expect(await broker.counts(QUEUE)).toMatchObject({
        ready: { high: 0, normal: 2, low: 0 },
        active: 1,
        scheduled: 1,
        dead: 1,
        consumers: 1,
      });
      const states = await Promise.all([a, b, c, d].map((each) => broker.find(QUEUE, idOf(each!))));
      expect(states.map((place) => place?.state)).toEqual([undefined, 'scheduled', 'dead', 'ready']);
    });

    it.each([
      ['complete', complete],
      ['retry', retry],
      ['dead letter', deadLetterOf],
      ['release', release],
    ] as const)(
      'refuses a %s of another owner, of another delivery and of a gone task',
      async (_, outcome) => {
        const { broker } = port();
        const delivery = await leaseOne(broker);

        expect((await settle(broker, [outcome(delivery)], { consumer: 'w2' })).stale).toEqual([0]);
        expect((await settle(broker, [outcome({ ...delivery, delivery: 2 })])).stale).toEqual([0]);
        expect(await broker.find(QUEUE, idOf(delivery))).toMatchObject({ state: 'active', consumer: 'w1' });

        expect((await settle(broker, [complete(delivery)])).stale).toEqual([]);
        expect((await settle(broker, [outcome(delivery)])).stale).toEqual([0]);
        expect(await broker.counts(QUEUE)).toMatchObject({ active: 0, scheduled: 0, dead: 0 });
      },
    );

    it('applies what is valid of a mixed group and names the rest by position', async () => {
      const { broker } = port();
      await enqueue(broker, newTasks(4));
      const [a, b, c, d] = await lease(broker, 4);

      const { stale } = await settle(broker, [
        complete({ ...a!, delivery: 5 }),
        complete(b!),
        retry({ ...c!, delivery: 5 }),
        retry(d!),
      ]);

      expect(new Set(stale)).toEqual(new Set([0, 2]));
      expect(await broker.counts(QUEUE)).toMatchObject({ active: 2, scheduled: 1 });
    });

    it('leases at most what is wanted, each lane by its share, lacks made up by the most urgent', async () => {
      const { broker } = port();
      await enqueue(broker, [
        ...newTasks(2, { lane: 'high' }),
        ...newTasks(20),
        ...newTasks(20, { lane: 'low' }),
      ]);

      const { deliveries } = await settle(broker, [], { want: { total: 10, high: 6, normal: 3, low: 1 } });

      const lanes = deliveries.map((delivery) => delivery.lane);
      expect([
        lanes.filter((lane) => lane === 'high').length,
        lanes.filter((lane) => lane === 'normal').length,
        lanes.filter((lane) => lane === 'low').length,
      ]).toEqual([2, 7, 1]);
    });

    it('a task handed back goes to anyone at once; its count shows whether it was started', async () => {
      const { broker, peer } = port();
      await enqueue(broker, newTasks(2));
      const [started, untouched] = await lease(broker, 2);
      await settle(broker, [release(started!, true), release(untouched!, false)]);

      const { deliveries } = await peer.reclaim(reclaimRequest({ releasedOnly: true }));

      expect(deliveries.map((d) => [d.entryId, d.delivery])).toEqual([
        [started!.entryId, 1001],
        [untouched!.entryId, 1],
      ]);
    });
  });

  describe('a retried task', () => {
    it('waits its time, then comes with its next attempt on the lane it had', async () => {
      const { broker, peer } = port();
      const delivery = await leaseOne(broker, { lane: 'high', payload: '"a\\nb"\n' });
      await settle(broker, [retry(delivery, { delayMs: 60 })]);
      expect(await lease(broker, 1)).toEqual([]);
      expect(await broker.listScheduled(QUEUE, 0, 10)).toMatchObject([
        { id: idOf(delivery), attempt: 2, lane: 'high', payload: '"a\\nb"\n', meta: '{"starts":1}' },
      ]);

      await waitFor(async () => (await peer.promote(promoteRequest())).promoted > 0, { what: 'its time' });

      const [again] = await lease(broker, 1);
      expect(again).toMatchObject({ lane: 'high', delivery: 1 });
      expect(field(again!, 'attempt')).toBe('2');
      expect(field(again!, 'payload')).toBe('"a\\nb"\n');
      expect(field(again!, 'enqueuedAt')).toBe(field(delivery, 'enqueuedAt'));
    });
  });

  describe('promote', () => {
    it('moves what is due in the order of time and says when the next is', async () => {
      const { broker } = port();
      const now = broker.now();
      const tasks = [30, 10, 20].map((ms) => newTask({ due: { afterMs: ms } }));
      const later = newTask({ due: { at: now + 600_000 } });
      await enqueue(broker, [...tasks, later]);
      const found: string[] = [];
      await waitFor(
        async () => {
          await broker.promote(promoteRequest());
          found.push(...(await lease(broker, 5)).map(idOf));
          return found.length === 3;
        },
        { what: 'three tasks' },
      );

      expect(found).toEqual([tasks[1]!.id, tasks[2]!.id, tasks[0]!.id]);
      const { nextInMs } = await broker.promote(promoteRequest());
      expect(nextInMs).toBeGreaterThan(500_000);
      expect(nextInMs).toBeLessThanOrEqual(600_000);
    });

    it('is the duty of one consumer, until another takes it over or it stops calling', async () => {
      const { broker, peer } = port();
      expect(await broker.promote(promoteRequest({ consumer: 'w1' }))).toMatchObject({ onDuty: true });
      expect(await peer.promote(promoteRequest({ consumer: 'w2' }))).toMatchObject({ onDuty: false });
      expect(
        await peer.promote(promoteRequest({ consumer: 'w2', takeOver: true, dutyMs: 30 })),
      ).toMatchObject({ onDuty: true });
      expect(await broker.promote(promoteRequest({ consumer: 'w1', dutyMs: 30 }))).toMatchObject({
        onDuty: false,
      });

      const answer = await waitFor(
        async () => {
          const found = await broker.promote(promoteRequest({ consumer: 'w1' }));
          return found.onDuty ? found : undefined;
        },
        { what: 'the duty to be free' },
      );

      expect(answer).toEqual({ onDuty: true, promoted: 0, nextInMs: undefined });
    });
  });
}
