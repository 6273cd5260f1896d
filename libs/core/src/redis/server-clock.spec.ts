import { describe, expect, it } from 'vitest';
import { ServerClock } from './server-clock.js';

describe('what a server’s clock shows', () => {
  it('is a guess until something is heard', () => {
    expect(new ServerClock(5_000).at(10, 'orders')).toBe(5_010);
  });

  it('is what it said, from then on', () => {
    const clock = new ServerClock(0);
    clock.heard('orders', 90_000, 100, 101);

    expect([clock.at(101, 'orders'), clock.at(1_101)]).toEqual([90_000, 91_000]);
  });

  it('is not put back by an answer that was long on its way', () => {
    const clock = new ServerClock(0);
    clock.heard('orders', 90_000, 100, 101);
    clock.heard('orders', 90_010, 110, 7_000);

    expect(clock.at(7_000, 'orders')).toBe(96_899);
  });

  it('is not put forward by a request that was long on its way', () => {
    const clock = new ServerClock(0);
    clock.heard('orders', 90_000, 100, 101);
    clock.heard('orders', 96_898, 110, 7_000);

    expect(clock.at(7_000, 'orders')).toBe(96_899);
  });

  it.each([60_000, -60_000])('follows a clock that was set by %i ms', (step) => {
    const clock = new ServerClock(0);
    clock.heard('orders', 90_000, 100, 101);
    clock.heard('orders', 90_010 + step, 110, 111);

    expect(Math.abs(clock.at(111, 'orders') - (90_010 + step))).toBeLessThanOrEqual(2);
  });

  it('is known for each queue by itself: two may be on two servers', () => {
    const clock = new ServerClock(0);
    clock.heard('orders', 90_000, 100, 101);
    clock.heard('mails', 50_000, 100, 101);

    expect([clock.at(101, 'orders'), clock.at(101, 'mails')]).toEqual([90_000, 50_000]);
  });
});
