import type { NewTask } from '@taskq/core';
import { expect, it } from 'vitest';
import { VirtualClock } from '../virtual-clock.js';
import { MemoryBroker } from './memory-broker.js';
import { MemoryStore } from './memory-store.js';

const QUEUE = 'orders';

/** Enqueues so many tasks, some for later, and completes them all. Answers microseconds of this process for each. */
async function through(
  broker: MemoryBroker,
  clock: VirtualClock,
  count: number,
  first: number,
): Promise<number> {
  const tasks = (from: number, over: Partial<NewTask>): NewTask[] =>
    Array.from({ length: 200 }, (_, i) => ({
      ...{ id: `n${first + from + i}`, type: 'a', payload: '1', meta: '', lane: 'normal' as const },
      ...over,
    }));
  const before = process.cpuUsage();
  for (let n = 0; n < count; n += 200) {
    const group = { queue: QUEUE, channel: 'z', sequence: 1 + first + n, after: 0, maxReady: 1e9 };
    const due = { due: { afterMs: 1 + ((n * 7_919) % 100_000) } };
    await broker.enqueue({ ...group, durability: 'accepted', tasks: tasks(n, n % 400 === 0 ? due : {}) });
  }
  await clock.advance(100_001);
  const duty = { queue: QUEUE, consumer: 'a', dutyMs: 1_000, takeOver: true };
  while ((await broker.promote(duty)).nextInMs !== undefined);
  const request = { queue: QUEUE, consumer: 'a', leaseMs: 30_000 };
  for (
    let left = count, outcomes: Parameters<typeof broker.settle>[0]['outcomes'] = [];
    left >= 0;
    left -= 200
  ) {
    const want = { total: 200, high: 0, normal: 200, low: 0 };
    const { deliveries } = await broker.settle({ ...request, outcomes, want });
    outcomes = deliveries.map((lease) => ({ kind: 'remove', lease, id: lease.fields[1]! }));
  }
  expect(await broker.counts(QUEUE)).toMatchObject({ ready: { normal: 0 }, active: 0, scheduled: 0 });
  const { user, system } = process.cpuUsage(before);
  return (user + system) / count;
}

it('costs per verb what it costs in a small queue', async () => {
  const clock = new VirtualClock();
  const broker = new MemoryBroker({ store: new MemoryStore({ clock, random: () => 0.5 }) });
  await broker.ensureQueue(QUEUE);
  const few = await through(broker, clock, 4_000, 0);
  const many = await through(broker, clock, 100_000, 4_000);

  // Twenty-five times as many: a walk over all of them would cost that much more each.
  expect(many).toBeLessThan(5 * few);
});
