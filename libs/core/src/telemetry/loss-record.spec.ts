import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { LossRecord } from './loss-record.js';
import { type TaskEventMap, TaskEvents } from './task-events.js';

const NOW = 1_700_000_000_000;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'], now: NOW });
});
afterEach(() => {
  vi.useRealTimers();
});

function loss(over: Partial<TaskEventMap['data.lost']> = {}): TaskEventMap['data.lost'] {
  return {
    queue: 'orders',
    how: 'rolled-back',
    seenBy: 'producer',
    ranges: [{ of: 'groups', after: 'p-0/1', upTo: 'p-0/3' }],
    reoffered: 2,
    forgotten: 0,
    ...over,
  };
}

describe('LossRecord', () => {
  it('begins with nothing', () => {
    const record = new LossRecord(new TaskEvents());

    expect(record).toMatchObject({ count: 0, reoffered: 0, failed: 0, forgotten: 0 });
    expect(record.last).toBeUndefined();
  });

  it('counts every loss that is announced, and keeps the last with its time', () => {
    const events = new TaskEvents();
    const record = new LossRecord(events);
    events.emit('data.lost', loss({ forgotten: 3 }));
    vi.setSystemTime(NOW + 500);
    const last = loss({ queue: 'mail', how: 'replaced', seenBy: 'connection', reoffered: 0, forgotten: 1 });
    events.emit('data.lost', last);

    expect(record).toMatchObject({ count: 2, forgotten: 4, last: { ...last, at: NOW + 500 } });
  });

  it('counts as offered again what Redis has now, and what failed apart: not what was only announced', () => {
    const events = new TaskEvents();
    const record = new LossRecord(events);
    events.emit('data.lost', loss({ reoffered: 10 }));
    expect(record).toMatchObject({ reoffered: 0, failed: 0 });

    events.emit('data.reoffered', { queue: 'orders', accepted: 5, present: 2, failed: 3 });
    events.emit('data.reoffered', { queue: 'mail', accepted: 1, present: 0, failed: 0 });

    expect(record).toMatchObject({ count: 1, reoffered: 8, failed: 3 });
  });

  it('hears nothing of other events, nor of other engines', () => {
    const [events, others] = [new TaskEvents(), new TaskEvents()];
    const record = new LossRecord(events);
    others.emit('data.lost', loss());
    events.emit('queue.recreated', { queue: 'orders' });

    expect(record.count).toBe(0);
  });
});
