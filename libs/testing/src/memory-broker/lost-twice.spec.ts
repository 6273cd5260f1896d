import { HandlerRegistry, type TaskContext, TaskQueue } from '@taskq/core';
import { expect, it } from 'vitest';
import { VirtualClock } from '../virtual-clock.js';
import { MemoryBroker } from './memory-broker.js';
import { MemoryStore } from './memory-store.js';

const QUEUE = 'orders';

// The group in which a task was accepted first is still remembered while the task is offered again in another. When
// only the first group is found missing once more, its task is not offered a second time: it may have been completed.
it('a task that is offered again is not offered once more because its first group is lost twice', async () => {
  const clock = new VirtualClock();
  const store = new MemoryStore({ clock, random: () => 0.5 });
  const broker = new MemoryBroker({ store, clock });
  const engine = TaskQueue.over(broker, {}, { clock, random: () => 0.5 });
  const fences: number[] = [];
  const registry = new HandlerRegistry();
  registry.add({
    type: 'job',
    where: 'spec',
    options: { queue: QUEUE },
    run: (_payload, { fence }: TaskContext) => fences.push(fence),
  });
  await clock.until(engine.producer.enqueue('job', null, { queue: QUEUE, delay: '1s' }));
  const reconnect = async (): Promise<void> => {
    broker.disconnect();
    await clock.advance(50);
    broker.reconnect(true);
    await clock.advance(50);
  };
  const reoffered: number[] = [];
  engine.events.on('data.reoffered', ({ accepted }) => void reoffered.push(accepted));

  store.flush();
  // The group that found out is lost as well; what is offered again comes after that.
  const forget = engine.events.on('data.lost.more', () => {
    forget();
    store.flush();
  });
  await reconnect();
  const worker = engine.createWorker(registry);
  await clock.until(worker.start());
  await clock.advance(1_500);
  expect(fences).toHaveLength(1);
  await reconnect();
  await clock.advance(5_000);

  expect(fences).toHaveLength(1);
  expect(reoffered).toEqual([1]);
  await clock.until(worker.stop());
  await clock.until(engine.close());
  expect(clock.pending).toBe(0);
});
