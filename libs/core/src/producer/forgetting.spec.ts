import { describe, expect, it } from 'vitest';
import type { NewTask } from '../broker/broker.js';
import type { Clock } from '../runtime/clock.js';
import { AcceptedTasks } from './accepted-tasks.js';
import { Forgetting } from './forgetting.js';

const WINDOW_MS = 5000;
const TASK: NewTask = { id: 'a', type: 't', payload: '1', meta: '', lane: 'normal' };

/** A clock that is told to move, and has one timer at most. */
class OneTimer implements Clock {
  now = 100_000;
  timer: { readonly at: number; readonly run: () => void } | undefined;

  monotonicMs(): number {
    return this.now;
  }

  wallMs(): number {
    return this.now;
  }

  after(ms: number, run: () => void): () => void {
    if (this.timer) throw new Error('one timer is enough');
    const timer = { at: this.now + ms, run };
    this.timer = timer;
    return () => {
      if (this.timer === timer) this.timer = undefined;
    };
  }

  /** Lets time pass, and whatever is due run. */
  async pass(ms: number): Promise<void> {
    const end = this.now + ms;
    while (this.timer && this.timer.at <= end) {
      const { at, run } = this.timer;
      this.now = at;
      this.timer = undefined;
      run();
      for (let turn = 0; turn < 5; turn += 1) await Promise.resolve();
    }
    this.now = end;
  }
}

function stage() {
  const clock = new OneTimer();
  const tasks = new AcceptedTasks(clock, WINDOW_MS, 1024 ** 2);
  const broker = { pings: 0, away: false };
  const ping = async (): Promise<void> => {
    broker.pings += 1;
    if (broker.away) throw new Error('away');
  };
  const forgetting = new Forgetting(tasks, { clock, everyMs: WINDOW_MS, ping });
  const add = (sequence: number): void => {
    tasks.add('c', sequence, [TASK]);
    forgetting.arm();
  };
  return { clock, tasks, broker, forgetting, add };
}

describe('what a producer keeps that enqueues nothing more', () => {
  it('is let go when its time is over, and no timer is left', async () => {
    const { clock, tasks, add } = stage();
    add(1);
    await clock.pass(WINDOW_MS);
    expect(tasks.bytes).toBeGreaterThan(0);

    await clock.pass(WINDOW_MS);

    expect(tasks.bytes).toBe(0);
    expect(clock.timer).toBeUndefined();
  });

  it('is kept while the broker is away, and counted from when that is back', async () => {
    const { clock, tasks, broker, add } = stage();
    add(1);
    await clock.pass(1000);
    broker.away = true;
    await clock.pass(60_000);
    expect(tasks.bytes).toBeGreaterThan(0);

    tasks.back(60_000);
    broker.away = false;
    expect(tasks.between('c', 0, 1)).toMatchObject({ tasks: [{ task: TASK }], forgotten: 0 });
    tasks.add('c', 2, []);
    await clock.pass(2 * WINDOW_MS);

    expect(tasks.bytes).toBe(0);
  });

  it('is let go after an absence for which its channel is not asked about any more', async () => {
    const { clock, tasks, broker, add } = stage();
    add(1);
    broker.away = true;
    await clock.pass(15 * 60_000);
    tasks.back(15 * 60_000);
    broker.away = false;
    await clock.pass(2 * WINDOW_MS);

    expect(tasks.bytes).toBe(0);
    expect(clock.timer).toBeUndefined();
  });

  it('costs a question only when nothing was added for as long', async () => {
    const { clock, broker, add } = stage();
    for (let n = 1; n <= 100; n += 1) {
      add(n);
      await clock.pass(100);
    }

    expect(broker.pings).toBe(0);
  });

  it('is nobody’s business after the end: no timer is left, or set', async () => {
    const { clock, forgetting, add } = stage();
    add(1);
    forgetting.close();
    expect(clock.timer).toBeUndefined();
    add(2);

    expect(clock.timer).toBeUndefined();
  });
});
