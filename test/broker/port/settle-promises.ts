import { describe, expect, it } from 'vitest';
import { QUEUE } from '../support/keys.js';
import {
  ALL_LANES,
  complete,
  deadLetterOf,
  enqueue,
  field,
  idOf,
  lease,
  leaseOne,
  newTask,
  newTasks,
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

      expect(answer).toEqual({ stale: [], stillLeased: [], buried: [], deliveries: [], recreated: false });
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

    const outcomes = [
      ['complete', complete],
      ['complete with a key', (...[delivery]: Parameters<typeof complete>) => complete(delivery, 'u')],
      ['retry', retry],
      ['dead letter', deadLetterOf],
      ['release', release],
    ] as const;

    it.each(outcomes)(
      'refuses a %s of another owner, of another delivery and of a gone task',
      async (_, outcome) => {
        const { broker } = port();
        const delivery = await leaseOne(broker);

        expect((await settle(broker, [outcome(delivery)], { consumer: 'w2' })).stale).toEqual([0]);
        expect((await settle(broker, [outcome({ ...delivery, delivery: 2 })])).stale).toEqual([0]);
        expect((await settle(broker, [outcome({ ...delivery, lane: 'low' })])).stale).toEqual([0]);
        expect(await broker.find(QUEUE, idOf(delivery))).toMatchObject({ state: 'active', consumer: 'w1' });

        expect((await settle(broker, [complete(delivery)])).stale).toEqual([]);
        expect((await settle(broker, [outcome(delivery)])).stale).toEqual([0]);
        expect(await broker.counts(QUEUE)).toMatchObject({ active: 0, scheduled: 0, dead: 0 });
      },
    );

    it.each(outcomes)('applies a %s once, though it is named twice', async (_, outcome) => {
      const { broker } = port();
      const delivery = await leaseOne(broker);

      expect((await settle(broker, [outcome(delivery), outcome(delivery)])).stale).toEqual([1]);

      const { ready, active, scheduled, dead } = await broker.counts(QUEUE);
      expect(ready.normal + active + scheduled + dead).toBeLessThanOrEqual(1);
    });

    it('applies what is valid of a mixed group and names the rest by position', async () => {
      const { broker } = port();
      await enqueue(
        broker,
        ALL_LANES.flatMap((lane) => newTasks(2, { lane })),
      );
      const [a, b, c, d, e, f] = await lease(broker, 6);

      const { stale } = await settle(broker, [
        retry({ ...f!, delivery: 5 }),
        complete({ ...a!, delivery: 5 }),
        complete(b!),
        retry({ ...c!, delivery: 5 }),
        deadLetterOf(d!),
        complete(e!, 'u'),
      ]);

      expect(new Set(stale)).toEqual(new Set([0, 1, 3]));
      expect(await broker.counts(QUEUE)).toMatchObject({ active: 3, scheduled: 0, dead: 1 });
    });

    it.each(outcomes)(
      'says of a %s that is refused whether the task is still there',
      async (kind, outcome) => {
        const { broker } = port();
        const delivery = await leaseOne(broker);
        const others = { ...delivery, delivery: 2 };
        // A release that was applied leaves it where it is, so that says nothing.
        const stillLeased = kind === 'release' ? [] : [0];

        expect(await settle(broker, [outcome(delivery)], { consumer: 'w2' })).toMatchObject({ stillLeased });
        expect(await settle(broker, [outcome(others)])).toMatchObject({ stillLeased });
        await settle(broker, [complete(delivery)]);
        expect(await settle(broker, [outcome(delivery)])).toMatchObject({ stale: [0], stillLeased: [] });
      },
    );

    it('says so by position, of several', async () => {
      const { broker } = port();
      await enqueue(broker, newTasks(6));
      const [a, b, c, d, e, f] = await lease(broker, 6);
      await settle(broker, [complete(a!), retry(d!)]);

      const answer = await settle(broker, [
        retry(d!),
        complete(a!),
        retry({ ...b!, delivery: 2 }),
        complete(c!),
        complete({ ...e!, delivery: 2 }),
        release({ ...f!, delivery: 2 }),
      ]);

      expect(new Set(answer.stale)).toEqual(new Set([0, 1, 2, 4, 5]));
      expect(new Set(answer.stillLeased)).toEqual(new Set([2, 4]));
    });

    it('refuses everything of a queue that holds nothing', async () => {
      const { broker } = port();
      const delivery = await leaseOne(broker);

      const nowhere = [complete(delivery), retry(delivery), release(delivery)];
      const answer = await settle(broker, nowhere, { queue: 'nowhere' });

      expect(new Set(answer.stale)).toEqual(new Set([0, 1, 2]));
      expect(answer.recreated).toBe(false);
    });
  });

  describe('two entries with one id', () => {
    /** As producers in other languages may write them: nobody compares their ids. */
    async function twins(broker: Port['broker']) {
      const id = 'order-7';
      await enqueue(broker, [newTask({ id, payload: '"first"' }), newTask({ id, payload: '"second"' })]);
      const [first, second] = await lease(broker, 2);
      return { id, first: first!, second: second! };
    }

    it('are both there after both are to be retried: one waits, the other is a dead letter', async () => {
      const { broker } = port();
      const { id, first, second } = await twins(broker);

      expect(await settle(broker, [retry(first), retry(second)])).toMatchObject({ stale: [], buried: [1] });

      expect(await broker.counts(QUEUE)).toMatchObject({ active: 0, scheduled: 1, dead: 1 });
      expect(await broker.listScheduled(QUEUE, 0, 10)).toMatchObject([{ id, payload: '"first"' }]);
      expect(await broker.find(QUEUE, id)).toMatchObject({ state: 'scheduled' });
      const letters = await broker.listDeadLetters(QUEUE, '', 10);
      expect(letters).toMatchObject([
        { id, type: second.fields[3], payload: '"second"', attempt: 2, lane: 'normal', meta: '{"starts":1}' },
      ]);
      expect(letters[0]).toMatchObject({ reason: 'duplicate-id', raw: undefined });

      expect(await broker.replay(QUEUE, letters)).toBe(1);
      const [again] = await lease(broker, 1);
      expect(field(again!, 'payload')).toBe('"second"');
      expect(field(again!, 'meta')).toBe('{"starts":1}');
    });

    it('are both there when one waits already, in another call', async () => {
      const { broker } = port();
      const { first, second } = await twins(broker);

      expect(await settle(broker, [retry(first)])).toMatchObject({ buried: [] });
      expect(await settle(broker, [retry(second)])).toMatchObject({ stale: [], buried: [0] });

      expect(await broker.counts(QUEUE)).toMatchObject({ active: 0, scheduled: 1, dead: 1 });
    });

    it('are both dead letters when both are to be', async () => {
      const { broker } = port();
      const { first, second } = await twins(broker);
      await settle(broker, [deadLetterOf(first), deadLetterOf(second)]);
      const letters = await broker.listDeadLetters(QUEUE, '', 10);

      expect(letters.map(({ payload }) => payload)).toEqual(['"first"', '"second"']);
      expect(await broker.replay(QUEUE, letters)).toBe(2);
      expect((await lease(broker, 5)).map((each) => field(each, 'payload'))).toEqual(['"first"', '"second"']);
    });

    it('do not let a third take the place of the one that waits, when the other has ended', async () => {
      const { broker } = port();
      const { id, first, second } = await twins(broker);
      await settle(broker, [retry(first)]);
      await settle(broker, [complete(second)]);
      const third = newTask({ id, ownId: true, payload: '"third"', due: { afterMs: 1000 } });

      expect(await enqueue(broker, [third])).toEqual([{ status: 'duplicate', id }]);

      expect(await broker.listScheduled(QUEUE, 0, 10)).toMatchObject([{ id, payload: '"first"' }]);
    });
  });

  describe('settle that also fetches', () => {
    it('ends and leases in one step', async () => {
      const { broker } = port();
      const delivery = await leaseOne(broker);
      const next = newTask();
      await enqueue(broker, [next]);

      const answer = await settle(broker, [complete(delivery)], { want: 1 });

      expect(answer).toMatchObject({ stale: [], recreated: false });
      expect(answer.deliveries).toMatchObject([{ queue: QUEUE, lane: 'normal', delivery: 1 }]);
      expect(answer.deliveries.map(idOf)).toEqual([next.id]);
      expect(await broker.find(QUEUE, next.id)).toMatchObject({ state: 'active', consumer: 'w1' });
    });

    it.each([
      [{ high: 20, normal: 20, low: 20 }, { total: 10, high: 6, normal: 3, low: 1 }, [6, 3, 1]],
      [{ high: 2, normal: 20, low: 20 }, { total: 10, high: 6, normal: 3, low: 1 }, [2, 7, 1]],
      [{ high: 20, normal: 0, low: 20 }, { total: 10, high: 6, normal: 3, low: 1 }, [9, 0, 1]],
      [{ high: 20, normal: 20, low: 0 }, { total: 10, high: 6, normal: 3, low: 1 }, [7, 3, 0]],
      [{ high: 0, normal: 0, low: 20 }, { total: 10, high: 6, normal: 3, low: 1 }, [0, 0, 10]],
      [{ high: 1, normal: 2, low: 3 }, { total: 10, high: 6, normal: 3, low: 1 }, [1, 2, 3]],
      [{ high: 20, normal: 20, low: 20 }, { total: 7, high: 0, normal: 0, low: 0 }, [7, 0, 0]],
      [{ high: 20, normal: 20, low: 20 }, { total: 7, high: 7, normal: 7, low: 7 }, [7, 0, 0]],
      [{ high: 20, normal: 20, low: 20 }, { total: 5, high: 0, normal: 0, low: 2 }, [3, 0, 2]],
      [{ high: 20, normal: 20, low: 20 }, { total: 0, high: 3, normal: 3, low: 3 }, [0, 0, 0]],
      [{ high: 0, normal: 0, low: 0 }, { total: 10, high: 6, normal: 3, low: 1 }, [0, 0, 0]],
    ])('of %o, wanting %o, leases %o', async (ready, want, taken) => {
      const { broker } = port();
      await enqueue(
        broker,
        ALL_LANES.flatMap((lane) => newTasks(ready[lane], { lane })),
      );

      const { deliveries } = await settle(broker, [], { want });

      const count = ALL_LANES.map((lane) => deliveries.filter((each) => each.lane === lane).length);
      expect(count).toEqual(taken);
      expect((await broker.counts(QUEUE)).active).toBe(deliveries.length);
    });
  });
}
