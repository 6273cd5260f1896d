import { describe, expect, it } from 'vitest';
import { partitionOf } from '../policy/partition-choice.js';
import { resolveEngineOptions } from '../policy/engine-options.js';
import { Partitions } from '../policy/partitions.js';
import { systemClock } from '../runtime/clock.js';
import { Placement } from './placement.js';

const queues = { orders: { partitions: 3 }, mail: { partitions: 2 } };
const partitions = new Partitions(resolveEngineOptions({ queues }));
const made = (producer = 'AAAAAAAAAAAA') =>
  new Placement({ producer, partitions, isBusy: () => false, clock: systemClock });
const NOTHING = { id: undefined, partitionKey: undefined, uniqueKeys: [] };

describe('a placement', () => {
  it('goes from partition to partition where nothing decides, so that a few tasks are work for all', () => {
    const placement = made();
    const places = Array.from({ length: 9 }, () => placement.place('orders', 't', NOTHING).partition);

    expect(new Set(places.slice(0, 3))).toEqual(new Set(partitions.of('orders')));
    expect(places.slice(3)).toEqual([...places.slice(0, 3), ...places.slice(0, 3)]);
  });

  it('begins with another partition in another producer', () => {
    const first = Array.from(
      { length: 300 },
      (_, i) => made(`producer${String(i).padStart(4, '0')}`).place('orders', 't', NOTHING).partition,
    );

    for (const name of partitions.of('orders')) {
      expect(first.filter((partition) => partition === name).length).toBeGreaterThan(70);
    }
  });

  it('gives ids that lead to their partition, each once, whatever decides and however queues mix', () => {
    const placement = made();
    const seen = new Set<string>();
    for (let i = 0; i < 2000; i += 1) {
      const queue = ['orders', 'mail', 'whole'][i % 3]!;
      const names = partitions.of(queue);
      const decided = i % 2 === 0 ? NOTHING : { ...NOTHING, partitionKey: `k${i % 50}` };
      const { id, partition } = placement.place(queue, 't', decided);

      expect(seen.has(id)).toBe(false);
      seen.add(id);
      expect(names[partitionOf(names.length, { ...NOTHING, id }) as number]).toBe(partition);
    }
  });

  it('counts on where a queue is not split', () => {
    const placement = made();
    const ids = Array.from({ length: 40 }, () => placement.place('whole', 't', NOTHING).id);

    expect(ids.slice(0, 3)).toEqual(['AAAAAAAAAAAA.1', 'AAAAAAAAAAAA.2', 'AAAAAAAAAAAA.3']);
    expect(ids.at(-1)).toBe(`AAAAAAAAAAAA.${(40).toString(36)}`);
  });

  it('leaves an id of the caller as it is', () => {
    expect(made().place('whole', 't', { ...NOTHING, id: 'mine' })).toEqual({
      partition: 'whole',
      id: 'mine',
    });
    expect(made().place('orders', 't', { ...NOTHING, id: 'mine' }).id).toBe('mine');
  });
});
