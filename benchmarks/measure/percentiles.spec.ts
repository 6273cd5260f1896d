import { describe, expect, it } from 'vitest';
import { latencies, median, percentile } from './percentiles.js';

describe('a percentile', () => {
  const hundred = Array.from({ length: 100 }, (_, i) => i + 1);

  it.each([
    [0, 1],
    [0.5, 50],
    [0.99, 99],
    [0.999, 100],
    [1, 100],
  ])('of share %d of 1 to 100 is %d', (share, value) => {
    expect(percentile(hundred, share)).toBe(value);
  });

  it('of nothing is 0, of one value that value', () => {
    expect(percentile([], 0.5)).toBe(0);
    expect(percentile([7], 0.001)).toBe(7);
    expect(percentile([7], 0.999)).toBe(7);
  });
});

describe('a median', () => {
  it('is the middle, or between the two in the middle, in whatever order', () => {
    expect(median([3, 1, 2])).toBe(2);
    expect(median([4, 1, 3, 2])).toBe(2.5);
    expect(median([10, 9])).toBe(9.5);
    expect(median([])).toBe(0);
  });

  it('leaves its values as they were', () => {
    const values = [3, 1, 2];
    median(values);
    expect(values).toEqual([3, 1, 2]);
  });
});

describe('latencies', () => {
  it('are sorted as numbers', () => {
    const ms = Float64Array.from({ length: 1000 }, (_, i) => 1000 - i);
    expect(latencies(ms)).toEqual({ p50Ms: 500, p99Ms: 990, p999Ms: 999 });
  });
});
