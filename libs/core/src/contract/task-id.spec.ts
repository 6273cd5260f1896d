import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { isName } from './names.js';
import { indexPlace, taskId } from './task-id.js';

const producer = () => randomBytes(9).toString('base64url');

/** Groups ids by bucket. */
function buckets(ids: Iterable<string>): Map<string, Set<string>> {
  const found = new Map<string, Set<string>>();
  for (const id of ids) {
    const { bucket, field } = indexPlace(id);
    found.set(bucket, (found.get(bucket) ?? new Set()).add(field));
  }
  return found;
}

describe('taskId', () => {
  it('is a name, short, and different for every sequence of a producer', () => {
    const name = producer();
    const ids = new Set<string>();
    for (let sequence = 0; sequence < 5_000; sequence += 1) ids.add(taskId(name, sequence));

    expect(ids.size).toBe(5_000);
    for (const id of ids) expect(isName(id)).toBe(true);
    expect(taskId(name, Number.MAX_SAFE_INTEGER).length).toBeLessThanOrEqual(24);
  });
});

describe('indexPlace', () => {
  it('puts exactly 36 neighbours of a producer into each bucket, each under one character', () => {
    const name = producer();
    const ids = Array.from({ length: 36 * 50 }, (_, sequence) => taskId(name, sequence));

    const found = buckets(ids);

    expect(found.size).toBe(50);
    for (const fields of found.values()) {
      expect(fields.size).toBe(36);
      for (const field of fields) expect(field).toHaveLength(1);
    }
    expect(indexPlace(taskId(name, 35)).bucket).not.toBe(indexPlace(taskId(name, 36)).bucket);
  });

  it('never gives two ids one place, of however many producers and however late', () => {
    const ids = new Set<string>();
    for (let i = 0; i < 300; i += 1) {
      const name = producer();
      for (const start of [0, 62, 36 ** 3 - 5, 2 ** 31, 2 ** 50]) {
        for (let n = 0; n < 10; n += 1) ids.add(taskId(name, start + n));
      }
    }

    const places = new Set([...ids].map((id) => JSON.stringify(indexPlace(id))));

    expect(places.size).toBe(ids.size);
    for (const fields of buckets(ids).values()) expect(fields.size).toBeLessThanOrEqual(36);
  });

  it('never gives a foreign id the place of another, foreign or own', () => {
    const own = Array.from({ length: 1_000 }, (_, n) => taskId('abcdefghijkl', n));
    const foreign = [
      ...Array.from({ length: 20_000 }, (_, n) => `order-${n}`),
      'abcdefghijkl.A',
      'abcdefghijkl',
      'abcdefghijkl.',
      'abcdefghijkl.1.1',
      'abcdefghijk.1',
      'abcdefghijklm.1',
      'abcdefghijkl.aaaaaaaaaaaa',
      '1526919030474-55',
    ];
    const all = [...own, ...foreign];

    const places = new Set(all.map((id) => JSON.stringify(indexPlace(id))));

    expect(places.size).toBe(all.length);
    const ownBuckets = new Set(own.map((id) => indexPlace(id).bucket));
    for (const id of foreign) expect(ownBuckets.has(indexPlace(id).bucket)).toBe(false);
  });

  it('spreads foreign ids evenly over a bounded number of buckets', () => {
    const found = buckets(Array.from({ length: 50_000 }, (_, n) => `order-${n}`));

    expect(found.size).toBeLessThanOrEqual(1024);
    expect(found.size).toBeGreaterThan(1000);
    const sizes = [...found.values()].map((fields) => fields.size);
    expect(Math.max(...sizes)).toBeLessThan(3 * (50_000 / 1024));
  });

  it('is a function of the id alone', () => {
    for (const id of ['abcdefghijkl.1z', 'order-1', 'ž']) expect(indexPlace(id)).toEqual(indexPlace(id));
  });

  it('is as documented, for every version to come: stored indexes outlive the release', () => {
    expect(indexPlace('abcdefghijkl.1s')).toEqual({ bucket: 'abcdefghijkl.1', field: 's' });
    expect(indexPlace('abcdefghijkl.r')).toEqual({ bucket: 'abcdefghijkl.', field: 'r' });
    // FNV-1a of "a" is 0xe40c292c (http://www.isthe.com/chongo/src/fnv/test_fnv.c), mod 1024 = 300.
    expect(indexPlace('a')).toEqual({ bucket: `x${(0xe40c292c % 1024).toString(36)}`, field: '=a' });
    expect(indexPlace('foobar').bucket).toBe(`x${(0xbf9cf968 % 1024).toString(36)}`);
  });
});
