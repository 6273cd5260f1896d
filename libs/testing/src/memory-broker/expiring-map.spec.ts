import { describe, expect, it } from 'vitest';
import { ExpiringMap } from './expiring-map.js';

describe('ExpiringMap', () => {
  it('keeps a value up to its last millisecond', () => {
    const map = new ExpiringMap<string>();
    map.set('a', 'x', 100, 0);

    expect(map.get('a', 100)).toBe('x');
    expect(map.get('a', 101)).toBeUndefined();
    expect(map.get('a', 100)).toBeUndefined(); // gone is gone
  });

  it('replaces value and time together, deletes, and lists what is left by key', () => {
    const map = new ExpiringMap<number>();
    map.set('b', 1, 100, 0);
    map.set('a', 2, 50, 0);
    map.set('c', 3, 100, 0);
    map.set('b', 4, 200, 0);
    map.delete('c');

    expect(map.entries(60)).toEqual([{ key: 'b', value: 4, until: 200 }]);
    expect(map.entries(0).map(({ key }) => key)).toEqual(['a', 'b']);
  });

  it('does not grow with what has expired', () => {
    const kept = new Map<string, { value: number; until: number }>();
    const map = new ExpiringMap<number>(kept);
    for (let now = 0; now < 10_000; now += 1) map.set(`k${now}`, now, now + 10, now);

    expect(kept.size).toBeLessThan(100);
    expect(map.entries(10_000)).toHaveLength(10);
  });

  it('is copied with all it holds', () => {
    const map = new ExpiringMap<number>();
    map.set('a', 1, 100, 0);
    const copy = map.copy();
    map.delete('a');

    expect(copy.get('a', 0)).toBe(1);
  });
});
