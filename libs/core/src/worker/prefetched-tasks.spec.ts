import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Delivery } from '../broker/broker.js';
import { systemClock } from '../runtime/clock.js';
import { PrefetchedTasks } from './prefetched-tasks.js';

const LEASE_MS = 15_000;

let overdue: string[];
let tasks: PrefetchedTasks;

const delivery = (entryId: string): Delivery => ({
  queue: 'q',
  lane: 'normal',
  entryId,
  delivery: 1,
  era: 0,
  fields: [],
});

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
  overdue = [];
  tasks = new PrefetchedTasks({
    clock: systemClock,
    slots: 2,
    most: 4,
    leaseMs: LEASE_MS,
    overdue: (late) => overdue.push(...late.map(({ entryId }) => entryId)),
  });
});

afterEach(() => {
  tasks.close();
  const left = vi.getTimerCount();
  vi.useRealTimers();
  if (left > 0) throw new Error(`${left} timers are left`);
});

describe('what is held ahead', () => {
  it('comes back in the order in which it came', () => {
    for (const id of ['1-0', '2-0', '3-0']) expect(tasks.add(delivery(id))).toBe(true);

    expect([tasks.next(), tasks.next()].map((each) => each?.entryId)).toEqual(['1-0', '2-0']);
    tasks.add(delivery('4-0'));
    expect([tasks.next(), tasks.next(), tasks.next()].map((each) => each?.entryId)).toEqual([
      '3-0',
      '4-0',
      undefined,
    ]);
  });

  it('is never more than was wished', () => {
    for (let n = 0; n < 4; n += 1) expect(tasks.add(delivery(`${n}-0`))).toBe(true);

    expect(tasks.add(delivery('5-0'))).toBe(false);
    expect(tasks.length).toBe(4);
  });

  it('is handed back, all of it, when the first has waited for 50 ms', () => {
    tasks.add(delivery('1-0'));
    vi.advanceTimersByTime(30);
    tasks.next();
    tasks.add(delivery('2-0'));
    vi.advanceTimersByTime(30);
    tasks.add(delivery('3-0'));
    vi.advanceTimersByTime(19);
    expect(overdue).toEqual([]);
    vi.advanceTimersByTime(1);

    expect(overdue).toEqual(['2-0', '3-0']);
    expect(tasks.length).toBe(0);
  });

  it('is as much as is done in 5 ms, nothing before that is known, and nothing behind a handler that takes long', () => {
    expect(tasks.size).toBe(0);
    tasks.ran(5);
    expect(tasks.size).toBe(2);
    tasks.add(delivery('1-0'));
    vi.advanceTimersByTime(50);
    expect(tasks.size).toBe(0);
    tasks.ran(5);
    expect(tasks.size).toBe(2);
  });

  it('is not started when its lease may be over soon, as after the event loop was held up', () => {
    for (const id of ['1-0', '2-0']) tasks.add(delivery(id));
    // Timers are late, too.
    const steady = vi.spyOn(performance, 'now');
    steady.mockReturnValue(performance.now() + LEASE_MS / 20);
    expect(tasks.next()?.entryId).toBe('1-0');
    steady.mockReturnValue(performance.now() + 1);

    expect(tasks.next()).toBeUndefined();
    expect(overdue).toEqual(['2-0']);
    steady.mockRestore();
  });

  it('is handed back when tasks are delivered in another era: it may be somebody else’s by then', () => {
    tasks.heard(7);
    for (const id of ['1-0', '2-0']) tasks.add(delivery(id));
    tasks.heard(7);
    expect(tasks.length).toBe(2);
    tasks.heard(8);

    expect(overdue).toEqual(['1-0', '2-0']);
    expect(tasks.next()).toBeUndefined();
  });

  it('is named among the leases, and forgotten when it was taken over', () => {
    for (const id of ['1-0', '2-0', '3-0']) tasks.add(delivery(id));
    tasks.forget({ lane: 'normal', entryId: '2-0', delivery: 1 });
    tasks.forget({ lane: 'high', entryId: '1-0', delivery: 1 });

    expect(tasks.leases().map(({ entryId }) => entryId)).toEqual(['1-0', '3-0']);
  });
});
