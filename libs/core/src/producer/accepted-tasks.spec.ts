import { describe, expect, it } from 'vitest';
import type { NewTask } from '../broker/broker.js';
import type { Clock } from '../runtime/clock.js';
import { AcceptedTasks } from './accepted-tasks.js';

const WINDOW_MS = 5000;
const PLENTY = 1024 ** 2;

/** A clock that stands still until it is told otherwise. */
class StoppedClock implements Clock {
  now = 100_000;
  /** How long the machine slept. */
  slept = 0;

  monotonicMs(): number {
    return this.now;
  }
  wallMs(): number {
    return this.now + this.slept;
  }
  after(): never {
    throw new Error('no timer is needed here');
  }
}

function task(id: string, over: Partial<NewTask> = {}): NewTask {
  return { id, type: 't', payload: '1', meta: '', lane: 'normal', ...over };
}

function accepted({ windowMs = WINDOW_MS, maxBytes = PLENTY } = {}) {
  const clock = new StoppedClock();
  const tasks = new AcceptedTasks(clock, windowMs, maxBytes);
  const ids = (channel: string, after: number, upTo: number) =>
    tasks.between(channel, after, upTo).tasks.map((kept) => kept.task.id);
  return { clock, tasks, ids };
}

describe('AcceptedTasks', () => {
  it('has the tasks of the groups asked for, in order, and when each was accepted', () => {
    const { clock, tasks } = accepted();
    const [a, b, c, d] = ['a', 'b', 'c', 'd'].map((id) => task(id)) as [NewTask, NewTask, NewTask, NewTask];
    tasks.add('c', 1, [a]);
    clock.now += 10;
    tasks.add('c', 2, [b, c]);
    clock.now += 10;
    tasks.add('c', 3, [d]);

    expect(tasks.between('c', 1, 3)).toEqual({
      tasks: [
        { task: b, at: 100_010 },
        { task: c, at: 100_010 },
        { task: d, at: 100_020 },
      ],
      forgotten: 0,
    });
    expect(tasks.between('c', 0, 1)).toEqual({ tasks: [{ task: a, at: 100_000 }], forgotten: 0 });
    expect(tasks.between('c', 3, 3)).toEqual({ tasks: [], forgotten: 0 });
  });

  it('keeps channels apart', () => {
    const { tasks, ids } = accepted();
    tasks.add('c', 1, [task('mine')]);
    tasks.add('d', 1, [task('theirs')]);
    tasks.add('d', 2, [task('theirs too')]);

    expect(ids('c', 0, 1)).toEqual(['mine']);
    expect(ids('d', 0, 2)).toEqual(['theirs', 'theirs too']);
    expect(tasks.between('c', 0, 2).forgotten).toBe(1);
    expect(tasks.between('e', 0, 3)).toEqual({ tasks: [], forgotten: 3 });
  });

  it('knows a group without tasks, which is nothing to be missed', () => {
    const { tasks } = accepted();
    tasks.add('c', 1, [task('a')]);
    tasks.add('c', 2, []);

    expect(tasks.between('c', 0, 2)).toMatchObject({ tasks: [{ task: { id: 'a' } }], forgotten: 0 });
  });

  it('answers the same when asked again', () => {
    const { tasks } = accepted();
    tasks.add('c', 1, [task('a')]);

    expect(tasks.between('c', 0, 1)).toEqual(tasks.between('c', 0, 1));
  });
});

describe('what is forgotten', () => {
  it('is what is older than the window, and it is told how many groups that were', () => {
    const { clock, tasks, ids } = accepted();
    tasks.add('c', 1, [task('a'), task('b')]);
    clock.now += WINDOW_MS;
    tasks.add('c', 2, [task('c')]);
    expect(ids('c', 0, 2)).toEqual(['a', 'b', 'c']);

    clock.now += 1;
    tasks.add('c', 3, [task('d')]);
    expect(tasks.between('c', 0, 3)).toMatchObject({
      tasks: [{ task: { id: 'c' } }, { task: { id: 'd' } }],
      forgotten: 1,
    });
  });

  it('is what is older than the window also when only an empty group has come since', () => {
    const { clock, tasks } = accepted();
    tasks.add('c', 1, [task('a')]);
    clock.now += WINDOW_MS + 1;
    tasks.add('c', 2, []);

    expect(tasks.between('c', 0, 1)).toEqual({ tasks: [], forgotten: 1 });
  });

  it('is everything at once when there is no window', () => {
    const { tasks } = accepted({ windowMs: 0 });
    tasks.add('c', 1, [task('a')]);

    expect(tasks.between('c', 0, 1)).toEqual({ tasks: [], forgotten: 1 });
  });

  it('is the oldest when there is no room for all', () => {
    const payload = 'x'.repeat(800);
    const { tasks } = accepted({ maxBytes: 3300 });
    for (let n = 1; n <= 5; n += 1) tasks.add('c', n, [task(`t${n}`, { payload })]);

    expect(tasks.between('c', 0, 5)).toMatchObject({
      tasks: [{ task: { id: 't3' } }, { task: { id: 't4' } }, { task: { id: 't5' } }],
      forgotten: 2,
    });
  });

  it('is the oldest of whichever channel', () => {
    const payload = 'x'.repeat(800);
    const { ids, tasks } = accepted({ maxBytes: 2100 });
    tasks.add('quiet', 1, [task('old', { payload })]);
    for (let n = 1; n <= 2; n += 1) tasks.add('busy', n, [task(`t${n}`, { payload })]);

    expect(ids('quiet', 0, 1)).toEqual([]);
    expect(ids('busy', 0, 2)).toEqual(['t1', 't2']);
  });

  it.each([
    ['a payload', { payload: 'x'.repeat(5000) }],
    ['headers', { meta: 'x'.repeat(5000) }],
  ])('is a group at once whose %s alone are more than there is room for', (_, over) => {
    const { tasks, ids } = accepted({ maxBytes: 4000 });
    tasks.add('c', 1, [task('small')]);
    tasks.add('c', 2, [task('large', over)]);
    expect(tasks.between('c', 0, 2)).toEqual({ tasks: [], forgotten: 2 });

    tasks.add('c', 3, [task('next')]);
    expect(ids('c', 0, 3)).toEqual(['next']);
  });

  it('counts tasks without a payload worth speaking of, too', () => {
    const { tasks, ids } = accepted({ maxBytes: 100_000 });
    for (let n = 1; n <= 2000; n += 1) tasks.add('c', n, [task(`t${n}`)]);
    const kept = ids('c', 0, 2000);

    expect(kept.length).toBeGreaterThan(100);
    expect(kept.length).toBeLessThan(1000);
    expect(kept.at(-1)).toBe('t2000');
  });

  it('leaves the rest in order, however many there were', () => {
    const { clock, tasks, ids } = accepted();
    for (let n = 1; n <= 20_000; n += 1) {
      clock.now += 1;
      tasks.add(n % 2 === 0 ? 'even' : 'odd', n, [task(`t${n}`)]);
    }

    expect(ids('even', 0, 20_000)).toEqual(Array.from({ length: 2501 }, (_, i) => `t${15_000 + 2 * i}`));
    expect(ids('odd', 19_990, 20_000)).toEqual(['t19991', 't19993', 't19995', 't19997', 't19999']);
  });
});

describe('while the broker is away', () => {
  it('nothing grows older, however long that is', () => {
    const { clock, tasks, ids } = accepted();
    tasks.add('c', 1, [task('old')]);
    clock.now += WINDOW_MS - 100;
    tasks.add('c', 2, [task('young')]);
    clock.now += 200; // now the first is too old
    clock.now += 60_000;
    tasks.back(60_000);
    clock.now += 10;

    expect(ids('c', 0, 2)).toEqual(['young']);
    expect(tasks.between('c', 0, 2).forgotten).toBe(1);
    tasks.add('c', 3, [task('new')]);
    expect(ids('c', 0, 3)).toEqual(['young', 'new']);
  });

  it('forgets what Redis has forgotten while the machine slept, though it is young by the steady clock', () => {
    const { clock, tasks, ids } = accepted();
    tasks.add('c', 1, [task('a')]);
    clock.slept = 13 * 60_000;
    expect(ids('c', 0, 1)).toEqual(['a']);
    clock.slept = 15 * 60_000;

    expect(ids('c', 0, 1)).toEqual([]);
  });

  it('counts by the real time when a task was accepted, for what is due later', () => {
    const { clock, tasks } = accepted();
    tasks.add('c', 1, [task('a')]);
    clock.now += 10_000;
    tasks.back(10_000);

    expect(tasks.between('c', 0, 1).tasks).toEqual([{ task: task('a'), at: 100_000 }]);
  });

  it('and back, a channel has time to ask, whatever others do meanwhile', () => {
    const { clock, tasks, ids } = accepted();
    tasks.add('slow', 1, [task('a')]);
    clock.now += 1000;
    tasks.back(1000);
    for (let n = 1; n <= 3; n += 1) {
      clock.now += WINDOW_MS;
      tasks.add('busy', n, [task(`b${n}`)]);
    }
    expect(ids('slow', 0, 1)).toEqual(['a']);

    // It has asked: from now on time counts for it, too.
    tasks.add('slow', 2, []);
    expect(ids('slow', 0, 1)).toEqual([]);
  });

  it('makes old tasks young no more than it was long: an idle producer does not bring back what is done', () => {
    const { clock, tasks, ids } = accepted();
    tasks.add('c', 1, [task('done long ago')]);
    clock.now += 10 * WINDOW_MS;
    tasks.back(100);

    expect(ids('c', 0, 1)).toEqual([]);
  });

  it('does not have what was handed over, which is nothing forgotten', () => {
    const { tasks } = accepted();
    tasks.add('c', 1, [task('a')]);
    tasks.add('c', 2, [task('b')]);
    tasks.add('d', 2, [task('other')]);
    tasks.handOver('c', 1, 2);

    expect(tasks.between('c', 0, 2)).toMatchObject({ tasks: [{ task: { id: 'a' } }], forgotten: 0 });
    expect(tasks.between('d', 0, 2).tasks).toHaveLength(1);
  });
});
