import { describe, expect, it } from 'vitest';
import { slotOf } from './hash-slot.js';

describe('slotOf', () => {
  it.each([
    // CLUSTER KEYSLOT of Redis 7.0.15.
    ['123456789', 12_739],
    ['foo', 12_182],
    ['bar', 5061],
    ['', 0],
  ])('of %j is %i, as Redis says', (tag, slot) => {
    expect(slotOf(tag)).toBe(slot);
  });
});
