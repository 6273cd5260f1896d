import { describe, expect, it } from 'vitest';
import { waitFor } from '@taskq/testing';
import { QUEUE } from '../support/keys.js';
import {
  ALL_LANES,
  enqueue,
  idOf,
  lease,
  leaseOne,
  newTask,
  newTasks,
  reclaimRequest,
  release,
  settle,
} from '../support/tasks.js';
import { type Port, refusedAs } from './port.js';

/** Longer than any test: such a fetch is ended by what it waits for, or told to end. */
const LONG_MS = 15_000;

const NOTHING = { deliveries: [], woken: [] };

export function fetchPromises(port: () => Port): void {
  const request = { consumer: 'w1', blockMs: 100, count: 10, queues: [QUEUE] };

  describe('ensureQueue', () => {
    it('says whether anything was missing, and changes nothing that exists', async () => {
      const { broker, peer } = port();
      await enqueue(broker, newTasks(2));

      expect(await peer.ensureQueue(QUEUE)).toBe(false);
      expect(await peer.ensureQueue('new')).toBe(true);
      expect(await peer.ensureQueue('new')).toBe(false);
      expect(await lease(broker, 5)).toHaveLength(2);
    });
  });

  describe('fetchGroups', () => {
    it('leaves no queue out, and names none twice', async () => {
      const queues = ['a', 'b', 'c'];

      expect((await port().broker.fetchGroups(queues)).flat().toSorted()).toEqual(queues);
    });
  });

  describe('fetch', () => {
    it('leases entries of all lanes, each to one consumer', async () => {
      const { broker, peer } = port();
      const tasks = ALL_LANES.flatMap((lane) => newTasks(4, { lane }));
      await enqueue(broker, tasks);

      const answers = await Promise.all([
        broker.fetch({ ...request, count: 2 }),
        peer.fetch({ ...request, count: 2, consumer: 'w2' }),
      ]);

      const deliveries = answers.flatMap((answer) => answer.deliveries);
      expect(deliveries.map(idOf).toSorted()).toEqual(tasks.map((task) => task.id).toSorted());
      for (const delivery of deliveries) {
        expect(delivery).toMatchObject({ queue: QUEUE, delivery: 1 });
        expect(delivery.from).toBeUndefined();
      }
    });

    it('takes at most `count` of each lane, most urgent first, oldest first', async () => {
      const { broker } = port();
      const tasks = [...ALL_LANES].toReversed().flatMap((lane) => newTasks(3, { lane }));
      await enqueue(broker, tasks);

      const { deliveries } = await broker.fetch({ ...request, count: 2 });

      const first = ALL_LANES.flatMap((lane) => tasks.filter((task) => task.lane === lane).slice(0, 2));
      expect(deliveries.map(idOf)).toEqual(first.map((task) => task.id));
    });

    it('reads several queues at once and says which entry is whose', async () => {
      const { broker } = port();
      for (const queue of ['a', 'b', 'c']) await broker.ensureQueue(queue);
      const [a, c] = [newTask(), newTask({ lane: 'low' })];
      await enqueue(broker, [a], { queue: 'a' });
      await enqueue(broker, [c], { queue: 'c' });

      const { deliveries } = await broker.fetch({ ...request, queues: ['a', 'b', 'c'] });

      expect(deliveries.map((each) => [each.queue, each.lane, idOf(each)])).toEqual([
        ['a', 'normal', a.id],
        ['c', 'low', c.id],
      ]);
    });

    it('says in which era it leased, as every way of leasing does', async () => {
      const { broker, peer } = port();
      await enqueue(broker, newTasks(2));
      const fetched = await broker.fetch({ ...request, count: 1 });
      const leased = await lease(peer, 1);
      const reclaimed = await peer.reclaim(reclaimRequest({ leaseMs: 0 }));

      const eras = [...fetched.deliveries, ...leased, ...reclaimed.deliveries].map(({ era }) => era);
      expect(eras).toHaveLength(4);
      expect(new Set(eras).size).toBe(1);
      expect(Number.isInteger(eras[0]) && eras[0]! >= 0 && eras[0]! < 2 ** 31).toBe(true);
    });

    it('is refused when one of the queues was never made, and leases nothing then', async () => {
      const { broker } = port();
      await enqueue(broker, [newTask()]);

      await expect(broker.fetch({ ...request, queues: [QUEUE, 'nowhere'] })).rejects.toSatisfy(
        refusedAs('NOGROUP'),
      );

      expect((await broker.counts(QUEUE)).active).toBe(0);
    });

    it('waits for an entry, and ends with nothing after blockMs', async () => {
      const { broker, peer } = port();
      expect(await broker.fetch({ ...request, blockMs: 20 })).toEqual(NOTHING);
      const task = newTask();
      const waiting = broker.fetch({ ...request, blockMs: LONG_MS });

      await enqueue(peer, [task]);

      expect((await waiting).deliveries.map(idOf)).toEqual([task.id]);
    });

    it('looks once, and waits for nothing, with a blockMs of 0', async () => {
      const { broker } = port();
      expect(await broker.fetch({ ...request, blockMs: 0 })).toEqual(NOTHING);
      await enqueue(
        broker,
        ALL_LANES.map((lane) => newTask({ lane })),
      );

      const { deliveries } = await broker.fetch({ ...request, blockMs: 0 });

      expect(deliveries.map((delivery) => delivery.lane)).toEqual(ALL_LANES);
    });

    it('waits for every lane of each of its queues', async () => {
      const { broker, peer } = port();
      await broker.ensureQueue('other');
      for (const [queue, lane] of [[QUEUE, 'low'] as const, ['other', 'high'] as const]) {
        const waiting = broker.fetch({ ...request, blockMs: LONG_MS, queues: [QUEUE, 'other'] });
        await enqueue(peer, [newTask({ lane })], { queue });
        expect((await waiting).deliveries).toMatchObject([{ queue, lane }]);
      }
    });

    it('gives one entry to one of those who wait', async () => {
      const { broker, peer } = port();
      const waiting = [broker, peer].map((each, i) =>
        each.fetch({ ...request, consumer: `w${i}`, blockMs: LONG_MS }),
      );
      const [first, second] = newTasks(2);
      await enqueue(broker, [first!]);
      const winner = await Promise.race(waiting);
      await enqueue(broker, [second!]);

      const answers = await Promise.all(waiting);
      expect(winner.deliveries.map(idOf)).toEqual([first!.id]);
      expect(answers.flatMap((answer) => answer.deliveries.map(idOf)).toSorted()).toEqual(
        [first!.id, second!.id].toSorted(),
      );
    });
  });

  describe('interruptFetch', () => {
    it('ends a fetch that waits, with nothing; before and after that it does nothing', async () => {
      const { broker } = port();
      await broker.interruptFetch();
      const start = performance.now();
      let ended = false;
      const idle = broker.fetch({ ...request, blockMs: LONG_MS }).finally(() => (ended = true));

      await waitFor(() => broker.interruptFetch().then(() => ended), { what: 'the interrupted fetch' });

      expect(await idle).toEqual(NOTHING);
      expect(performance.now() - start).toBeLessThan(5_000);
      await broker.interruptFetch();
      await enqueue(broker, [newTask()]);
      expect((await broker.fetch(request)).deliveries).toHaveLength(1);
    });

    it('ends the fetch of the part it names, and no other', async () => {
      const { broker, peer } = port();
      let ended = 0;
      const fetches = [
        broker.fetch({ ...request, part: 'a', blockMs: LONG_MS }),
        broker.fetch({ ...request, part: 'b', blockMs: LONG_MS }),
        peer.fetch({ ...request, part: 'a', blockMs: LONG_MS }),
      ].map((fetch) => fetch.finally(() => (ended += 1)));

      await waitFor(() => broker.interruptFetch('a').then(() => ended > 0), { what: 'part a' });

      expect(await fetches[0]).toEqual(NOTHING);
      await enqueue(broker, [newTask()]);
      await waitFor(() => ended === 2, { what: 'one of the others to be given the task' });
      await enqueue(broker, [newTask()]);
      const others = await Promise.all(fetches.slice(1));
      expect(others.map((answer) => answer.deliveries.length)).toEqual([1, 1]);
    });
  });

  describe('a consumer that waits', () => {
    it('is told that a task will be due sooner than any other, and only then', async () => {
      const { broker, peer } = port();
      await enqueue(peer, [newTask({ due: { afterMs: 60_000 } })]);
      const first = await broker.fetch({ ...request, blockMs: LONG_MS });
      expect(first.woken).toMatchObject([{ queue: QUEUE, why: 'due' }]);

      await enqueue(peer, [newTask({ due: { afterMs: 90_000 } })]);
      expect(await broker.fetch({ ...request, blockMs: 20 })).toEqual(NOTHING);

      await enqueue(peer, [newTask({ due: { afterMs: 30_000 } })]);
      expect((await broker.fetch(request)).woken).toMatchObject([{ why: 'due' }]);
    });

    it('is told a few times at most, however often it happened', async () => {
      const { broker } = port();
      for (let i = 0; i < 20; i += 1)
        await enqueue(broker, [newTask({ due: { afterMs: 1_000_000 - i * 1_000 } })]);

      const { woken } = await broker.fetch({ ...request, count: 100 });

      expect(woken).toHaveLength(8);
    });

    it('is told that tasks were handed back', async () => {
      const { broker, peer } = port();
      const delivery = await leaseOne(peer, {}, 'w2');
      await settle(peer, [release(delivery)], { consumer: 'w2' });

      const { woken } = await broker.fetch({ ...request, blockMs: LONG_MS });

      expect(woken).toMatchObject([{ queue: QUEUE, why: 'released' }]);
      const answer = await broker.reclaim(
        reclaimRequest({ consumer: 'w1', releasedOnly: true, wakeEntryId: woken[0]!.entryId }),
      );
      expect(answer.deliveries).toMatchObject([{ entryId: delivery.entryId, delivery: 1001 }]);
    });

    it('is the only one that is told', async () => {
      const { broker, peer } = port();
      const fetches = ['a', 'b', 'c', 'd'].map((part, i) => {
        const each = i % 2 === 0 ? broker : peer;
        return { part, each, answer: each.fetch({ ...request, part, consumer: part, blockMs: LONG_MS }) };
      });
      await enqueue(broker, [newTask({ due: { afterMs: 60_000 } })]);
      expect((await Promise.race(fetches.map(({ answer }) => answer))).woken).toHaveLength(1);

      let ended = 0;
      for (const { answer } of fetches) void answer.finally(() => (ended += 1));
      await waitFor(
        async () => {
          await Promise.all(fetches.map(({ each, part }) => each.interruptFetch(part)));
          return ended === fetches.length;
        },
        { what: 'the others to end' },
      );

      const answers = await Promise.all(fetches.map(({ answer }) => answer));
      expect(answers.flatMap((answer) => answer.woken)).toMatchObject([{ queue: QUEUE, why: 'due' }]);
      expect(answers.flatMap((answer) => answer.deliveries)).toEqual([]);
    });
  });
}
