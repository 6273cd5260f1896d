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
    loss: 1,
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

  it('adds to a loss what is found of it later, and keeps one for each queue', () => {
    const events = new TaskEvents();
    const record = new LossRecord(events);
    events.emit('data.lost', loss({ forgotten: 1 }));
    events.emit('data.lost', loss({ loss: 2, queue: 'mail', forgotten: 10 }));
    const entries = [{ of: 'normal', after: '1-0', upTo: '9-0' }] as const;
    const more = {
      seenBy: 'connection',
      how: 'replaced',
      ranges: entries,
      reoffered: 3,
      forgotten: 4,
    } as const;
    events.emit('data.lost.more', loss(more));

    expect(record).toMatchObject({ count: 2, forgotten: 15 });
    const first = loss({
      how: 'replaced',
      ranges: [...loss().ranges, ...entries],
      reoffered: 5,
      forgotten: 5,
    });
    expect(record.lastOfEach).toEqual([
      { ...first, at: NOW },
      { ...loss({ loss: 2, queue: 'mail', forgotten: 10 }), at: NOW },
    ]);
    expect(record.last).toMatchObject({ loss: 2 });

    // What belongs to a loss before the last is counted, and no more.
    events.emit('data.lost', loss({ loss: 3, forgotten: 0 }));
    events.emit('data.lost.more', loss({ forgotten: 1 }));
    expect(record.forgotten).toBe(16);
    expect(record.last).toEqual({ ...loss({ loss: 3 }), at: NOW });
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
