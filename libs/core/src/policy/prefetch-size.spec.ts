import { describe, expect, it } from 'vitest';
import { meanRunMs, prefetchSize } from './prefetch-size.js';

describe('prefetchSize', () => {
  it.each([
    ['handlers of 1 ms in one slot', 1, 1, 200, 5],
    ['handlers of 1 ms in ten slots', 10, 1, 200, 50],
    ['handlers of 100 ms in ten slots', 10, 100, 200, 0],
    ['handlers of 100 ms in a hundred slots', 100, 100, 200, 5],
    ['handlers that take next to no time', 1, 0.01, 200, 200],
    ['handlers that take no time', 1, 0, 200, 200],
    ['none wanted', 100, 0.01, 0, 0],
  ])('is what is done within 5 ms: %s', (_, slots, mean, most, size) => {
    expect(prefetchSize(slots, mean, most)).toBe(size);
  });

  it('is nothing before a handler has ended: the first may take an hour', () => {
    expect(prefetchSize(100, undefined, 200)).toBe(0);
  });
});

describe('meanRunMs', () => {
  it('is the first run, then moves a sixteenth of the way to each', () => {
    expect(meanRunMs(undefined, 32)).toBe(32);
    expect(meanRunMs(32, 0)).toBe(30);
    expect(meanRunMs(32, 48)).toBe(33);
  });

  it('has left behind what was before after a few dozen runs', () => {
    let mean = 1000;
    for (let n = 0; n < 60; n += 1) mean = meanRunMs(mean, 1);

    expect(mean).toBeLessThan(25);
  });
});
