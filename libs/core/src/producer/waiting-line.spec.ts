import { describe, expect, it } from 'vitest';
import type { NewTask } from '../broker/broker.js';
import { type PendingTask, WaitingBytes, WaitingLine } from './waiting-line.js';

function line(patienceMs = 900) {
  const timers: { at: number; run: () => void }[] = [];
  const clock = {
    now: 0,
    monotonicMs: () => clock.now,
    wallMs: () => clock.now,
    after: (ms: number, run: () => void) => {
      const timer = { at: clock.now + ms, run };
      timers.push(timer);
      return () => void (timers.includes(timer) && timers.splice(timers.indexOf(timer), 1));
    },
  };
  const bytes = new WaitingBytes(10_000);
  const late: string[] = [];
  const made = new WaitingLine({
    clock,
    patienceMs,
    most: { tasks: 2, bytes: 1_000_000 },
    spreadMs: 1e6,
    bytes,
    overdue: (tasks) => late.push(...tasks.map(({ task }) => task.id)),
  });
  const pending = (id: string, over: Partial<NewTask>): PendingTask => ({
    task: { id, type: 't', payload: '1', meta: '', lane: 'normal', ...over },
    settle: () => undefined,
  });
  const add = (id: string, since: number, over: Partial<NewTask> = {}): boolean =>
    made.add(pending(id, over), since);
  const pass = (ms: number): void => {
    clock.now += ms;
    for (const timer of timers.filter(({ at }) => at <= clock.now)) {
      timers.splice(timers.indexOf(timer), 1);
      timer.run();
    }
  };
  return { made, add, pass, bytes, late, timers };
}

describe('a line', () => {
  it('makes smaller groups of tasks that ask for more than to be run', () => {
    const { made, add } = line();
    const ids = () => made.take()?.tasks.map(({ task }) => task.id);
    add('a', 0);
    add('b', 0);
    add('c', 0, { due: { afterMs: 1000 } });
    add('d', 0, { ownId: true });
    add('e', 0);

    expect([ids(), ids(), ids(), ids(), ids()]).toEqual([['a', 'b'], ['c'], ['d'], ['e'], undefined]);
  });

  it('gives up those whose time is over, and what they took is free again', () => {
    const { made, add, pass, bytes, late, timers } = line();
    add('a', 0);
    add('b', 100);
    made.watch();
    pass(900);

    expect(late).toEqual(['a']);
    expect([timers.length, timers[0]!.at]).toEqual([1, 1000]);
    pass(100);
    expect(late).toEqual(['a', 'b']);
    expect([timers.length, bytes.used, made.length]).toEqual([0, 0, 0]);
  });

  it('lets one that waited elsewhere before go before those that came later', () => {
    const { made, add } = line();
    add('b', 100);
    add('c', 200);
    add('a', 50);

    expect(made.take()).toMatchObject({ since: 50, tasks: [{ task: { id: 'a' } }, { task: { id: 'b' } }] });
    expect(made.take()!.tasks.map(({ task }) => task.id)).toEqual(['c']);
    expect(made.take()).toBeUndefined();
  });

  it('of those that wait as long as it takes hurries when it is told to', () => {
    const { made, add, pass, late, timers } = line(Infinity);
    add('a', 0);
    made.watch();
    pass(5000);
    expect([late.length, timers.length]).toEqual([0, 0]);
    made.hurry(900);
    pass(0);

    expect(late).toEqual(['a']);
  });

  it('has no timer when all have left', () => {
    const { made, add, timers } = line();
    add('a', 0);
    made.watch();
    made.take();

    expect(timers).toEqual([]);
  });
});
