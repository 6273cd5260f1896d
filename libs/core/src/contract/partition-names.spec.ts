import { describe, expect, it } from 'vitest';
import { slotOf } from './hash-slot.js';
import { isName } from './names.js';
import { partitionNames } from './partition-names.js';

describe('names of partitions', () => {
  it('are those that were given before: tasks are kept under them', () => {
    expect(partitionNames('orders', 1)).toEqual(['orders']);
    expect(partitionNames('orders', 3)).toEqual(['orders.0.0', 'orders.1.1', 'orders.2.1']);
  });

  it.each([2, 3, 5, 64])('lie in as many equal parts of all slots, one in each (%i)', (count) => {
    for (const queue of ['orders', 'a', 'mail.send', 'default']) {
      const slots = partitionNames(queue, count).map((name) => slotOf(name));
      expect(slots.map((slot) => Math.floor((slot * count) / 16_384))).toEqual([...slots.keys()]);
    }
  });

  it('are names, as long as the queue leaves them room', () => {
    expect(partitionNames('q'.repeat(57), 64).every(isName)).toBe(true);
  });
});
