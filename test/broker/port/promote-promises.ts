import { describe, expect, it } from 'vitest';
import { waitFor } from '@taskq/testing';
import { QUEUE } from '../support/keys.js';
import {
  ALL_LANES,
  enqueue,
  field,
  idOf,
  lease,
  leaseOne,
  newTask,
  newTasks,
  type PromoteRequest,
  promoteRequest,
  retry,
  settle,
} from '../support/tasks.js';
import type { Port } from './port.js';

export function promotePromises(port: () => Port): void {
  const promote = (over: Partial<PromoteRequest> = {}) => port().broker.promote(promoteRequest(over));

  /** Until the last of what waits is due. */
  async function allDue(): Promise<void> {
    const { scheduled } = await port().broker.counts(QUEUE);
    const [last] = await port().broker.listScheduled(QUEUE, scheduled - 1, 1);
    await waitFor(() => port().broker.now() > last!.dueAt + 5, { what: 'the last task to be due' });
  }

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
      expect(field(again!, 'meta')).toBe('{"starts":1}');
      expect(field(again!, 'enqueuedAt')).toBe(field(delivery, 'enqueuedAt'));
    });

    it('whose delay is over at once is promoted at once; when it was enqueued may be unknown', async () => {
      const { broker } = port();
      const delivery = await leaseOne(broker);
      const task = { type: 'a', payload: '1', attempt: 1, enqueuedAt: undefined, meta: '' };
      await settle(broker, [retry(delivery, { delayMs: 0, task })]);

      expect(await promote()).toEqual({ onDuty: true, promoted: 1, nextInMs: undefined });

      const [again] = await lease(broker, 1);
      expect(field(again!, 'enqueuedAt')).toBe('');
      expect(await broker.find(QUEUE, idOf(delivery))).toMatchObject({ state: 'active' });
    });
  });

  describe('promote', () => {
    it('moves what is due in the order of time and says when the next is', async () => {
      const { broker } = port();
      const tasks = [30, 10, 20].map((ms) => newTask({ due: { afterMs: ms } }));
      const later = newTask({ due: { at: broker.now() + 600_000 } });
      await enqueue(broker, [...tasks, later]);
      const found: string[] = [];
      await waitFor(
        async () => {
          await promote();
          found.push(...(await lease(broker, 5)).map(idOf));
          return found.length === 3;
        },
        { what: 'three tasks' },
      );

      expect(found).toEqual([tasks[1]!.id, tasks[2]!.id, tasks[0]!.id]);
      const { nextInMs } = await promote();
      expect(nextInMs).toBeGreaterThan(500_000);
      expect(nextInMs).toBeLessThanOrEqual(600_000);
    });

    it('moves a page at a time, and says at once when there is more', async () => {
      const { broker } = port();
      await enqueue(broker, [...newTasks(230, { due: { afterMs: 10 } })]);
      await allDue();

      expect(await promote()).toEqual({ onDuty: true, promoted: 100, nextInMs: 0 });
      expect(await promote()).toEqual({ onDuty: true, promoted: 100, nextInMs: 0 });
      expect(await promote()).toEqual({ onDuty: true, promoted: 30, nextInMs: undefined });
      expect(await broker.counts(QUEUE)).toMatchObject({ scheduled: 0, ready: { normal: 230 } });
    });

    it('puts each task on its lane, and who waits for it is given it', async () => {
      const { broker, peer } = port();
      const tasks = ALL_LANES.map((lane) => newTask({ lane, due: { afterMs: 5 } }));
      await enqueue(broker, tasks);
      // The word that a task will be due comes first.
      const { woken } = await peer.fetch({ consumer: 'w1', blockMs: 100, count: 9, queues: [QUEUE] });
      expect(woken).toHaveLength(1);
      await allDue();

      expect(await promote({ wakeEntryId: woken[0]!.entryId })).toMatchObject({ promoted: 3 });

      for (const { id, lane } of tasks)
        expect(await broker.find(QUEUE, id)).toMatchObject({ state: 'ready', lane });
      const { deliveries } = await peer.fetch({ consumer: 'w1', blockMs: 100, count: 9, queues: [QUEUE] });
      expect(deliveries.map(idOf)).toEqual(tasks.map((task) => task.id));
    });
  });

  describe('the duty of promoting', () => {
    it('is one consumer’s, until another takes it over or it stops calling', async () => {
      const { broker, peer } = port();
      expect(await promote()).toMatchObject({ onDuty: true });
      expect(await peer.promote(promoteRequest({ consumer: 'w2' }))).toMatchObject({ onDuty: false });
      const over = promoteRequest({ consumer: 'w2', takeOver: true, dutyMs: 30 });
      expect(await peer.promote(over)).toMatchObject({ onDuty: true });
      expect(await promote({ dutyMs: 30 })).toMatchObject({ onDuty: false });

      const answer = await waitFor(
        async () => {
          const found = await promote();
          return found.onDuty ? found : undefined;
        },
        { what: 'the duty to be free' },
      );

      expect(answer).toEqual({ onDuty: true, promoted: 0, nextInMs: undefined });
      expect(await broker.promote(promoteRequest())).toMatchObject({ onDuty: true });
    });

    it('is free when it lasts longer than it ever could: a clock that was ahead gave it', async () => {
      const { peer } = port();
      await promote({ dutyMs: 10_000 });

      const late = promoteRequest({ consumer: 'w2', dutyMs: 5_000 });
      expect(await peer.promote(late)).toMatchObject({ onDuty: true });
    });

    it('is what lets a consumer promote, and hear when the next task is due', async () => {
      const { broker, peer } = port();
      await promote();
      await enqueue(broker, newTasks(2, { due: { afterMs: 5 } }));
      await allDue();

      const idle = await peer.promote(promoteRequest({ consumer: 'w2' }));
      expect(idle).toEqual({ onDuty: false, promoted: 0, nextInMs: undefined });

      expect(await promote()).toMatchObject({ promoted: 2 });
    });

    it('is each queue’s own', async () => {
      const { broker, peer } = port();
      await broker.ensureQueue('other');
      await promote();

      expect(await peer.promote(promoteRequest({ queue: 'other', consumer: 'w2' }))).toMatchObject({
        onDuty: true,
      });
    });
  });
}
