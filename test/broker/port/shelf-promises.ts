import { describe, expect, it } from 'vitest';
import { QUEUE } from '../support/keys.js';
import {
  deadLetterOf,
  enqueue,
  field,
  idOf,
  lease,
  leaseOne,
  newTask,
  newTasks,
  settle,
} from '../support/tasks.js';
import type { Port } from './port.js';

/** What is kept of tasks that do not run: dead letters, scheduled ones, and where each is. */
export function shelfPromises(port: () => Port): void {
  describe('dead letters', () => {
    it('are kept with their provenance, oldest first, page by page', async () => {
      const { broker } = port();
      await enqueue(broker, newTasks(5, { lane: 'low' }));
      const deliveries = await lease(broker, 5);
      await settle(
        broker,
        deliveries.map((delivery) => deadLetterOf(delivery)),
      );

      const first = await broker.listDeadLetters(QUEUE, '', 3);
      const rest = await broker.listDeadLetters(QUEUE, first.at(-1)!.entryId, 3);

      expect([...first, ...rest].map((letter) => letter.id)).toEqual(deliveries.map(idOf));
      expect(first[0]).toEqual({
        entryId: expect.any(String),
        id: idOf(deliveries[0]!),
        type: 'mail.send',
        payload: '{"n":1}',
        queue: QUEUE,
        lane: 'low',
        reason: 'attempts-exhausted',
        detail: 'attempt 3 of 3 failed',
        attempt: 3,
        enqueuedAt: Number(field(deliveries[0]!, 'enqueuedAt')),
        diedAt: expect.any(Number),
        meta: '{"starts":3}',
        raw: undefined,
      });
    });

    it('are replayed on their lane with the attempt reset, once', async () => {
      const { broker } = port();
      const delivery = await leaseOne(broker, { lane: 'high' });
      await settle(broker, [deadLetterOf(delivery)]);
      const letters = await broker.listDeadLetters(QUEUE, '', 10);

      expect(await broker.replay(QUEUE, [...letters, { entryId: '1-1', id: 'nobody' }])).toBe(1);
      expect(await broker.replay(QUEUE, letters)).toBe(0);

      const [again, ...others] = await lease(broker, 5);
      expect(others).toEqual([]);
      expect(again).toMatchObject({ lane: 'high', delivery: 1 });
      expect(idOf(again!)).toBe(idOf(delivery));
      expect(field(again!, 'attempt')).toBe('1');
      expect(field(again!, 'meta')).toBe('{"replays":1}');
      expect(await broker.listDeadLetters(QUEUE, '', 10)).toEqual([]);
    });

    it('are deleted for good, but never the task of one that was replayed', async () => {
      const { broker } = port();
      await enqueue(broker, newTasks(2));
      const deliveries = await lease(broker, 2);
      await settle(
        broker,
        deliveries.map((delivery) => deadLetterOf(delivery)),
      );
      const letters = await broker.listDeadLetters(QUEUE, '', 10);
      await broker.replay(QUEUE, [letters[0]!]);

      expect(await broker.deleteDeadLetters(QUEUE, letters)).toBe(1);

      expect(await broker.find(QUEUE, letters[0]!.id)).toMatchObject({ state: 'ready' });
      expect(await broker.find(QUEUE, letters[1]!.id)).toBeUndefined();
      expect((await broker.counts(QUEUE)).dead).toBe(0);
    });
  });

  describe('find and counts', () => {
    it('tell where a task is, and nothing of ids and queues they do not know', async () => {
      const { broker } = port();
      const [ready, scheduled] = [newTask(), newTask({ due: { afterMs: 60_000 }, lane: 'low' })];
      await enqueue(broker, [ready, scheduled]);

      expect(await broker.find(QUEUE, ready.id)).toMatchObject({ state: 'ready', lane: 'normal' });
      expect(await broker.find(QUEUE, scheduled.id)).toMatchObject({
        state: 'scheduled',
        task: { id: scheduled.id, lane: 'low', attempt: 1, payload: scheduled.payload },
      });
      expect(await broker.find(QUEUE, 'nobody')).toBeUndefined();
      expect(await broker.find('other', ready.id)).toBeUndefined();
      expect((await broker.counts(QUEUE)).oldestReadyMs).toBeGreaterThanOrEqual(0);
      expect(await broker.counts('other')).toEqual({
        ready: { high: 0, normal: 0, low: 0 },
        active: 0,
        scheduled: 0,
        dead: 0,
        consumers: 0,
        oldestReadyMs: undefined,
      });
    });

    it('list scheduled tasks soonest first, by offset', async () => {
      const { broker } = port();
      const tasks = [3, 1, 2].map((n) => newTask({ due: { afterMs: n * 60_000 } }));
      await enqueue(broker, tasks);

      expect((await broker.listScheduled(QUEUE, 0, 2)).map((task) => task.id)).toEqual([
        tasks[1]!.id,
        tasks[2]!.id,
      ]);
      expect((await broker.listScheduled(QUEUE, 2, 2)).map((task) => task.id)).toEqual([tasks[0]!.id]);
    });
  });

  describe('the link', () => {
    it('answers a ping, and nothing once it is closed', async () => {
      const { broker } = port();
      expect(await broker.ping()).toBeGreaterThanOrEqual(0);

      await broker.close();
      await broker.close();

      await expect(broker.ping()).rejects.toThrow(/./);
    });
  });
}
