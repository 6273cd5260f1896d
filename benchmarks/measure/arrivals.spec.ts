import { describe, expect, it } from 'vitest';
import { Arrivals, openLoop } from './arrivals.js';

describe('arrivals', () => {
  it('come at their rate, whole milliseconds at a time', () => {
    const arrivals = new Arrivals(2500, 100);
    expect([0, 0.9, 1, 1.5, 2, 2, 4].map((ms) => arrivals.due(ms))).toEqual([0, 0, 2, 0, 3, 0, 5]);
  });

  it('are made up for when somebody was late, and end with the last', () => {
    const arrivals = new Arrivals(1000, 10);
    expect(arrivals.due(5)).toBe(5);
    expect(arrivals.over).toBe(false);
    expect(arrivals.due(500)).toBe(5);
    expect(arrivals.over).toBe(true);
    expect(arrivals.due(501)).toBe(0);
  });

  it('are due by the time at which they are asked for at the latest', () => {
    const arrivals = new Arrivals(1300, 50);
    let made = 0;
    for (let ms = 0; !arrivals.over; ms += 1) {
      for (let due = arrivals.due(ms); due > 0; due -= 1) {
        expect(arrivals.dueAt(made)).toBe(ms);
        made += 1;
      }
    }
    expect(made).toBe(50);
  });
});

describe('an open loop', () => {
  it('makes every call once, without waiting for answers', async () => {
    const called: number[] = [];
    let release: () => void = () => undefined;
    const gate = new Promise<void>((resolve) => (release = resolve));
    const { lateMs, answered } = await openLoop({ perSecond: 5000, total: 40 }, (n) => {
      called.push(n);
      return gate;
    });
    expect(called).toEqual(Array.from({ length: 40 }, (_, n) => n));
    expect(Math.min(...lateMs)).toBeGreaterThanOrEqual(0);
    release();
    await answered;
  });

  it('fails with the first call that fails', async () => {
    const { answered } = await openLoop({ perSecond: 5000, total: 3 }, (n) =>
      n === 1 ? Promise.reject(new Error('refused')) : Promise.resolve(),
    );
    await expect(answered).rejects.toThrow('refused');
  });
});
