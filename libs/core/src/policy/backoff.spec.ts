import { describe, expect, it } from 'vitest';
import { backoffDelay } from './backoff.js';

const backoff = { baseMs: 1000, factor: 2, maxMs: 60_000 };
const ALMOST_ONE = 1 - 2 ** -53;

describe('backoffDelay', () => {
  it('is at least nothing, whatever the attempt', () => {
    for (const attempt of [1, 2, 10, 1000]) expect(backoffDelay(backoff, attempt, 0)).toBe(0);
  });

  it.each([
    [1, 1_000],
    [2, 2_000],
    [3, 4_000],
    [6, 32_000],
    [7, 60_000],
    [1000, 60_000],
  ])('after attempt %i is at most %i ms', (attempt, ceiling) => {
    expect(backoffDelay(backoff, attempt, ALMOST_ONE)).toBe(ceiling);
    expect(backoffDelay(backoff, attempt, 0.25)).toBe(ceiling / 4);
  });

  it('is uniform over the whole range', () => {
    let sum = 0;
    for (let i = 0; i < 1000; i += 1) sum += backoffDelay(backoff, 3, i / 1000);
    expect(sum / 1000).toBeGreaterThan(1_950);
    expect(sum / 1000).toBeLessThan(2_050);
  });

  it.each([
    [{ baseMs: 0, factor: 2, maxMs: 1000 }, 0],
    [{ baseMs: 5000, factor: 2, maxMs: 100 }, 100],
    [{ baseMs: 100, factor: 1, maxMs: 1000 }, 100],
    [{ baseMs: 86_400_000, factor: 10, maxMs: 604_800_000 }, 604_800_000],
  ])('of %o ends at %i ms', (odd, ceiling) => {
    for (const attempt of [5, 400, 1000]) expect(backoffDelay(odd, attempt, ALMOST_ONE)).toBe(ceiling);
  });

  it('is always a whole number that Redis takes', () => {
    for (let attempt = 1; attempt < 1100; attempt += 13) {
      const delay = backoffDelay({ baseMs: 333, factor: 3.7, maxMs: 1e9 }, attempt, 0.123456);
      expect(Number.isSafeInteger(delay)).toBe(true);
    }
  });
});
