import { HandlerRegistry, type TaskWorker } from '@taskq/core';
import { afterEach, expect, it } from 'vitest';
import { lost, MINUTE, QUEUE, refused, SECOND, useStage } from './stage.js';

// Queues that are kept on several servers, of which one hangs or is gone: the others must not notice.
const stage = useStage();

/** The queue whose server is in trouble; the other is {@link QUEUE}. It comes first wherever queues come in turn. */
const GONE = 'gone';

let worker: TaskWorker | undefined;
afterEach(async () => {
  if (worker) await stage().clock.until(worker.stop({ drainTimeoutMs: 0 }));
});

/** What a call comes to whose server does not answer. */
async function hang(): Promise<never> {
  await stage().sleep(MINUTE);
  throw lost();
}

/** A worker of both queues, each of which is read by itself. A task runs for so long. */
async function workOnBoth(runMs: number) {
  const { clock, process, sleep } = stage();
  const one = process();
  one.broker.apart = true;
  const registry = new HandlerRegistry();
  for (const queue of [GONE, QUEUE]) {
    const options = { queue, timeout: '6h' } as const;
    registry.add({ type: `job-${queue}`, where: 'spec', options, run: () => sleep(runMs) });
  }
  worker = one.engine.createWorker(registry);
  await clock.until(worker.start());
  await clock.advance(0);
  return one;
}

it('a lease is renewed while the renewal of another server’s queue hangs', async () => {
  const { clock, process, sleep } = stage();
  const one = await workOnBoth(MINUTE);
  one.broker.trouble('extend', (apply, queue) => (queue === GONE ? hang() : apply()));
  for (const queue of [GONE, QUEUE])
    await clock.until(one.engine.producer.enqueue(`job-${queue}`, null, { queue }));
  await clock.advance(0);
  const peer = process();
  await peer.work({ [`job-${QUEUE}`]: () => sleep(MINUTE) });
  await clock.advance(55 * SECOND);

  expect(one.told('task.started')).toHaveLength(2);
  expect(peer.told('task.started')).toHaveLength(0);
});

it('what a dead worker held is taken over while the sweep of another server’s queue is refused', async () => {
  const { clock, process } = stage();
  const producer = process();
  await producer.enqueue(`job-${QUEUE}`);
  await stage().die(1);
  const one = await workOnBoth(SECOND);
  one.broker.trouble('sweepsDue', (apply, { queues }) =>
    queues.includes(GONE) ? Promise.reject(refused()) : apply(),
  );
  one.broker.trouble('reclaim', (apply, { queue }) => (queue === GONE ? Promise.reject(refused()) : apply()));
  await clock.advance(MINUTE);

  expect(one.told('task.reclaimed')).toHaveLength(1);
  expect(one.told('task.completed')).toHaveLength(1);
});

it('a task that is due is promoted while the promotion of another server’s queue hangs', async () => {
  const { clock } = stage();
  const one = await workOnBoth(SECOND);
  one.broker.trouble('takeDuties', (apply, { queues }) => (queues.includes(GONE) ? hang() : apply()));
  one.broker.trouble('promote', (apply, { queue }) => (queue === GONE ? hang() : apply()));
  await clock.until(one.engine.producer.enqueue(`job-${QUEUE}`, null, { queue: QUEUE, delay: '10s' }));
  await clock.advance(13 * SECOND);

  expect(one.told('task.completed')).toHaveLength(1);
});
