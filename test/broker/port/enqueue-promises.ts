import { describe, expect, it } from 'vitest';
import { waitFor } from '@taskq/testing';
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
import { type Port, statuses } from './port.js';

export function enqueuePromises(port: () => Port): void {
  describe('enqueue', () => {
    it('accepts tasks in order, and another process is given them as they were', async () => {
      const { broker, peer } = port();
      const tasks = newTasks(5, { payload: '{"a":"\\n{ž}"}\n', meta: '{"headers":{"a":"b"}}' });

      expect(statuses(await enqueue(broker, tasks))).toEqual(tasks.map(() => 'accepted'));

      const deliveries = await lease(peer, 10);
      expect(deliveries.map(idOf)).toEqual(tasks.map((task) => task.id));
      for (const delivery of deliveries) {
        expect(field(delivery, 'type')).toBe('mail.send');
        expect(field(delivery, 'payload')).toBe('{"a":"\\n{ž}"}\n');
        expect(field(delivery, 'meta')).toBe('{"headers":{"a":"b"}}');
        expect(field(delivery, 'attempt') ?? '1').toBe('1');
        expect(Math.abs(Number(field(delivery, 'enqueuedAt')) - peer.now())).toBeLessThan(10_000);
      }
    });

    it('puts each task on its lane', async () => {
      const { broker } = port();
      const tasks = [...ALL_LANES, ...ALL_LANES].map((lane) => newTask({ lane }));
      await enqueue(broker, tasks);

      expect((await broker.counts(QUEUE)).ready).toEqual({ high: 2, normal: 2, low: 2 });
      for (const { id, lane } of tasks) expect(await broker.find(QUEUE, id)).toMatchObject({ lane });
    });

    it('keeps a task until it is due, and makes one that is due by now ready', async () => {
      const { broker } = port();
      const now = broker.now();
      const later = [newTask({ due: { at: now + 60_000 } }), newTask({ due: { afterMs: 60_000 } })];
      const past = [newTask({ due: { at: now - 60_000 } }), newTask({ due: { afterMs: 0 } })];

      await enqueue(broker, [...later, ...past]);

      expect((await lease(broker, 5)).map(idOf)).toEqual(past.map((task) => task.id));
      const scheduled = await broker.listScheduled(QUEUE, 0, 5);
      expect(scheduled.map((task) => task.id).toSorted()).toEqual(later.map((task) => task.id).toSorted());
      for (const { dueAt } of scheduled) expect(Math.abs(dueAt - now - 60_000)).toBeLessThan(10_000);
    });

    it('keeps queues apart', async () => {
      const { broker } = port();
      await broker.ensureQueue('other');
      const own = (): ReturnType<typeof newTask> =>
        newTask({ id: 'mine', ownId: true, unique: { key: 'u', ttlMs: 60_000 } });
      await enqueue(broker, [own()]);

      expect(statuses(await enqueue(broker, [own()], { queue: 'other' }))).toEqual(['accepted']);
      expect(await lease(broker, 5, 'w1', 'other')).toHaveLength(1);
      expect((await broker.counts(QUEUE)).ready.normal).toBe(1);
    });
  });

  describe('an idempotency key', () => {
    const keyed = (fingerprint: string, windowMs = 60_000) =>
      newTask({ idempotency: { key: 'k', fingerprint, windowMs } });

    it('is known for its window, whatever became of the task', async () => {
      const { broker, peer } = port();
      const first = keyed('f');
      await enqueue(broker, [first]);
      await settle(broker, [complete((await lease(broker, 1))[0]!)]);

      expect(await enqueue(peer, [keyed('f'), keyed('g')])).toEqual([
        { status: 'duplicate', id: first.id },
        { status: 'conflict', id: first.id },
      ]);
      expect((await broker.counts(QUEUE)).ready.normal).toBe(0);
    });

    it('is known within one group, and of a task that waits', async () => {
      const { broker } = port();
      const first = { ...keyed('f'), due: { afterMs: 60_000 } };

      expect(await enqueue(broker, [first, keyed('f'), keyed('g')])).toEqual([
        { status: 'accepted' },
        { status: 'duplicate', id: first.id },
        { status: 'conflict', id: first.id },
      ]);
    });

    it('is not freed as a unique key is', async () => {
      const { broker } = port();
      const first = keyed('f');
      await enqueue(broker, [first]);
      await settle(broker, [complete((await lease(broker, 1))[0]!, 'k')]);

      expect(await enqueue(broker, [keyed('f')])).toEqual([{ status: 'duplicate', id: first.id }]);
    });

    it('of a task that found the queue full is not taken', async () => {
      const { broker } = port();
      await enqueue(broker, [newTask()]);
      expect(statuses(await enqueue(broker, [keyed('f')], { maxReady: 1 }))).toEqual(['full']);

      expect(statuses(await enqueue(broker, [keyed('g')]))).toEqual(['accepted']);
    });

    it('is forgotten when its window is over', async () => {
      const { broker } = port();
      await enqueue(broker, [keyed('f', 40)]);

      const answer = await waitFor(
        async () => {
          const [found] = await enqueue(broker, [keyed('f', 40)]);
          return found!.status === 'accepted' ? found : undefined;
        },
        { what: 'the end of the window' },
      );

      expect(answer).toEqual({ status: 'accepted' });
    });
  });

  describe('a unique key', () => {
    const unique = { key: 'u', ttlMs: 60_000 };
    const keyed = (over: Parameters<typeof newTask>[0] = {}) => newTask({ unique, ...over });
    const another = async (): Promise<unknown> => (await enqueue(port().peer, [keyed()]))[0];

    it('lets one task in until that is finished', async () => {
      const { broker } = port();
      const first = keyed();
      const duplicate = { status: 'duplicate', id: first.id };
      expect(await enqueue(broker, [first, keyed()])).toEqual([{ status: 'accepted' }, duplicate]);
      const [delivery] = await lease(broker, 1);
      expect(await another()).toEqual(duplicate);

      await settle(broker, [complete(delivery!, 'u')]);

      expect(await another()).toEqual({ status: 'accepted' });
    });

    it('is kept while the task waits, first or again', async () => {
      const { broker } = port();
      const delivery = await leaseOne(broker, { unique });
      await settle(broker, [retry(delivery, { unique })]);
      expect(await another()).toEqual({ status: 'duplicate', id: idOf(delivery) });

      const delayed = newTask({ unique: { ...unique, key: 'v' }, due: { afterMs: 60_000 } });
      await enqueue(broker, [delayed]);
      expect(await enqueue(broker, [newTask({ unique: { ...unique, key: 'v' } })])).toEqual([
        { status: 'duplicate', id: delayed.id },
      ]);
    });

    it('is freed when the task dies', async () => {
      const { broker } = port();
      const delivery = await leaseOne(broker, { unique });

      await settle(broker, [deadLetterOf(delivery, { uniqueKey: 'u' })]);

      expect(await another()).toEqual({ status: 'accepted' });
    });

    it('is freed by the task that holds it alone, and taken by one that is kept when nobody does', async () => {
      const { broker } = port();
      const [stranger, second] = [await leaseOne(broker), await leaseOne(broker)];
      const holder = keyed();
      await enqueue(broker, [holder]);

      await settle(broker, [complete(stranger, 'u'), retry(second, { unique })]);
      expect(await another()).toEqual({ status: 'duplicate', id: holder.id });

      const [held] = await lease(broker, 1);
      await settle(broker, [complete(held!, 'u')]);
      const third = await leaseOne(broker);
      await settle(broker, [retry(third, { unique })]);
      expect(await another()).toEqual({ status: 'duplicate', id: idOf(third) });
    });

    it('frees itself after its time, which begins when the task is due', async () => {
      const { broker } = port();
      const short = { key: 'u', ttlMs: 30 };
      const waiting = keyed({ unique: short, due: { afterMs: 60_000 } });
      const again = await leaseOne(broker, { unique: { key: 'w', ttlMs: 60_000 } });
      await settle(broker, [retry(again, { unique: { key: 'w', ttlMs: 30 }, delayMs: 60_000 })]);
      await enqueue(broker, [waiting, newTask({ unique: { key: 'v', ttlMs: 30 } })]);

      await waitFor(
        async () =>
          (await enqueue(broker, [newTask({ unique: { key: 'v', ttlMs: 30 } })]))[0]!.status === 'accepted',
        { what: 'the key to be free' },
      );

      expect(await another()).toEqual({ status: 'duplicate', id: waiting.id });
      expect(await enqueue(broker, [newTask({ unique: { key: 'w', ttlMs: 30 } })])).toEqual([
        { status: 'duplicate', id: idOf(again) },
      ]);
    });
  });

  describe('an id that the caller gave', () => {
    const own = (over: Parameters<typeof newTask>[0] = {}) => newTask({ id: 'mine', ownId: true, ...over });
    const again = async (): Promise<unknown> => (await enqueue(port().peer, [own()]))[0];

    it('is the same task wherever that is: ready, active, waiting or dead', async () => {
      const { broker } = port();
      const duplicate = { status: 'duplicate', id: 'mine' };
      expect(await enqueue(broker, [own(), own()])).toEqual([{ status: 'accepted' }, duplicate]);
      expect(await again()).toEqual(duplicate);

      const [delivery] = await lease(broker, 1);
      expect(await again()).toEqual(duplicate);
      await settle(broker, [deadLetterOf(delivery!)]);
      expect(await again()).toEqual(duplicate);

      await broker.deleteDeadLetters(QUEUE, await broker.listDeadLetters(QUEUE, '', 10));
      expect(statuses(await enqueue(broker, [own({ due: { afterMs: 60_000 } })]))).toEqual(['accepted']);
      expect(await again()).toEqual(duplicate);
    });

    it('is the same task as one of its group that was given it by its producer', async () => {
      const { broker } = port();
      const plain = newTask();
      const same = { ...plain, ownId: true };
      const duplicate = { status: 'duplicate', id: plain.id };

      expect(await enqueue(broker, [plain, same])).toEqual([{ status: 'accepted' }, duplicate]);
      expect(await enqueue(port().peer, [same])).toEqual([duplicate]);

      expect((await broker.counts(QUEUE)).ready.normal).toBe(1);
    });

    it('is one that a producer gave: the same task until it is gone, whatever becomes of its neighbours', async () => {
      const { broker } = port();
      const tasks = newTasks(5);
      await enqueue(broker, tasks);
      const deliveries = await lease(broker, 5);
      const answers = async () =>
        statuses(
          await enqueue(
            port().peer,
            tasks.map((task) => ({ ...task, ownId: true })),
            { maxReady: 1 },
          ),
        );
      expect(await answers()).toEqual(tasks.map(() => 'duplicate'));

      await settle(broker, [
        complete(deliveries[0]!),
        retry(deliveries[1]!, { delayMs: 60_000 }),
        deadLetterOf(deliveries[2]!),
        release(deliveries[3]!),
      ]);
      const places = await Promise.all(tasks.map((task) => broker.find(QUEUE, task.id)));
      expect(places.map((place) => place?.state)).toEqual([
        undefined,
        'scheduled',
        'dead',
        'ready',
        'active',
      ]);
      // The one that is gone is new; it finds the queue full with the one that was handed back.
      expect(await answers()).toEqual(['full', 'duplicate', 'duplicate', 'duplicate', 'duplicate']);

      await broker.deleteDeadLetters(QUEUE, await broker.listDeadLetters(QUEUE, '', 10));
      await settle(broker, [complete(deliveries[4]!)]);
      expect(await answers()).toEqual(['full', 'duplicate', 'full', 'duplicate', 'full']);
    });

    it('may be used again when the task is gone', async () => {
      const { broker } = port();
      await settle(broker, [complete(await leaseOne(broker, { id: 'mine', ownId: true }))]);

      expect(await again()).toEqual({ status: 'accepted' });
    });
  });

  describe('a full queue', () => {
    it('is one with maxReady ready tasks, which active and scheduled ones are not', async () => {
      const { broker } = port();
      await enqueue(broker, [...newTasks(4), ...newTasks(5, { due: { afterMs: 60_000 } })]);
      await lease(broker, 2);

      const some = await enqueue(broker, newTasks(3), { maxReady: 4 });
      expect(statuses(some)).toEqual(['accepted', 'accepted', 'full']);
      expect((await broker.counts(QUEUE)).ready.normal).toBe(4);
    });

    it('counts what was handed back as the counts do: it is ready', async () => {
      const { broker } = port();
      await enqueue(broker, newTasks(4));
      const [first, second] = await lease(broker, 4);
      await settle(broker, [release(first!), release(second!, true)]);
      expect(await broker.counts(QUEUE)).toMatchObject({ ready: { normal: 2 }, active: 2 });

      const some = await enqueue(broker, newTasks(2), { maxReady: 3 });
      expect(statuses(some)).toEqual(['accepted', 'full']);
    });

    it('counts all lanes', async () => {
      const { broker } = port();
      for (const lane of ALL_LANES) await enqueue(broker, [newTask({ lane })]);

      const some = await enqueue(broker, [newTask({ lane: 'high' }), newTask()], { maxReady: 4 });
      expect(statuses(some)).toEqual(['accepted', 'full']);
    });

    it('still takes tasks that wait, and knows duplicates', async () => {
      const { broker } = port();
      const unique = { key: 'u', ttlMs: 60_000 };
      await enqueue(broker, [newTask({ unique })]);

      const mixed = [newTask(), newTask({ due: { afterMs: 60_000 } }), newTask({ unique })];
      expect(statuses(await enqueue(broker, mixed, { maxReady: 1 }))).toEqual([
        'full',
        'accepted',
        'duplicate',
      ]);
    });
  });
}
