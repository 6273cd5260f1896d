import { describe, expect, it } from 'vitest';
import { type Checked, decodePayload, encodePayload } from './payload-json.js';

const LIMITS = { maxBytes: 1000, maxDepth: 8 };
const encode = (payload: unknown, limits = LIMITS) => encodePayload(payload, limits);

/** The path of the issue, or the fact that there is none. */
function issueAt(checked: Checked<unknown>): string | undefined {
  return checked.ok ? undefined : checked.issue.path;
}

describe('encodePayload', () => {
  it.each([
    ['null', null],
    ['text', 'ž "\n\u2028'],
    ['empty text', ''],
    ['a number', -1.5e300],
    ['a boolean', false],
    ['a list', [1, [2, []], {}]],
    ['an object', { a: { b: [null, { c: 'd' }] }, '': 0, 'x.y': 1 }],
    ['an object without a prototype', Object.assign(Object.create(null) as object, { a: 1 })],
    ['a fair name', { constructor: 'Ferrari', prototype: true, toString: 'x', hasOwnProperty: 1 }],
  ])('writes %s as JSON.stringify does', (_, payload) => {
    expect(encode(payload)).toEqual({ ok: true, value: JSON.stringify(payload) });
  });

  it('writes the data of class instances', () => {
    class Point {
      readonly x = 1;
      private readonly y = 2;
      sum(): number {
        return this.x + this.y;
      }
    }

    expect(encode({ at: new Point() })).toEqual({ ok: true, value: '{"at":{"x":1,"y":2}}' });
  });

  it('writes dates, and whatever has a toJSON, as what that returns', () => {
    const at = new Date(0);
    expect(encode({ at, money: { toJSON: () => ({ amount: 5 }) } })).toEqual({
      ok: true,
      value: '{"at":"1970-01-01T00:00:00.000Z","money":{"amount":5}}',
    });
    expect(encode(at)).toEqual({ ok: true, value: '"1970-01-01T00:00:00.000Z"' });
  });

  it('takes the same object in several places', () => {
    const shared = { a: 1 };

    expect(encode({ x: shared, y: [shared, shared] }).ok).toBe(true);
  });

  const bad: [string, unknown][] = [
    ['undefined', undefined],
    ['a function', () => 1],
    ['a class', Date],
    ['a symbol', Symbol('s')],
    ['a BigInt', 1n],
    ['NaN', Number.NaN],
    ['Infinity', Number.POSITIVE_INFINITY],
    ['-Infinity', Number.NEGATIVE_INFINITY],
    ['a Map', new Map([[1, 2]])],
    ['a Set', new Set([1])],
    ['a Buffer', Buffer.from('x')],
    ['a typed array', new Float64Array(2)],
    ['a DataView', new DataView(new ArrayBuffer(2))],
    ['an ArrayBuffer', new ArrayBuffer(2)],
    ['an invalid date', new Date(Number.NaN)],
    ['a toJSON that returns undefined', { toJSON: () => undefined }],
    ['a toJSON that returns a BigInt', { toJSON: () => 5n }],
    ['an own key __proto__', JSON.parse('{"__proto__":{"admin":true}}')],
  ];
  it.each(bad)('refuses %s and names its path', (_, value) => {
    const suffix = Object.hasOwn(Object(value) as object, '__proto__') ? '__proto__' : '';
    const path = (at: string) => [at, suffix].filter((part) => part !== '').join('.');

    expect(issueAt(encode(value))).toBe(path(''));
    expect(issueAt(encode({ a: value }))).toBe(path('a'));
    expect(issueAt(encode([0, value]))).toBe(path('[1]'));
    expect(issueAt(encode({ items: [{}, { price: value }] }))).toBe(path('items[1].price'));
  });

  it.each(bad)('says in words what is wrong with %s', (_, value) => {
    const checked = encode({ a: value });

    expect(checked.ok ? '' : checked.issue.message).toMatch(/^is .{3,}/);
  });

  it('refuses holes in lists, which JSON fills with null', () => {
    // oxlint-disable-next-line no-sparse-arrays -- a hole is what is tested
    expect(issueAt(encode({ list: [1, , 3] }))).toBe('list[1]');
  });

  it('refuses cycles, direct and through others, and names where they close', () => {
    const self: Record<string, unknown> = {};
    self.me = self;
    const ring: Record<string, unknown> = { list: [] };
    (ring.list as unknown[]).push({ back: ring });

    expect(issueAt(encode(self))).toBe('me');
    expect(issueAt(encode({ ring }))).toBe('ring.list[0].back');
  });

  it('checks an object whose toJSON returns itself', () => {
    const money = {
      amount: 5n,
      toJSON(): unknown {
        return this;
      },
    };

    expect(issueAt(encode({ money }))).toBe('money.amount');
    expect(encode({ money: { ...money, amount: 5 } })).toEqual({ ok: true, value: '{"money":{"amount":5}}' });
  });

  it('measures bytes of the text, not characters', () => {
    const limits = { maxBytes: 12, maxDepth: 8 };
    expect(encode('x'.repeat(10), limits).ok).toBe(true);
    expect(encode('x'.repeat(11), limits).ok).toBe(false);
    expect(encode('ž'.repeat(5), limits).ok).toBe(true);
    expect(encode('ž'.repeat(6), limits).ok).toBe(false);
    expect(issueAt(encode({ a: 'x'.repeat(2000) }))).toBe('');
  });

  it('allows exactly maxDepth levels of objects and lists', () => {
    const limits = { maxBytes: 1000, maxDepth: 3 };
    expect(encode([[[1]]], limits).ok).toBe(true);
    expect(encode({ a: [{ b: 1 }] }, limits).ok).toBe(true);
    expect(issueAt(encode([[[[]]]], limits))).toBe('[0][0][0]');
    expect(issueAt(encode({ a: { b: { c: {} } } }, limits))).toBe('a.b.c');
  });

  it('counts the nesting of the text: a date is text, a toJSON is what it returns', () => {
    const limits = { maxBytes: 1000, maxDepth: 2 };

    expect(encode({ a: { at: new Date(0) } }, limits).ok).toBe(true);
    expect(encode({ a: { toJSON: () => ({ b: 1 }) } }, limits).ok).toBe(true);
    expect(encode({ a: { toJSON: () => ({ b: [] }) } }, limits).ok).toBe(false);
  });

  it('survives nesting far beyond the limit', () => {
    let deep: unknown = 1;
    for (let i = 0; i < 100_000; i += 1) deep = [deep];

    expect(encode(deep).ok).toBe(false);
  });
});

describe('decodePayload', () => {
  const decode = (text: string, limits = LIMITS) => decodePayload(text, limits);

  it.each(['null', '0', '""', '[]', '{"a":[1,{"b":"c"}]}', ' {"a" : 1 } '])('reads %s', (text) => {
    expect(decode(text)).toEqual({ ok: true, value: JSON.parse(text) });
  });

  it.each(['', ' ', 'undefined', '{', "{'a':1}", '[1,]', 'NaN', '{"a":1}x', '\u0000', '{"a":01}'])(
    'refuses %j: it is not JSON',
    (text) => {
      expect(decode(text)).toEqual({ ok: false, issue: { path: '', message: 'is not JSON' } });
    },
  );

  it('refuses a text that is too wide before parsing it', () => {
    expect(decode(`[${'0,'.repeat(1000)}0]`).ok).toBe(false);
    expect(decode('"ž"', { maxBytes: 4, maxDepth: 1 }).ok).toBe(true);
    expect(decode('"žž"', { maxBytes: 5, maxDepth: 1 }).ok).toBe(false);
  });

  it('refuses a depth bomb before parsing it, at once', () => {
    const limits = { maxBytes: 10_000_000, maxDepth: 64 };
    const start = performance.now();

    for (const bomb of ['['.repeat(4_000_000), '{"a":'.repeat(1_000_000), '[{"a":'.repeat(1_000_000)]) {
      expect(decode(bomb, limits)).toMatchObject({ ok: false, issue: { message: /nested deeper/ } });
    }

    expect(performance.now() - start).toBeLessThan(1_000);
  });

  it('allows exactly maxDepth levels', () => {
    expect(decode('[[[]]]', { maxBytes: 100, maxDepth: 3 }).ok).toBe(true);
    expect(decode('[[[[]]]]', { maxBytes: 100, maxDepth: 3 }).ok).toBe(false);
    expect(decode('[[],[],[[]]]', { maxBytes: 100, maxDepth: 3 }).ok).toBe(true);
  });

  it('does not count brackets inside text', () => {
    const limits = { maxBytes: 1000, maxDepth: 2 };
    for (const text of ['[[[[', '{{{{', '\\"[[[[', '\\\\', 'a"[[[[', '\\"']) {
      const payload = { a: text, b: text };
      expect(decode(JSON.stringify(payload), limits)).toEqual({ ok: true, value: payload });
    }
  });

  it.each([
    ['{"__proto__":{"admin":true}}', '__proto__'],
    ['{"a":{"__proto__":1}}', 'a.__proto__'],
    ['{"items":[0,{"__proto__":1}]}', 'items[1].__proto__'],
    [String.raw`{"\u005f_proto__":1}`, '__proto__'],
    [String.raw`{"_\u005Fproto__":{}}`, '__proto__'],
    ['{"constructor":{"prototype":{"admin":true}}}', 'constructor'],
    [String.raw`{"a":{"\u0063onstructor":{"prototype":1}}}`, 'a.constructor'],
    [String.raw`{"constructor":{"prot\u006ftype":1}}`, 'constructor'],
  ])('refuses %s, which reaches a prototype when merged', (text, path) => {
    expect(issueAt(decode(text))).toBe(path);
    expect(({} as { admin?: unknown }).admin).toBeUndefined();
  });

  it.each([
    '{"constructor":"Ferrari","prototype":"x"}',
    '{"constructor":{"name":"Ferrari"}}',
    '{"text":"__proto__ constructor prototype"}',
  ])('reads %s, which is harmless', (text) => {
    expect(decode(text)).toEqual({ ok: true, value: JSON.parse(text) });
  });
});

describe('what is accepted at enqueue', () => {
  /** A small generator of pseudo-random values; the seed is in the failing value. */
  function* values(count: number): Generator<unknown> {
    let seed = 42;
    const next = (bound: number) => {
      seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
      return Math.floor((seed / 2_147_483_648) * bound);
    };
    const keys = ['a', 'constructor', 'prototype', '__proto__', '', 'a.b', 'ž', 'toString'];
    const leaves = [null, true, 0, 1e21, '', 'x"\\', '[{', '\u2028', 'constructor', new Date(0)];
    const make = (depth: number): unknown => {
      const kind = depth > 4 ? 2 : next(3);
      if (kind === 2) return leaves[next(leaves.length)];
      if (kind === 1) return Array.from({ length: next(4) }, () => make(depth + 1));
      const value: Record<string, unknown> = {};
      for (let i = next(4); i > 0; i -= 1) {
        Object.defineProperty(value, keys[next(keys.length)]!, {
          value: make(depth + 1),
          enumerable: true,
          configurable: true,
        });
      }
      return value;
    };
    for (let i = 0; i < count; i += 1) yield make(0);
  }

  it('is accepted where it is handled, with the same bounds', () => {
    const refused: string[] = [];
    for (const value of values(3_000)) {
      for (const maxDepth of [2, 8]) {
        const encoded = encodePayload(value, { maxBytes: 300, maxDepth });
        if (!encoded.ok) continue;
        const decoded = decodePayload(encoded.value, { maxBytes: 300, maxDepth });
        const again = decoded.ok ? JSON.stringify(decoded.value) : decoded.issue.message;
        if (again !== encoded.value) refused.push(`${encoded.value}: ${again}`);
      }
    }

    expect(refused.slice(0, 3)).toEqual([]);
  });
});
