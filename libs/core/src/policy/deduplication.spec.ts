import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { dedupeName, fingerprint } from './deduplication.js';

describe('dedupeName', () => {
  it('is a short hash that says nothing of the key and fits into a key name', () => {
    for (const key of ['a', 'anna@example.org', 'x'.repeat(512), 'ž{}:*\n', '']) {
      const name = dedupeName('unique', key);
      expect(name).toMatch(/^u[A-Za-z0-9_-]{22}$/);
      expect(key.length > 3 && name.includes(key)).toBe(false);
    }
  });

  it('is the SHA-256 of the key, for every version to come: windows outlive the release', () => {
    const hash = createHash('sha256').update('order-17').digest('base64url').slice(0, 22);

    expect(dedupeName('idempotency', 'order-17')).toBe(`i${hash}`);
    expect(dedupeName('unique', 'order-17')).toBe(`u${hash}`);
  });

  it('differs for different keys', () => {
    const names = Array.from({ length: 10_000 }, (_, i) => dedupeName('unique', `key-${i}`));
    expect(new Set(names).size).toBe(10_000);
  });
});

describe('fingerprint', () => {
  it.each([
    [
      { a: 1, b: { c: 2, d: [1, { e: 1, f: 2 }] } },
      { b: { d: [1, { f: 2, e: 1 }], c: 2 }, a: 1 },
    ],
    [{ 10: 1, 9: 2 }, JSON.parse('{"9":2,"10":1}')],
    [{ at: new Date(0) }, { at: '1970-01-01T00:00:00.000Z' }],
    [{ a: 1, b: undefined }, { a: 1 }],
    [{ x: { toJSON: () => ({ b: 1, a: 2 }) } }, { x: { a: 2, b: 1 } }],
  ])('is equal for %j and %j', (a, b) => {
    expect(fingerprint('t', a)).toBe(fingerprint('t', b));
  });

  it('differs for other data and for another type', () => {
    const all = [
      fingerprint('t', { a: 1 }),
      fingerprint('u', { a: 1 }),
      fingerprint('t', { a: '1' }),
      fingerprint('t', { a: [1] }),
      fingerprint('t', { b: 1 }),
      fingerprint('t', [1, 2]),
      fingerprint('t', [2, 1]),
      fingerprint('t', { a: { b: 1 }, c: 2 }),
      fingerprint('t', { a: { b: 1, c: 2 } }),
      fingerprint('t', null),
      fingerprint('t', {}),
      fingerprint('t', []),
      fingerprint('t', ''),
      fingerprint('t', { 0: 'a' }),
      fingerprint('t', ['a']),
      fingerprint('t', { a: null }),
      fingerprint('t', 0),
      fingerprint('t', false),
    ];
    expect(new Set(all).size).toBe(all.length);
  });

  it('of the first version says nothing of it, for every version to come', () => {
    const hash = createHash('sha256').update('t\n{"a":1}').digest('base64url').slice(0, 16);

    expect(fingerprint('t', { a: 1 })).toBe(hash);
    expect(fingerprint('t', { a: 1 }, 1)).toBe(hash);
  });

  it('differs for the same text in another version, which means something else', () => {
    const all = [1, 2, 3].map((version) => fingerprint('t', { amount: 5 }, version));
    expect(new Set([...all, fingerprint('t', 2), fingerprint('t', '2')]).size).toBe(5);
  });

  it('is one short word', () => {
    expect(fingerprint('t', { a: 'b c\nd' })).toMatch(/^\S{16}$/);
  });
});
