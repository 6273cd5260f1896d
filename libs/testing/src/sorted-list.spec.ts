import { describe, expect, it } from 'vitest';
import { SortedList } from './sorted-list.js';

const numbers = () => new SortedList<number>((a, b) => a - b);

/** The same pseudo-random numbers in every run, below `end`. */
function shuffled(count: number): number[] {
  const all = Array.from({ length: count }, (_, i) => i);
  let state = 1;
  for (let i = count - 1; i > 0; i -= 1) {
    state = (state * 48_271) % 2_147_483_647;
    const j = state % (i + 1);
    [all[i], all[j]] = [all[j]!, all[i]!];
  }
  return all;
}

describe('SortedList', () => {
  it('keeps any number of items in order, however they come and go', () => {
    const list = numbers();
    const model = new Set<number>();
    for (const [i, item] of shuffled(20_000).entries()) {
      list.add(item);
      model.add(item);
      if (i % 3 !== 0) continue;
      const gone = (item * 7) % 20_000;
      expect(list.delete(gone)).toBe(model.delete(gone) ? gone : undefined);
    }
    const sorted = [...model].toSorted((a, b) => a - b);

    expect(list.size).toBe(sorted.length);
    expect(list.toArray()).toEqual(sorted);
    expect([list.first, list.last]).toEqual([sorted[0], sorted.at(-1)]);
    for (const offset of [0, 1, 511, 512, 5_000, sorted.length - 1, sorted.length, 50_000])
      expect(list.slice(offset, 700)).toEqual(sorted.slice(offset, offset + 700));
    for (const key of [-1, 0, 9_999.5, 12_345, 19_998, 19_999, 30_000])
      expect(list.after(key, 700)).toEqual(sorted.filter((item) => item > key).slice(0, 700));
  });

  it('answers nothing of an empty list, and up to none', () => {
    const list = numbers();
    expect([list.first, list.last, list.size]).toEqual([undefined, undefined, 0]);
    expect(list.delete(1)).toBeUndefined();
    expect(list.after(0, 5)).toEqual([]);
    expect(list.slice(0, 5)).toEqual([]);
    list.add(1);
    expect(list.after(0, 0)).toEqual([]);
    expect(list.slice(0, -1)).toEqual([]);
    expect(list.delete(1)).toBe(1);
    expect(list.toArray()).toEqual([]);
  });

  it('costs little per item also when there are many', () => {
    const list = numbers();
    const all = shuffled(200_000);
    const start = performance.now();
    for (const item of all) list.add(item);
    for (const item of all) list.delete(item);

    expect(list.size).toBe(0);
    expect(performance.now() - start).toBeLessThan(5_000);
  });
});
