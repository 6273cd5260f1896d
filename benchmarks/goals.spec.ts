import { describe, expect, it } from 'vitest';
import { cases } from './cases/cases.js';
import { goals, isReached } from './goals.js';
import { rowOf, Rows } from './report/rows.js';

const row = (id: string, contender: 'taskq' | 'bullmq' | 'taskq-nest', figures: object) =>
  rowOf(id, contender, [{ figures, tasks: 1 }]);
const goal = (title: string) => goals.find((one) => one.title.startsWith(title))!;

describe('goals', () => {
  it('are not measured when nothing was', () => {
    const none = new Rows([]);
    expect(goals.map((one) => isReached(one, none))).toEqual(goals.map(() => undefined));
  });

  it('have titles of their own, and speak of cases that there are', () => {
    expect(new Set(goals.map(({ title }) => title)).size).toBe(goals.length);
    const named = goals.flatMap(({ title }) => /^[a-z]+(-[a-z0-9]+)+/.exec(title)?.[0] ?? []);
    expect(named.filter((name) => !cases.some(({ id }) => id === name))).toEqual([]);
  });

  it('of rates are reached by at least so much', () => {
    const fast = goal('process-1, tasks/s');
    const rows = (mine: number) =>
      new Rows([
        row('process-1', 'taskq', { tasksPerSecond: mine }),
        row('process-1', 'bullmq', { tasksPerSecond: 100 }),
      ]);
    expect(isReached(fast, rows(800))).toBe(true);
    expect(isReached(fast, rows(799))).toBe(false);
  });

  it('of costs are reached by at most so much, over both halves of a task', () => {
    const cheap = goal('CPU of a task, enqueued');
    const rows = (mine: number) =>
      new Rows([
        row('enqueue-100', 'taskq', { cpuMicros: mine }),
        row('process-100', 'taskq', { cpuMicros: 10 }),
        row('enqueue-100', 'bullmq', { cpuMicros: 40 }),
        row('process-100', 'bullmq', { cpuMicros: 60 }),
      ]);
    expect(isReached(cheap, rows(10))).toBe(true);
    expect(isReached(cheap, rows(11))).toBe(false);
  });

  it('of what Nest leaves are reached by rate or by cost', () => {
    const kept = goal('process-100 through Nest');
    const rows = (tasksPerSecond: number, cpuMicros: number) =>
      new Rows([
        row('process-100', 'taskq', { tasksPerSecond: 100, cpuMicros: 10 }),
        row('process-100', 'taskq-nest', { tasksPerSecond, cpuMicros }),
      ]);
    expect(isReached(kept, rows(85, 20))).toBe(true);
    expect(isReached(kept, rows(50, 11))).toBe(true);
    expect(isReached(kept, rows(50, 20))).toBe(false);
  });
});
