import { describe, expect, it } from 'vitest';
import { waitFor } from '@taskq/testing';
import { QUEUE } from '../support/keys.js';
import {
  complete,
  deadLetterOf,
  enqueue,
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

/** What is told of tasks: where each is, how many there are. */
export function shelfPromises(port: () => Port): void {
  const find = (id: string) => port().peer.find(QUEUE, id);

  describe('find', () => {
    it('knows a task in every state', async () => {
      const { broker } = port();
      const task = newTask({ lane: 'low', payload: '{"a":1}', meta: '{"starts":0}' });
      const { id } = task;
      await enqueue(broker, [task]);
      expect(await find(id)).toMatchObject({ state: 'ready', lane: 'low', entryId: expect.any(String) });

      const [first] = await lease(broker, 1);
      const { entryId, fields } = first!;
      const active = { state: 'active', lane: 'low', entryId, fields };
      const idleMs = expect.toSatisfy((ms: number) => ms >= 0 && ms < 10_000) as number;
      expect(await find(id)).toEqual({ ...active, consumer: 'w1', delivery: 1, idleMs });

      await settle(broker, [release(first!)]);
      expect(await find(id)).toEqual({ state: 'ready', lane: 'low', entryId, fields });
      const [second] = (await broker.reclaim(reclaimRequest({ releasedOnly: true }))).deliveries;
      expect(await find(id)).toMatchObject({ ...active, consumer: 'w2', delivery: 1001 });

      await settle(broker, [retry(second!, { delayMs: 0 })], { consumer: 'w2' });
      expect(await find(id)).toMatchObject({
        state: 'scheduled',
        task: { id, lane: 'low', attempt: 2, payload: '{"a":1}', meta: '{"starts":1}' },
      });

      await broker.promote(promoteRequest());
      expect(await find(id)).toMatchObject({ state: 'ready', lane: 'low' });
      const [third] = await lease(broker, 1);
      await settle(broker, [deadLetterOf(third!)]);
      const [letter] = await broker.listDeadLetters(QUEUE, '', 1);
      expect(await find(id)).toEqual({ state: 'dead', letter });

      await broker.replay(QUEUE, [letter!]);
      expect(await find(id)).toMatchObject({ state: 'ready', lane: 'low' });
      const [fourth] = await lease(broker, 1);
      await settle(broker, [complete(fourth!)]);
      expect(await find(id)).toBeUndefined();
    });

    it('knows ids of every form, and none that it was not given', async () => {
      const { broker } = port();
      const ids = ['mine', 'x', '1700000000000-0', 'abcdefghijkl.1', 'abcdefghijkl.01', 'abcdefghijkl.2s'];
      await enqueue(
        broker,
        ids.map((id) => newTask({ id, ownId: true })),
      );

      const found = await Promise.all(ids.map(async (id) => idOf((await find(id)) as never)));

      expect(found).toEqual(ids);
      expect(await find('nobody')).toBeUndefined();
      expect(await broker.find('other', ids[0]!)).toBeUndefined();
    });
  });

  describe('listScheduled', () => {
    it('answers soonest first, by offset, a hundred at most', async () => {
      const { broker } = port();
      const tasks = [3, 1, 2].map((n) => newTask({ due: { afterMs: n * 60_000 } }));
      await enqueue(broker, tasks);
      const list = async (offset: number, limit: number) =>
        (await broker.listScheduled(QUEUE, offset, limit)).map((task) => task.id);

      expect(await list(0, 2)).toEqual([tasks[1]!.id, tasks[2]!.id]);
      expect(await list(2, 2)).toEqual([tasks[0]!.id]);
      expect(await list(3, 2)).toEqual([]);
      expect(await broker.listScheduled('nowhere', 0, 2)).toEqual([]);

      await enqueue(broker, newTasks(120, { due: { afterMs: 600_000 } }));
      expect(await list(0, 1_000)).toHaveLength(100);
      expect(await list(100, 1_000)).toHaveLength(23);
    });

    it('orders tasks of the same time by id', async () => {
      const { broker } = port();
      const at = broker.now() + 60_000;
      const ids = ['b', 'a', 'C', 'a0'];
      await enqueue(
        broker,
        ids.map((id) => newTask({ id, due: { at } })),
      );

      const listed = await broker.listScheduled(QUEUE, 0, 10);
      expect(listed.map((task) => [task.id, task.dueAt])).toEqual(ids.toSorted().map((id) => [id, at]));
    });

    it('knows one task per id: who is kept again waits for its new time', async () => {
      const { broker } = port();
      const wait = (afterMs: number) => enqueue(broker, [newTask({ id: 'mine', due: { afterMs } })]);
      await wait(600_000);
      await wait(60_000);

      const listed = await broker.listScheduled(QUEUE, 0, 10);
      expect(listed).toHaveLength(1);
      expect(listed[0]!.dueAt - broker.now()).toBeLessThan(120_000);
    });
  });

  describe('counts', () => {
    it('tell how many tasks are in which state, lane by lane', async () => {
      const { broker, peer } = port();
      await enqueue(broker, [
        ...newTasks(3, { lane: 'high' }),
        ...newTasks(4),
        ...newTasks(2, { lane: 'low' }),
        ...newTasks(2, { due: { afterMs: 60_000 } }),
      ]);
      const [a, b, c] = await lease(peer, 5);
      await settle(peer, [deadLetterOf(a!), release(b!), retry(c!)]);

      expect(await broker.counts(QUEUE)).toEqual({
        ready: { high: 1, normal: 2, low: 2 },
        active: 2,
        scheduled: 3,
        dead: 1,
        consumers: 1,
        oldestReadyMs: expect.any(Number),
      });
    });

    it('tell the age of the oldest ready task, also when that was handed back', async () => {
      const { broker } = port();
      const age = async (): Promise<number | undefined> => (await broker.counts(QUEUE)).oldestReadyMs;
      expect(await age()).toBeUndefined();
      const delivery = await leaseOne(broker);
      expect(await age()).toBeUndefined();
      await waitFor(() => broker.now() > enqueuedAt(delivery) + 40, { what: 'some time' });

      await enqueue(broker, [newTask({ lane: 'low' })]);
      expect(await age()).toBeLessThan(40);
      await settle(broker, [release(delivery)]);

      expect(await age()).toBeGreaterThanOrEqual(40);
    });

    it('of a queue that nobody made are nothing', async () => {
      expect(await port().broker.counts('nowhere')).toEqual({
        ready: { high: 0, normal: 0, low: 0 },
        active: 0,
        scheduled: 0,
        dead: 0,
        consumers: 0,
        oldestReadyMs: undefined,
      });
    });
  });
}

function enqueuedAt({ fields }: { readonly fields: readonly string[] }): number {
  return Number(fields[fields.indexOf('enqueuedAt') + 1]);
}
