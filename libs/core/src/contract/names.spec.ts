import { describe, expect, it } from 'vitest';
import { isLane, LANES } from './lane.js';
import { isName, NAME_RULE } from './names.js';

describe('isName', () => {
  it.each(['a', 'email.send', 'A-Z_0.9', '__proto__', '0', 'x'.repeat(64)])('takes %s', (name) => {
    expect(isName(name)).toBe(true);
  });

  it.each([
    '',
    'x'.repeat(65),
    'a b',
    'a:b',
    '{a}',
    'a*',
    'a\n',
    '\na',
    'é',
    'a/b',
    'a\u0000',
    5,
    null,
    undefined,
    ['a'],
    { toString: () => 'a' },
  ])('refuses %j', (name) => {
    expect(isName(name)).toBe(false);
  });

  it('says its rule in words', () => {
    expect(NAME_RULE).toContain('1 to 64');
  });
});

describe('isLane', () => {
  it('takes the three lanes and nothing else', () => {
    expect(LANES).toEqual(['high', 'normal', 'low']);
    expect(LANES.every(isLane)).toBe(true);
    for (const other of ['', 'High', 'urgent', 'h', 0, null, undefined, ['high'], 'toString']) {
      expect(isLane(other)).toBe(false);
    }
  });
});
