import { describe, expect, it } from 'vitest';
import { laneShares } from './lane-schedule.js';

type Counts = { high: number; normal: number; low: number };
const add = (sum: Counts, shares: Counts): Counts => ({
  high: sum.high + shares.high,
  normal: sum.normal + shares.normal,
  low: sum.low + shares.low,
});
const NONE = { high: 0, normal: 0, low: 0 };

describe('laneShares', () => {
  it('shares out exactly what there is', () => {
    for (let served = 0; served < 25; served += 1) {
      for (let total = 0; total < 45; total += 1) {
        const { high, normal, low, ...rest } = laneShares(served, total);
        expect(rest).toEqual({ total });
        expect(high + normal + low).toBe(total);
        expect(Math.min(high, normal, low)).toBeGreaterThanOrEqual(0);
      }
    }
  });

  it('gives six, three and one of any ten starts in a row, wherever they begin', () => {
    for (let served = 0; served < 40; served += 1) {
      expect(laneShares(served, 10)).toMatchObject({ high: 6, normal: 3, low: 1 });
      expect(laneShares(served, 100)).toMatchObject({ high: 60, normal: 30, low: 10 });
    }
  });

  it('is as fair with one slot, and with slots that change', () => {
    const sizes = [[1], [2], [3], [7], [9], [11], [13], [1, 2, 3, 4, 5], [19, 1]];
    for (const pattern of sizes) {
      let sum = NONE;
      let served = 0;
      for (let i = 0; served < 2_000; i += 1) {
        const total = Math.min(pattern[i % pattern.length]!, 2_000 - served);
        sum = add(sum, laneShares(served, total));
        served += total;
      }
      expect(sum).toEqual({ high: 1200, normal: 600, low: 200 });
    }
  });

  it('never lets low wait for more than nine starts of others', () => {
    let since = 0;
    let longest = 0;
    for (let served = 0; served < 100; served += 1) {
      since = laneShares(served, 1).low > 0 ? 0 : since + 1;
      longest = Math.max(longest, since);
    }
    expect(longest).toBe(9);
  });

  it('spreads the turns out: high never comes more than twice in a row, nor waits for more than one', () => {
    let run = 0;
    let gap = 0;
    for (let served = 0; served < 30; served += 1) {
      const high = laneShares(served, 1).high === 1;
      run = high ? run + 1 : 0;
      gap = high ? 0 : gap + 1;
      expect(run).toBeLessThanOrEqual(2);
      expect(gap).toBeLessThanOrEqual(1);
    }
  });
});
