import { SLOTS, slotOf } from './hash-slot.js';

/**
 * What a queue is kept under: itself, or each of its partitions, which the broker takes for queues of their own. The name
 * is the hash tag of the keys, so it decides about the slot: the i-th of n partitions lies in the i-th n-th of all slots,
 * and primaries that have as many slots each have as many partitions each. It is the first of `<queue>.<i>.0`,
 * `<queue>.<i>.1` and so on that lies there.
 */
export function partitionNames(queue: string, count: number): readonly string[] {
  if (count === 1) return [queue];
  return Array.from({ length: count }, (_, i) => {
    const liesThere = (name: string): boolean => Math.floor((slotOf(name) * count) / SLOTS) === i;
    let n = 0;
    while (!liesThere(`${queue}.${i}.${n}`)) n += 1;
    return `${queue}.${i}.${n}`;
  });
}
