import { beforeEach, describe, expect, it } from 'vitest';
import type { Broker, EnqueueAnswer, EnqueueGroup, NewTask } from '../broker/broker.js';
import {
  type BrokerError,
  BrokerTimeoutError,
  DurabilityUnavailableError,
  EnqueueOutcomeUnknownError,
} from '../contract/errors.js';
import { systemClock } from '../runtime/clock.js';
import type { TaskOutcome } from './enqueue-channel.js';
import { EnqueueCommitter } from './enqueue-committer.js';
import { UnresolvedTasks } from './unresolved-tasks.js';
import { WaitingBytes } from './waiting-line.js';

function task(id: string, over: Partial<NewTask> = {}): NewTask {
  return { id, type: 't', payload: '1', meta: '', lane: 'normal', ...over };
}

const ACCEPTED = { status: 'accepted' } as const;

describe('UnresolvedTasks', () => {
  it('knows nothing of a task that was never in doubt', async () => {
    const tasks = new UnresolvedTasks();

    expect(tasks.has('a')).toBe(false);
    expect(await tasks.acceptedAs('a')).toBe(false);
  });

  it('knows nothing of what was accepted once the broker has lost something; doubts remain', async () => {
    const tasks = new UnresolvedTasks();
    tasks.add([task('accepted'), task('forgotten'), task('doubtful')]);
    tasks.resolve([task('accepted')], [ACCEPTED]);
    tasks.resolve([task('forgotten')], 'forgotten');
    tasks.lost();

    const ids = ['accepted', 'forgotten', 'doubtful'];
    expect(ids.map((id) => tasks.has(id))).toEqual([false, true, true]);
    // What was accepted and is lost may have run before.
    expect(ids.map((id) => tasks.mayHaveRun(id))).toEqual([true, false, false]);
  });

  it('knows of a task that is gone that it may have run, until it is accepted again', async () => {
    const tasks = new UnresolvedTasks();
    tasks.add([task('a')]);
    const asked = tasks.acceptedAs('a');
    tasks.resolve([task('a')], 'gone');

    expect(await asked).toBe(false);
    expect([tasks.has('a'), tasks.mayHaveRun('a')]).toEqual([false, true]);
    expect(await tasks.acceptedAs('a')).toBe(false);
    // Another copy that was not applied says nothing of the first.
    tasks.add([task('a')]);
    tasks.resolve([task('a')], 'not-applied');
    expect(tasks.mayHaveRun('a')).toBe(true);
    tasks.accepted('a');
    expect(tasks.mayHaveRun('a')).toBe(false);
  });

  it('tells everybody who waits when it is known, each task by itself', async () => {
    const tasks = new UnresolvedTasks();
    const group = ['a', 'b', 'c'].map((id) => task(id));
    tasks.add(group);
    expect(group.every(({ id }) => tasks.has(id))).toBe(true);
    const asked = ['a', 'a', 'b', 'c'].map((id) => tasks.acceptedAs(id));
    tasks.resolve(group, [ACCEPTED, { status: 'full' }, { status: 'conflict', id: 'x' }]);

    expect(await Promise.all(asked)).toEqual(['a', 'a', false, false]);
  });

  it('takes an id for accepted when one of several tasks with it was, whichever', async () => {
    for (const answers of [
      [{ status: 'conflict', id: 'x' }, ACCEPTED, { status: 'duplicate', id: 'a' }],
      [ACCEPTED, { status: 'full' }, { status: 'full' }],
    ] as const) {
      const tasks = new UnresolvedTasks();
      const group = [task('a'), task('a'), task('a')];
      tasks.add(group);
      const asked = tasks.acceptedAs('a');
      tasks.resolve(group, answers);

      expect(await asked).toBe('a');
      expect(await tasks.acceptedAs('a')).toBe('a');
    }
  });

  it('does not say of an id that it is not there before every group with it is known', async () => {
    const tasks = new UnresolvedTasks();
    tasks.add([task('a')]);
    tasks.add([task('a')]);
    let told: string | false | undefined = 'nothing';
    const asked = tasks.acceptedAs('a').then((accepted) => (told = accepted));
    tasks.resolve([task('a')], 'not-applied');
    await Promise.resolve();
    expect([told, tasks.has('a')]).toEqual(['nothing', true]);
    tasks.resolve([task('a')], [ACCEPTED]);

    expect(await asked).toBe('a');
    expect(await tasks.acceptedAs('a')).toBe('a');
  });

  it('names the task that it was a duplicate of, also when something is lost at that very moment', async () => {
    const tasks = new UnresolvedTasks();
    tasks.add([task('a')]);
    const asked = tasks.acceptedAs('a');
    tasks.resolve([task('a')], [{ status: 'duplicate', id: 'first' }]);
    const later = tasks.acceptedAs('a');
    tasks.lost();

    expect(await asked).toBe('first');
    expect(await later).toBe('first');
  });

  it('remembers that a task was accepted, and forgets one that was not: it may be enqueued anew', async () => {
    const tasks = new UnresolvedTasks();
    const group = [task('a'), task('b')];
    tasks.add(group);
    tasks.resolve(group, [ACCEPTED, { status: 'full' }]);

    expect([tasks.has('a'), tasks.has('b')]).toEqual([true, false]);
    expect(await tasks.acceptedAs('a')).toBe('a');
  });

  it('tells that none was accepted when the group was not applied', async () => {
    const tasks = new UnresolvedTasks();
    tasks.add([task('a')]);
    const asked = tasks.acceptedAs('a');
    tasks.resolve([task('a')], 'not-applied');

    expect(await asked).toBe(false);
    expect(tasks.has('a')).toBe(false);
  });

  it('tells once that nobody can tell any more: to those who wait, or else to the next who asks', async () => {
    const tasks = new UnresolvedTasks();
    const group = [task('a'), task('b')];
    tasks.add(group);
    const asked = tasks.acceptedAs('a');
    tasks.resolve(group, 'forgotten');

    expect(await asked).toBeUndefined();
    expect([tasks.has('a'), tasks.has('b')]).toEqual([false, true]);
    expect(await tasks.acceptedAs('b')).toBeUndefined();
    expect(tasks.has('b')).toBe(false);
    expect(await tasks.acceptedAs('b')).toBe(false);
  });

  it('remembers so many, the oldest are forgotten', () => {
    const tasks = new UnresolvedTasks();
    for (let n = 0; n < 10_002; n += 1) tasks.resolve([task(`t${n}`)], [ACCEPTED]);

    expect(['t0', 't1', 't2', 't10001'].map((id) => tasks.has(id))).toEqual([false, false, true, true]);
  });
});

describe('a task that is enqueued again under the id of an unknown outcome', () => {
  const clock = { ...systemClock, later: 0, monotonicMs: () => systemClock.monotonicMs() + clock.later };
  beforeEach(() => void (clock.later = 0));

  /** Two committers of a queue, of which the first's first group is written, or not, and never answered. */
  function committersAfterSilence(resolved: readonly EnqueueAnswer[] | undefined) {
    const groups: EnqueueGroup[] = [];
    let silent = true;
    let refusal: BrokerError | undefined;
    const broker = {
      enqueue: async (group: EnqueueGroup) => {
        groups.push(group);
        if (silent) throw new BrokerTimeoutError('TIMEOUT', 'no answer');
        if (refusal) throw refusal;
        return { answers: group.tasks.map(() => ACCEPTED), lostAfter: undefined };
      },
      resolveGroup: async () => resolved,
    } as Partial<Broker> as Broker;
    const unresolved = new UnresolvedTasks();
    const [plain, safer] = (['accepted', { replicated: 1 }] as const).map(
      (durability, i) =>
        new EnqueueCommitter({
          broker,
          clock,
          ...{ queue: 'orders', partition: 'orders', partitions: 1, underWay: { tasks: 0 } },
          name: `p${i}`,
          durability,
          maxReady: 0,
          timeoutMs: 1000,
          waiting: new WaitingBytes(1024 ** 2),
          keep: { windowMs: 0, bytes: 0 },
          random: () => 0.5,
          unresolved,
          resolveAll: () => [plain, safer].forEach((committer) => committer.resolve()),
          lost: () => undefined,
        }),
    ) as [EnqueueCommitter, EnqueueCommitter];
    const add = (added: NewTask, committer = plain): Promise<TaskOutcome> =>
      new Promise((settle) => committer.add({ task: added, settle }));
    const speak = (error?: BrokerError): void => {
      silent = false;
      refusal = error;
    };
    return { add, speak, groups, safer };
  }

  async function twice(resolved: readonly EnqueueAnswer[] | undefined, laterMs = 0) {
    const { add, speak, groups } = committersAfterSilence(resolved);
    const first = await add(task('mine'));
    speak();
    clock.later = laterMs;
    const again = (): Promise<TaskOutcome> => add(task('mine', { ownId: true }));
    const second = await again();
    return { first, second, again, written: groups.flatMap(({ tasks }) => tasks).length - 1 };
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

  it('is of unknown outcome still, when the first copy was sent so long ago that nobody knows of it', async () => {
    const { second, written, again } = await twice(undefined, 14 * 60_000);

    expect(second).toBeInstanceOf(EnqueueOutcomeUnknownError);
    expect(written).toBe(0);
    // Who enqueues it once more wants it to run, even if it has.
    expect(await again()).toEqual(ACCEPTED);
  });

  it('is a duplicate only once the first copy is as safe as it is asked to be now', async () => {
    const { add, speak, groups, safer } = committersAfterSilence([ACCEPTED]);
    await add(task('mine'));
    speak(new BrokerTimeoutError('UNCONFIRMED', '0 of 1 in time'));
    const again = (): Promise<TaskOutcome> => add(task('mine', { ownId: true }), safer);

    expect(await again()).toBeInstanceOf(EnqueueOutcomeUnknownError);
    speak(new DurabilityUnavailableError('replicated(1)', 'there is none', 'add one'));
    expect(await again()).toBeInstanceOf(DurabilityUnavailableError);
    speak();
    expect(await again()).toEqual({ status: 'duplicate', id: 'mine' });
    // It asked by groups without tasks.
    expect(groups.at(-1)).toMatchObject({ durability: { replicated: 1 }, tasks: [] });
    expect(groups.slice(1).flatMap(({ tasks }) => tasks)).toEqual([]);
  });

  it('is a duplicate of whatever the first copy was a duplicate of', async () => {
    const { second } = await twice([{ status: 'duplicate', id: 'another' }]);

    expect(second).toEqual({ status: 'duplicate', id: 'another' });
  });
});
