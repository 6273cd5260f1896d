import { describe, expect, it } from 'vitest';
import { BrokerTimeoutError, DurabilityUnavailableError } from '@taskq/core';
import { QUEUE } from '../support/keys.js';
import { complete, groupOf, lease, newTask, newTasks, settle } from '../support/tasks.js';
import { type Port, refusedAs, statuses } from './port.js';

/** What holds for a group as a whole: one of a producer's channel. */
export function groupPromises(port: () => Port): void {
  const ready = async (): Promise<number> => (await port().broker.counts(QUEUE)).ready.normal;

  describe('a group', () => {
    it('sent again changes nothing and is answered the same, at any time and by any process', async () => {
      const { broker, peer } = port();
      const group = groupOf([newTask(), newTask({ due: { afterMs: 60_000 } })]);
      const first = await broker.enqueue(group);
      expect(await peer.enqueue(group)).toEqual(first);
      await settle(broker, [complete((await lease(broker, 5))[0]!)]);

      expect(await broker.enqueue(group)).toEqual(first);

      expect(await broker.counts(QUEUE)).toMatchObject({ ready: { normal: 0 }, active: 0, scheduled: 1 });
    });

    it('is answered the same also where tasks were refused, though by now they would not be', async () => {
      const { broker } = port();
      const unique = { key: 'u', ttlMs: 60_000 };
      const first = newTask({ unique });
      await broker.enqueue(groupOf([first]));
      const group = groupOf([newTask({ unique }), ...newTasks(2)], { maxReady: 2 });
      const answers = [{ status: 'duplicate', id: first.id }, { status: 'accepted' }, { status: 'full' }];
      expect((await broker.enqueue(group)).answers).toEqual(answers);
      await settle(
        broker,
        (await lease(broker, 5)).map((each) => complete(each, 'u')),
      );

      expect((await broker.enqueue(group)).answers).toEqual(answers);

      expect(await ready()).toBe(0);
    });

    it('is refused when a later one of its channel was applied', async () => {
      const { broker, peer } = port();
      await broker.enqueue(groupOf([newTask()], { channel: 'c', sequence: 2 }));

      const late = peer.enqueue(groupOf([newTask()], { channel: 'c', sequence: 1 }));
      await expect(late).rejects.toSatisfy(refusedAs('LATE'));
      await expect(late).rejects.toBeInstanceOf(BrokerTimeoutError);

      expect(await ready()).toBe(1);
    });

    it('whose answer was lost can be asked about, by any process', async () => {
      const { broker, peer } = port();
      const group = groupOf([newTask(), newTask()], { maxReady: 1 });
      await broker.enqueue(group);

      const answers = [{ status: 'accepted' }, { status: 'full' }];
      expect(await peer.resolveGroup(group)).toEqual(answers);
      expect((await peer.enqueue(group)).answers).toEqual(answers);
    });

    it('that was not applied when it was asked about never will be; the next one is', async () => {
      const { broker, peer } = port();
      const group = groupOf([newTask()], { channel: 'c', sequence: 3 });
      expect(await peer.resolveGroup(group)).toBeUndefined();
      expect(await peer.resolveGroup(group)).toBeUndefined();

      await expect(broker.enqueue(group)).rejects.toSatisfy(refusedAs('LATE'));

      expect(await ready()).toBe(0);
      expect(statuses((await broker.enqueue({ ...group, sequence: 4 })).answers)).toEqual(['accepted']);
      await expect(peer.resolveGroup(group)).rejects.toSatisfy(refusedAs('LATE'));
    });

    it('is told which groups before it are gone, and applied nevertheless', async () => {
      const { broker } = port();
      const send = (sequence: number, after: number, channel = 'c') =>
        broker.enqueue(groupOf([newTask()], { channel, sequence, after }));

      expect((await send(1, 0)).lostAfter).toBeUndefined();
      expect((await send(2, 1)).lostAfter).toBeUndefined();
      expect((await send(7, 5)).lostAfter).toBe(2);
      expect((await send(7, 5)).lostAfter).toBe(2);
      expect((await send(8, 7)).lostAfter).toBeUndefined();
      expect((await send(4, 3, 'another')).lostAfter).toBe(0);
      expect(await ready()).toBe(5);
    });

    it('is told what was gone before one that nobody heard of, or that was given up', async () => {
      const { broker, peer } = port();
      const group = (sequence: number, after: number, channel = 'c') =>
        groupOf([newTask()], { channel, sequence, after });
      await broker.enqueue(group(3, 0));
      await broker.enqueue(group(6, 5)); // its answer is lost
      expect(await peer.resolveGroup(group(6, 5))).toEqual([{ status: 'accepted' }]);
      expect((await broker.enqueue(group(7, 5))).lostAfter).toBe(3);
      expect((await broker.enqueue(group(8, 7))).lostAfter).toBeUndefined();

      expect(await peer.resolveGroup(group(11, 10))).toBeUndefined();
      expect(await peer.resolveGroup(group(12, 10))).toBeUndefined();
      expect((await broker.enqueue(group(13, 10))).lostAfter).toBe(8);
      expect(await peer.resolveGroup(group(2, 1, 'd'))).toBeUndefined();
      expect((await broker.enqueue(group(3, 1, 'd'))).lostAfter).toBe(0);
    });

    it('may be empty: it asks what is known, and is known itself', async () => {
      const { broker } = port();
      const ask = (sequence: number, after: number) =>
        broker.enqueue(groupOf([], { channel: 'c', sequence, after }));

      expect(await ask(1, 0)).toEqual({ answers: [], lostAfter: undefined });
      expect(await ask(2, 1)).toEqual({ answers: [], lostAfter: undefined });
      expect(await ask(6, 5)).toEqual({ answers: [], lostAfter: 2 });
      expect(await ready()).toBe(0);
    });

    it('of one channel says nothing of another’s, nor of another queue’s', async () => {
      const { broker } = port();
      await broker.ensureQueue('other');
      const group = groupOf([newTask()], { channel: 'c', sequence: 5 });
      await broker.enqueue(group);

      for (const over of [{ channel: 'd' }, { queue: 'other' }]) {
        const reply = await broker.enqueue({ ...group, ...over, sequence: 1, tasks: [newTask()] });
        expect(statuses(reply.answers)).toEqual(['accepted']);
      }
    });

    it('is refused, and nothing written, when its durability cannot be had', async () => {
      const { broker } = port();
      const group = groupOf([newTask()], { durability: { replicated: 16 } });

      await expect(broker.enqueue(group)).rejects.toBeInstanceOf(DurabilityUnavailableError);

      expect(await ready()).toBe(0);
    });

    it('may come before the queue was made: whoever reads first makes the group and is given it', async () => {
      const { broker, peer } = port();
      const tasks = newTasks(2);
      await broker.enqueue(groupOf(tasks, { queue: 'new' }));
      expect((await broker.counts('new')).ready.normal).toBe(2);
      await expect(peer.fetch({ consumer: 'w1', blockMs: 20, count: 5, queues: ['new'] })).rejects.toSatisfy(
        refusedAs('NOGROUP'),
      );

      const answer = await settle(peer, [], { queue: 'new', want: 5 });

      expect(answer).toMatchObject({ recreated: true, stale: [] });
      expect(answer.deliveries).toHaveLength(2);
      expect(await settle(peer, [], { queue: 'new', want: 5 })).toMatchObject({ recreated: false });
    });
  });
}
