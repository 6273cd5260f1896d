import { describe, expect, it } from 'vitest';
import { entriesPerPage, GROUP_BYTES, meanAfter, UNKNOWN_MEAN_BYTES } from './group-size.js';

const KIB = 1024;

/** The mean after so many entries of a size. */
function after(count: number, bytes: number, mean = UNKNOWN_MEAN_BYTES): number {
  return Array.from({ length: count }, () => bytes).reduce(meanAfter, mean);
}

describe('entries of one page', () => {
  it.each([
    [1, 100],
    [10 * KIB, 100],
    [11 * KIB, 93],
    [64 * KIB, 16],
    [255 * KIB, 4],
    [GROUP_BYTES, 1],
    [16 * GROUP_BYTES, 1],
    [0, 100],
  ])('of %i bytes are %i', (mean, entries) => {
    expect(entriesPerPage(mean, 100)).toBe(entries);
  });

  it('are few at first, and all that are wanted after two pages of small ones', () => {
    const first = entriesPerPage(UNKNOWN_MEAN_BYTES, 100);
    const second = entriesPerPage(after(first, 300), 100);

    expect([first, second]).toEqual([16, 44]);
    expect(entriesPerPage(after(first + second, 300), 100)).toBe(100);
  });

  it('get fewer within one page of large ones, and more again when those are over', () => {
    const small = after(1000, 300);
    const large = after(100, 255 * KIB, small);

    expect(entriesPerPage(small, 100)).toBe(100);
    expect(entriesPerPage(large, 100)).toBe(4);
    expect(entriesPerPage(after(64, 300, large), 100)).toBe(100);
  });

  it('are hardly fewer for one large one among many small ones', () => {
    const mean = after(99, 300, after(1, 255 * KIB, after(1000, 300)));

    expect(entriesPerPage(mean, 100)).toBe(100);
  });
});
