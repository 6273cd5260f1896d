import { describe, expect, it } from 'vitest';
import type { EnqueueAnswer, NewTask } from '../broker/broker.js';
import { BrokerError } from '../contract/errors.js';
import { LossAnnouncer } from '../telemetry/loss-announcer.js';
import { type TaskEventMap, TaskEvents } from '../telemetry/task-events.js';
import type { EnqueueCommitter, LostTasks, PendingTask } from './enqueue-committer.js';
import { Reoffer } from './reoffer.js';

const NOW = 60_000;
const RECONNECTED_AT = NOW - 10;

function task(id: string, over: Partial<NewTask> = {}): NewTask {
  return { id, type: 't', payload: `"${id}"`, meta: '', lane: 'normal', ...over };
}

/** Groups 4 to 6 of a channel, answered before the connection broke; three tasks of them are known. */
function lost(over: Partial<LostTasks> = {}): LostTasks {
  return {
    channel: 'p-0',
    after: 3,
    upTo: 6,
    answeredAt: RECONNECTED_AT - 1000,
    tasks: ['a', 'b', 'c'].map((id, i) => ({ task: task(id), at: NOW - 2000 + i })),
    forgotten: 0,
    ...over,
  };
}

/** What happens, in order: events, the queue made anew, and tasks offered. */
function stage(
  answerOf: (task: NewTask) => EnqueueAnswer | BrokerError = () => ({ status: 'accepted' }),
  { reconnects = true, ensures = [] as boolean[], closed = false } = {},
) {
  const log: string[] = [];
  const events = new TaskEvents();
  const told: { lost: TaskEventMap['data.lost'][]; reoffered: TaskEventMap['data.reoffered'][] } = {
    lost: [],
    reoffered: [],
  };
  events.on('data.lost', (event) => {
    log.push('data.lost');
    told.lost.push(event);
  });
  events.on('data.reoffered', (event) => {
    log.push('data.reoffered');
    told.reoffered.push(event);
  });
  const offered: NewTask[] = [];
  const committer = {
    add: (pending: PendingTask) => {
      log.push(`offer ${pending.task.id}`);
      offered.push(pending.task);
      pending.settle(answerOf(pending.task));
    },
  } as EnqueueCommitter;
  const ensure = async (queue: string): Promise<boolean> => {
    await Promise.resolve();
    log.push(`ensure ${queue}`);
    return ensures.shift() ?? true;
  };
  const pauses: number[] = [];
  const clock = {
    now: RECONNECTED_AT,
    monotonicMs: () => clock.now,
    wallMs: () => clock.now,
    after: (ms: number, run: () => void) => {
      pauses.push(ms);
      queueMicrotask(run);
      return () => undefined;
    },
  };
  const closing = closed ? AbortSignal.abort() : new AbortController().signal;
  const losses = new LossAnnouncer(events, clock);
  if (reconnects) losses.reconnected();
  clock.now = NOW;
  const reoffer = new Reoffer({ clock, events, losses, ensure, random: () => 0.5, closing });
  const run = (tasks: LostTasks): Promise<void> => reoffer.lost('orders', tasks, committer);
  return { run, log, told, offered, pauses };
}

describe('tasks that Redis had accepted and lost', () => {
  it('are announced, and offered again once their queue is made anew', async () => {
    const { run, log, told } = stage();
    await run(lost({ forgotten: 2 }));

    expect(log).toEqual(['data.lost', 'ensure orders', 'offer a', 'offer b', 'offer c', 'data.reoffered']);
    expect(told.lost).toEqual([
      {
        loss: 1,
        queue: 'orders',
        how: 'rolled-back',
        seenBy: 'producer',
        ranges: [{ of: 'groups', after: 'p-0/3', upTo: 'p-0/6' }],
        reoffered: 3,
        forgotten: 2,
      },
    ]);
    expect(told.reoffered).toEqual([{ queue: 'orders', accepted: 3, present: 0, failed: 0 }]);
  });

  it('are not offered before their queue is made, however often that fails: its era must be a later one', async () => {
    const { run, log, pauses, told } = stage(undefined, { ensures: [false, false, false] });
    await run(lost());

    const made = Array<string>(4).fill('ensure orders');
    expect(log).toEqual(['data.lost', ...made, 'offer a', 'offer b', 'offer c', 'data.reoffered']);
    expect(pauses).toEqual([50, 100, 200]);
    expect(told.reoffered).toMatchObject([{ accepted: 3, failed: 0 }]);
  });

  it('are not offered at all where that fails until the end, and that is told', async () => {
    const { run, log, told } = stage(undefined, { ensures: [false], closed: true });
    await run(lost());

    expect(log).toEqual(['data.lost', 'ensure orders', 'data.reoffered']);
    expect(told.reoffered).toEqual([{ queue: 'orders', accepted: 0, present: 0, failed: 3 }]);
  });

  it('are of other data where no group of the channel is known any more', async () => {
    const { run, told } = stage();
    await run(lost({ after: 0 }));

    expect(told.lost).toMatchObject([{ how: 'replaced', ranges: [{ after: 'p-0/0' }], reoffered: 3 }]);
  });

  it('are offered as they were, under their own ids, so that one that is there is found', async () => {
    const { run, offered } = stage();
    const whole = task('a', {
      lane: 'high',
      meta: '{"headers":{"x":"y"}}',
      idempotency: { key: 'i', fingerprint: 'f', windowMs: 60_000 },
      unique: { key: 'u', ttlMs: 60_000 },
    });
    await run(lost({ tasks: [{ task: whole, at: NOW - 2000 }] }));

    expect(offered).toEqual([{ ...whole, meta: expect.any(String) as string, ownId: true }]);
    expect(offered[0]).not.toHaveProperty('due');
    expect(whole).not.toHaveProperty('ownId');
  });

  it('begin with more starts than they can have had, so that their fences go on growing', async () => {
    const { run, offered } = stage();
    const metas = ['', '{"headers":{"x":"y"}}', '{"starts":10003,"maxAttempts":2}', '{"starts":499999}'];
    await run(lost({ tasks: metas.map((meta, i) => ({ task: task(`t${i}`, { meta }), at: NOW })) }));

    expect(offered.map(({ meta }) => JSON.parse(meta) as unknown)).toEqual([
      { starts: 10_000 },
      { headers: { x: 'y' }, starts: 10_000 },
      { starts: 20_003, maxAttempts: 2 },
      { starts: 500_000 },
    ]);
  });

  it('keep room for real starts below the next era, however often they are offered again', async () => {
    const { run, offered } = stage();
    let meta = '';
    for (let times = 0; times < 200; times += 1) {
      await run(lost({ tasks: [{ task: task('a', { meta }), at: NOW }] }));
      ({ meta } = offered.at(-1)!);
    }
    expect(JSON.parse(meta)).toEqual({ starts: 500_000 });

    await run(lost({ tasks: [{ task: task('a', { meta: '{"starts":700000}' }), at: NOW }] }));
    expect(offered.at(-1)).toMatchObject({ meta: '{"starts":700000}' });
  });

  it('are due when they would have been', async () => {
    const { run, offered } = stage();
    const due = [
      task('later', { due: { afterMs: 5000 } }),
      task('fraction', { due: { afterMs: 5000 } }),
      task('by now', { due: { afterMs: 500 } }),
      task('by the clock', { due: { at: 1_700_000_000_000 } }),
    ];
    const at = [NOW - 2000, NOW - 2000.4, NOW - 2000, NOW - 2000];
    await run(lost({ tasks: due.map((each, i) => ({ task: each, at: at[i]! })) }));

    expect(offered.map((each) => each.due)).toEqual([
      { afterMs: 3000 },
      { afterMs: 3000 },
      { afterMs: 0 },
      { at: 1_700_000_000_000 },
    ]);
  });

  it('are counted by what became of them: a full queue is a failure, too', async () => {
    const answers: Record<string, EnqueueAnswer | BrokerError> = {
      a: { status: 'duplicate', id: 'a' },
      b: { status: 'conflict', id: 'other' },
      c: { status: 'full' },
      d: new BrokerError('OOM', 'no room'),
      e: { status: 'accepted' },
    };
    const { run, told } = stage(({ id }) => answers[id]!);
    await run(lost({ tasks: Object.keys(answers).map((id) => ({ task: task(id), at: NOW })) }));

    expect(told.reoffered).toEqual([{ queue: 'orders', accepted: 1, present: 2, failed: 2 }]);
  });

  it('that are not known any more are announced, and their queue is made anew', async () => {
    const { run, log, told } = stage();
    await run(lost({ tasks: [], forgotten: 3 }));

    expect(log).toEqual(['data.lost', 'ensure orders']);
    expect(told.lost).toMatchObject([{ how: 'rolled-back', reoffered: 0, forgotten: 3 }]);
  });
});

describe('tasks that are gone though the connection lasted', () => {
  it.each([
    ['answered after it was made', RECONNECTED_AT + 1],
    ['answered as it was made', RECONNECTED_AT],
  ])('were deleted by somebody: not offered again, %s', async (_, answeredAt) => {
    const { run, log, told } = stage();
    await run(lost({ answeredAt }));

    expect(log).toEqual(['data.lost', 'ensure orders']);
    expect(told.lost).toMatchObject([{ how: 'deleted', reoffered: 0, forgotten: 0 }]);
  });

  it('were deleted, too, when it never broke and nothing is known any more', async () => {
    const { run, told, offered } = stage(undefined, { reconnects: false });
    await run(lost({ after: 0 }));

    expect(told.lost).toMatchObject([{ how: 'deleted' }]);
    expect(offered).toEqual([]);
  });
});
