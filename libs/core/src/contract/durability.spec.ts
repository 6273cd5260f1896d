import { describe, expect, it } from 'vitest';
import {
  type Durability,
  DURABILITY_RULE,
  durabilityName,
  isDurability,
  MOST_REPLICAS,
} from './durability.js';

describe('isDurability', () => {
  it.each(['accepted', 'durable', { replicated: 1 }, { replicated: MOST_REPLICAS }])('knows %j', (value) => {
    expect(isDurability(value)).toBe(true);
  });

  it.each([
    undefined,
    null,
    '',
    'Accepted',
    'replicated',
    'replicated(1)',
    1,
    true,
    [],
    ['durable'],
    {},
    { replicated: 0 },
    { replicated: -1 },
    { replicated: MOST_REPLICAS + 1 },
    { replicated: 1.5 },
    { replicated: Number.NaN },
    { replicated: '1' },
    { replicated: undefined },
    { replicated: 1, within: '1s' },
    { durable: true },
  ])('does not know %j', (value) => {
    expect(isDurability(value)).toBe(false);
  });

  it('is what the rule says', () => {
    expect(DURABILITY_RULE).toBe('"accepted", "durable" or { replicated: 1 to 16 }');
    expect(MOST_REPLICAS).toBe(16);
  });
});

describe('durabilityName', () => {
  it('is one word, equal for equal levels and different for different ones', () => {
    const levels: Durability[] = ['accepted', 'durable', { replicated: 1 }, { replicated: 11 }];

    expect(levels.map(durabilityName)).toEqual(['accepted', 'durable', 'replicated(1)', 'replicated(11)']);
    expect(durabilityName({ replicated: 1 })).toBe(durabilityName({ replicated: 1 }));
  });
});
