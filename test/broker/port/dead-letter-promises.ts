import { describe, expect, it } from 'vitest';
import { QUEUE } from '../support/keys.js';
import {
  deadLetterOf,
  type Delivery,
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

export function deadLetterPromises(port: () => Port): void {
  const letters = (after = '', limit = 100) => port().broker.listDeadLetters(QUEUE, after, limit);

  async function bury(tasks: readonly ReturnType<typeof newTask>[]): Promise<readonly Delivery[]> {
    const { broker } = port();
    await enqueue(broker, tasks);
    const deliveries = await lease(broker, tasks.length);
    await settle(
      broker,
      deliveries.map((delivery) => deadLetterOf(delivery)),
    );
    return deliveries;
  }

  describe('dead letters', () => {
    it('are kept with their provenance, oldest first, page by page', async () => {
      const { broker } = port();
      const deliveries = await bury(newTasks(5, { lane: 'low' }));

      const first = await letters('', 3);
      const rest = await letters(first.at(-1)!.entryId, 3);

      expect([...first, ...rest].map((letter) => letter.id)).toEqual(deliveries.map(idOf));
      expect(await letters(rest.at(-1)!.entryId)).toEqual([]);
      expect(await broker.listDeadLetters('nowhere', '', 3)).toEqual([]);
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
      expect(Math.abs(first[0]!.diedAt - broker.now())).toBeLessThan(10_000);
    });

    it('are listed a hundred at a time at most', async () => {
      await bury(newTasks(130));

      expect(await letters('', 1_000)).toHaveLength(100);
    });

    it('are replayed on their lane with the attempt reset, once', async () => {
      const { broker } = port();
      const [delivery] = await bury([newTask({ lane: 'high' })]);
      const dead = await letters();

      expect(await broker.replay(QUEUE, [...dead, { entryId: '1-1', id: 'nobody' }])).toBe(1);
      expect(await broker.replay(QUEUE, dead)).toBe(0);
      expect(await broker.replay(QUEUE, [])).toBe(0);

      const [again, ...others] = await lease(broker, 5);
      expect(others).toEqual([]);
      expect(again).toMatchObject({ lane: 'high', delivery: 1 });
      expect(idOf(again!)).toBe(idOf(delivery!));
      expect(field(again!, 'attempt') ?? '1').toBe('1');
      expect(field(again!, 'meta')).toBe('{"replays":1}');
      expect(field(again!, 'payload')).toBe('{"n":1}');
      expect(await letters()).toEqual([]);
    });

    it('that were no tasks are replayed as they were; ones that cannot be read stay', async () => {
      const { broker } = port();
      await enqueue(broker, newTasks(3));
      const [list, broken, odd] = await lease(broker, 3);
      const fields = ['no', 'task', 'a', '{"b":"\\n"}'];
      await settle(broker, [
        deadLetterOf(list!, { id: 'x1', raw: JSON.stringify(fields), reason: 'malformed' }),
        deadLetterOf(broken!, { id: 'x2', raw: '{"a":' }),
        deadLetterOf(odd!, { id: 'x3', raw: '["a"]' }),
      ]);
      const dead = await letters();
      expect(dead.map((letter) => letter.raw)).toEqual([JSON.stringify(fields), '{"a":', '["a"]']);

      expect(await broker.replay(QUEUE, dead)).toBe(1);

      expect((await lease(broker, 5)).map((each) => each.fields)).toEqual([fields]);
      expect((await letters()).map((letter) => letter.id)).toEqual(['x2', 'x3']);
      expect(await broker.find(QUEUE, 'x1')).toMatchObject({ state: 'active' });
    });

    it('are given to who waits when they are replayed', async () => {
      const { broker, peer } = port();
      const [delivery] = await bury([newTask()]);
      const waiting = peer.fetch({ consumer: 'w2', blockMs: 15_000, count: 5, queues: [QUEUE] });

      await broker.replay(QUEUE, await letters());

      expect((await waiting).deliveries.map(idOf)).toEqual([idOf(delivery!)]);
    });

    it('are deleted for good, but never the task of one that was replayed', async () => {
      const { broker } = port();
      await bury(newTasks(2));
      const dead = await letters();
      await broker.replay(QUEUE, [dead[0]!]);

      expect(await broker.deleteDeadLetters(QUEUE, [...dead, { entryId: '1-1', id: 'nobody' }])).toBe(1);
      expect(await broker.deleteDeadLetters(QUEUE, dead)).toBe(0);

      expect(await broker.find(QUEUE, dead[0]!.id)).toMatchObject({ state: 'ready' });
      expect(await broker.find(QUEUE, dead[1]!.id)).toBeUndefined();
      expect((await broker.counts(QUEUE)).dead).toBe(0);
    });

    it('of a task that died again are deleted one by one', async () => {
      const { broker } = port();
      const [delivery] = await bury([newTask()]);
      const [first] = await letters();
      await broker.replay(QUEUE, [first!]);
      const [again] = await lease(broker, 1);
      await settle(broker, [deadLetterOf(again!)]);

      expect(await broker.deleteDeadLetters(QUEUE, [first!])).toBe(0);
      const [second] = await letters();
      expect(await broker.find(QUEUE, idOf(delivery!))).toEqual({ state: 'dead', letter: second });
    });

    it('are deleted without the task that has their id by now', async () => {
      const { broker } = port();
      const [delivery] = await bury([newTask()]);
      await enqueue(broker, [newTask({ id: idOf(delivery!) })]);

      expect(await broker.deleteDeadLetters(QUEUE, await letters())).toBe(1);

      expect(await broker.find(QUEUE, idOf(delivery!))).toMatchObject({ state: 'ready' });
    });

    it('are replayed and deleted in any number', async () => {
      const { broker } = port();
      await bury(newTasks(130));
      const dead = [...(await letters()), ...(await letters((await letters()).at(-1)!.entryId))];

      expect(await broker.deleteDeadLetters(QUEUE, dead.slice(0, 10))).toBe(10);
      expect(await broker.replay(QUEUE, dead)).toBe(120);

      expect(await broker.counts(QUEUE)).toMatchObject({ dead: 0, ready: { normal: 120 } });
    });
  });

  describe('a task that dies', () => {
    it('may have been enqueued nobody knows when', async () => {
      const { broker } = port();
      const delivery = await leaseOne(broker);
      const task = { type: '', payload: '', attempt: 1, enqueuedAt: undefined, meta: '' };

      await settle(broker, [deadLetterOf(delivery, { task, raw: '[]' })]);

      expect(await letters()).toMatchObject([{ enqueuedAt: undefined, type: '', payload: '', raw: '[]' }]);
    });
  });
}
