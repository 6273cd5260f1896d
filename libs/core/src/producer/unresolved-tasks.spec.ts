import { describe, expect, it } from 'vitest';
import type { Broker, EnqueueAnswer, EnqueueGroup, NewTask } from '../broker/broker.js';
import { BrokerTimeoutError, EnqueueOutcomeUnknownError } from '../contract/errors.js';
import { systemClock } from '../runtime/clock.js';
import type { TaskOutcome } from './enqueue-channel.js';
import { EnqueueCommitter } from './enqueue-committer.js';
import { UnresolvedTasks } from './unresolved-tasks.js';

function task(id: string, over: Partial<NewTask> = {}): NewTask {
  return { id, type: 't', payload: '1', meta: '', lane: 'normal', ...over };
}

const ACCEPTED = { status: 'accepted' } as const;

describe('UnresolvedTasks', () => {
  it('knows nothing of a task that was never in doubt', async () => {
    const tasks = new UnresolvedTasks();

    expect(tasks.has('a')).toBe(false);
    expect(await tasks.whetherAccepted('a')).toBe(false);
  });

  it('tells everybody who waits when it is known, each task by itself', async () => {
    const tasks = new UnresolvedTasks();
    const group = ['a', 'b', 'c'].map((id) => task(id));
    tasks.add(group);
    expect(group.every(({ id }) => tasks.has(id))).toBe(true);
    const asked = ['a', 'a', 'b', 'c'].map((id) => tasks.whetherAccepted(id));
    tasks.resolve(group, [ACCEPTED, { status: 'full' }, { status: 'conflict', id: 'x' }]);

    expect(await Promise.all(asked)).toEqual([true, true, false, false]);
  });

  it('remembers that a task was accepted, and forgets one that was not: it may be enqueued anew', async () => {
    const tasks = new UnresolvedTasks();
    const group = [task('a'), task('b')];
    tasks.add(group);
    tasks.resolve(group, [ACCEPTED, { status: 'full' }]);

    expect([tasks.has('a'), tasks.has('b')]).toEqual([true, false]);
    expect(await tasks.whetherAccepted('a')).toBe(true);
  });

  it('tells that none was accepted when the group was not applied', async () => {
    const tasks = new UnresolvedTasks();
    tasks.add([task('a')]);
    const asked = tasks.whetherAccepted('a');
    tasks.resolve([task('a')], undefined);

    expect(await asked).toBe(false);
    expect(tasks.has('a')).toBe(false);
  });

  it('remembers so many, the oldest are forgotten', () => {
    const tasks = new UnresolvedTasks();
    for (let n = 0; n < 10_002; n += 1) tasks.resolve([task(`t${n}`)], [ACCEPTED]);

    expect(['t0', 't1', 't2', 't10001'].map((id) => tasks.has(id))).toEqual([false, false, true, true]);
  });
});

describe('a task that is enqueued again under the id of an unknown outcome', () => {
  /** A committer whose first group is written, or not, and never answered. */
  function committerAfterSilence(resolved: readonly EnqueueAnswer[] | undefined) {
    const groups: EnqueueGroup[] = [];
    let silent = true;
    const broker = {
      enqueue: async (group: EnqueueGroup) => {
        groups.push(group);
        if (silent) throw new BrokerTimeoutError('TIMEOUT', 'no answer');
        return { answers: group.tasks.map(() => ACCEPTED), lostAfter: undefined };
      },
      resolveGroup: async () => resolved,
    } as Partial<Broker> as Broker;
    const committer: EnqueueCommitter = new EnqueueCommitter({
      broker,
      clock: systemClock,
      queue: 'orders',
      name: 'p',
      durability: 'accepted',
      maxReady: 0,
      timeoutMs: 1000,
      keep: { windowMs: 0, bytes: 0 },
      random: () => 0.5,
      unresolved: new UnresolvedTasks(),
      resolveAll: () => committer.resolve(),
      lost: () => undefined,
    });
    const add = (added: NewTask): Promise<TaskOutcome> =>
      new Promise((settle) => committer.add({ task: added, settle }));
    const speak = (): void => void (silent = false);
    return { add, speak, groups };
  }

  async function twice(resolved: readonly EnqueueAnswer[] | undefined) {
    const { add, speak, groups } = committerAfterSilence(resolved);
    const first = await add(task('mine'));
    speak();
    const second = await add(task('mine', { ownId: true }));
    return { first, second, written: groups.flatMap(({ tasks }) => tasks).length - 1 };
  }

  it('is a duplicate of the first copy when that was accepted, whatever has become of it', async () => {
    const { first, second, written } = await twice([ACCEPTED]);

    expect(first).toBeInstanceOf(EnqueueOutcomeUnknownError);
    expect(second).toEqual({ status: 'duplicate', id: 'mine' });
    expect(written).toBe(0);
  });

  it.each([
    ['was not written and never will be', undefined],
    ['found the queue full', [{ status: 'full' }]],
  ] as const)('is written when the first copy %s', async (_, resolved) => {
    expect(await twice(resolved)).toMatchObject({ second: ACCEPTED, written: 1 });
  });

  it('is a duplicate of whatever the first copy was a duplicate of', async () => {
    const { second } = await twice([{ status: 'duplicate', id: 'another' }]);

    expect(second).toEqual({ status: 'duplicate', id: 'another' });
  });
});
