import { describe, expect, it } from 'vitest';
import { taskId } from '../contract/task-id.js';
import { partitionOf, type PartitionedTask } from './partition-choice.js';

const own = (sequence: number, producer = 'AAAAAAAAAAAA'): string => taskId(producer, sequence);
const of = (task: Partial<PartitionedTask>, count = 3) =>
  partitionOf(count, { id: undefined, partitionKey: undefined, uniqueKeys: [], ...task });

describe('the partition of a task', () => {
  it('is that of its partition key, whatever else it has', () => {
    const parts = [of({ partitionKey: 'k' }), of({ partitionKey: 'k', id: 'mine' })];
    parts.push(of({ partitionKey: 'k', uniqueKeys: ['a', 'b'], id: own(99_999) }));

    expect(new Set(parts).size).toBe(1);
    expect(parts[0]).toBeTypeOf('number');
  });

  it('is that of the one key that makes it unique, in whichever call', () => {
    expect(of({ uniqueKeys: ['a'] })).toBe(of({ uniqueKeys: ['a'], id: own(7777) }));
    expect(of({ id: 'mine' })).toBe(of({ uniqueKeys: ['mine'] }));
  });

  it('is named by an id that a producer gave: neighbours in the index have the same', () => {
    expect([0, 35, 36, 71, 72, 108, 36 * 9001].map((sequence) => of({ id: own(sequence) }))).toEqual([
      0, 0, 1, 1, 2, 0, 1,
    ]);
  });

  it('is any where nothing decides', () => {
    expect(of({})).toBe('any');
  });

  it('cannot be one where two keys would have to be in it', () => {
    expect(of({ uniqueKeys: ['a', 'b'] })).toBe('several');
    expect(of({ uniqueKeys: ['a'], id: 'mine' })).toBe('several');
  });

  it('is spread evenly over keys', () => {
    const counts = [0, 0, 0];
    for (let i = 0; i < 3000; i += 1) counts[of({ partitionKey: `customer-${i}` }) as number]! += 1;

    for (const count of counts) expect(Math.abs(count - 1000)).toBeLessThan(100);
  });
});
