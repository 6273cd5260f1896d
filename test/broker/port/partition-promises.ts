import { describe, expect, it } from 'vitest';
import { QUEUE } from '../support/keys.js';
import { complete, deadLetterOf, enqueue, groupOf, lease, newTask, settle } from '../support/tasks.js';
import { type Port, refusedAs } from './port.js';

/** What is recorded of how a queue is split, and what comes of it. */
export function partitionPromises(port: () => Port): void {
  const record = (partitions: number, over: { otherwise?: number; known?: number } = {}): Promise<number> =>
    port().broker.recordPartitions({ queue: QUEUE, partitions, otherwise: 1, ...over });

  describe('the number of partitions', () => {
    it('is not recorded at first, and known to everybody once it is', async () => {
      const { peer } = port();
      expect(await peer.recordedPartitions(QUEUE)).toBeUndefined();

      expect(await record(3)).toBe(3);

      expect(await peer.recordedPartitions(QUEUE)).toBe(3);
      expect(await record(3)).toBe(3);
    });

    it('is recorded where tasks are kept that way already', async () => {
      await enqueue(port().broker, [newTask()]);

      expect(await record(3, { otherwise: 3 })).toBe(3);
    });

    it('stays as it is while anything is kept: ready, active, waiting or dead', async () => {
      const { broker } = port();
      await enqueue(broker, [newTask()]);
      expect(await record(3)).toBe(1);
      const [delivery] = await lease(broker, 1);
      expect(await record(3)).toBe(1);
      await settle(broker, [deadLetterOf(delivery!)]);
      expect(await record(3)).toBe(1);
      await broker.deleteDeadLetters(QUEUE, await broker.listDeadLetters(QUEUE, '', 1));
      await enqueue(broker, [newTask({ due: { afterMs: 60_000 } })]);
      expect(await record(3)).toBe(1);

      expect(await broker.recordedPartitions(QUEUE)).toBeUndefined();
    });

    it('changes when nothing is kept any more', async () => {
      const { broker } = port();
      await record(3);
      await broker.enqueue(groupOf([newTask()], { partitions: 3 }));
      await settle(broker, [complete((await lease(broker, 1))[0]!)]);
      expect(await record(2)).toBe(2);
    });

    it('changes only from what it was known to be', async () => {
      await record(3);

      expect(await record(2, { known: 1 })).toBe(3);
      expect(await record(2, { known: 3 })).toBe(2);
      expect(await record(2, { known: 1 })).toBe(2);
    });

    it('that a group believes in must be the one that is recorded', async () => {
      const { broker, peer } = port();
      await record(3);
      const group = groupOf([newTask()]);

      await expect(peer.enqueue(group)).rejects.toSatisfy(refusedAs('LAYOUT'));
      await expect(peer.enqueue({ ...group, partitions: 2 })).rejects.toSatisfy(refusedAs('LAYOUT'));
      expect((await broker.counts(QUEUE)).ready.normal).toBe(0);

      expect((await peer.enqueue({ ...group, partitions: 3 })).answers).toEqual([{ status: 'accepted' }]);
    });

    it('does not matter to a group that was applied before it was recorded', async () => {
      const { broker } = port();
      const group = groupOf([newTask()]);
      const first = await broker.enqueue(group);
      await settle(broker, [complete((await lease(broker, 1))[0]!)]);
      await record(3);

      expect(await broker.enqueue(group)).toEqual(first);
    });
  });
}
