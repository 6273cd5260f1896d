import { describe, expect, it } from 'vitest';
import { waitFor } from '@taskq/testing';
import { QUEUE } from '../support/keys.js';
import {
  complete,
  enqueue,
  field,
  groupOf,
  idOf,
  lease,
  newTask,
  newTasks,
  settle,
} from '../support/tasks.js';
import type { Port } from './port.js';

const statuses = (answers: readonly { status: string }[]) => answers.map((answer) => answer.status);

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
        expect(field(delivery, 'attempt')).toBe('1');
      }
    });

    it('of the same group changes nothing and answers the same, at any time', async () => {
      const { broker, peer } = port();
      const group = groupOf([newTask(), newTask({ due: { afterMs: 60_000 } })]);
      const first = await broker.enqueue(group);
      expect(await peer.enqueue(group)).toEqual(first);
      await settle(broker, [complete((await lease(broker, 5))[0]!)]);

      expect(await broker.enqueue(group)).toEqual(first);

      expect(await broker.counts(QUEUE)).toMatchObject({ ready: { normal: 0 }, active: 0, scheduled: 1 });
    });

    it('refuses a group when a later one of its channel was applied', async () => {
      const { broker } = port();
      await broker.enqueue(groupOf([newTask()], { channel: 'c', sequence: 2 }));

      await expect(broker.enqueue(groupOf([newTask()], { channel: 'c', sequence: 1 }))).rejects.toThrow(
        /later group/,
      );

      expect((await broker.counts(QUEUE)).ready.normal).toBe(1);
    });

    it('knows an idempotency key for its window, whatever became of the task', async () => {
      const { broker, peer } = port();
      const keyed = (fingerprint: string, windowMs = 60_000) =>
        newTask({ idempotency: { key: 'k', fingerprint, windowMs } });
      const first = keyed('f');
      await enqueue(broker, [first]);
      await settle(broker, [complete((await lease(broker, 1))[0]!)]);

      expect(await enqueue(peer, [keyed('f'), keyed('g')])).toEqual([
        { status: 'duplicate', id: first.id },
        { status: 'conflict', id: first.id },
      ]);
      expect((await broker.counts(QUEUE)).ready.normal).toBe(0);
    });

    it('forgets an idempotency key when its window is over', async () => {
      const { broker } = port();
      const keyed = () => newTask({ idempotency: { key: 'k', fingerprint: 'f', windowMs: 40 } });
      await enqueue(broker, [keyed()]);

      const answer = await waitFor(
        async () => {
          const [found] = await enqueue(broker, [keyed()]);
          return found!.status === 'accepted' ? found : undefined;
        },
        { what: 'the end of the window' },
      );

      expect(answer).toEqual({ status: 'accepted' });
    });

    it('accepts one task per unique key until that is finished', async () => {
      const { broker, peer } = port();
      const keyed = () => newTask({ unique: { key: 'u', ttlMs: 60_000 } });
      const first = keyed();
      expect(await enqueue(broker, [first, keyed()])).toEqual([
        { status: 'accepted' },
        { status: 'duplicate', id: first.id },
      ]);
      const [delivery] = await lease(broker, 1);
      expect(statuses(await enqueue(peer, [keyed()]))).toEqual(['duplicate']);

      await settle(broker, [complete(delivery!, 'u')]);

      expect(statuses(await enqueue(peer, [keyed()]))).toEqual(['accepted']);
    });

    it('accepts one task per id that the caller gave, while that exists', async () => {
      const { broker } = port();
      const own = () => newTask({ id: 'mine', ownId: true });
      expect(statuses(await enqueue(broker, [own()]))).toEqual(['accepted']);
      expect(await enqueue(broker, [own()])).toEqual([{ status: 'duplicate', id: 'mine' }]);

      await settle(broker, [complete((await lease(broker, 1))[0]!)]);

      expect(statuses(await enqueue(broker, [own()]))).toEqual(['accepted']);
    });

    it('is full at maxReady ready tasks, which active and scheduled ones are not', async () => {
      const { broker } = port();
      await enqueue(broker, [...newTasks(4), ...newTasks(5, { due: { afterMs: 60_000 } })]);
      await lease(broker, 2);

      expect(statuses(await enqueue(broker, newTasks(3), { maxReady: 4 }))).toEqual([
        'accepted',
        'accepted',
        'full',
      ]);
    });

    it('keeps queues apart', async () => {
      const { broker } = port();
      await broker.ensureQueue('other');
      await enqueue(broker, [newTask({ id: 'mine', ownId: true, unique: { key: 'u', ttlMs: 60_000 } })]);

      const there = [newTask({ id: 'mine', ownId: true, unique: { key: 'u', ttlMs: 60_000 } })];
      expect(statuses(await enqueue(broker, there, { queue: 'other' }))).toEqual(['accepted']);
      expect(await lease(broker, 5, 'w1', 'other')).toHaveLength(1);
      expect((await broker.counts(QUEUE)).ready.normal).toBe(1);
    });
  });
}
