import { QueueFullError, type TaskQueue } from '@taskq/core';
import { waitFor } from '@taskq/testing';
import { expect, it } from 'vitest';
import { gate, handler, lab, QUEUE, range, rejection, watch } from './harness.js';

const here = lab();

/** An engine whose queue holds all the ready tasks it may. */
async function full(
  options: { whenFull?: 'wait' | 'reject'; waitTimeout?: number; maxReady?: number } = {},
): Promise<TaskQueue> {
  const { maxReady = 5, whenFull = 'reject', waitTimeout = 5000 } = options;
  const queues = { [QUEUE]: { maxReady, whenFull, waitTimeout } };
  const engine = await here.open({ queues }, { random: () => 0.5 });
  await Promise.all(range(maxReady).map((n) => engine.producer.enqueue('a', n)));
  return engine;
}

async function removeOne(): Promise<void> {
  const [[entry] = ['']] = await here.admin.xrange(here.key(':tasks'), '-', '+', 'COUNT', 1);
  await here.admin.xdel(here.key(':tasks'), entry);
}

it('rejects what is too much, and advises a pause that grows while the queue stays full', async () => {
  const { producer } = await full();
  const pauses: number[] = [];
  for (const _ of range(8)) {
    const error = await rejection(producer.enqueue('a', 'more'));
    expect(error).toBeInstanceOf(QueueFullError);
    expect(error).toMatchObject({ code: 'TASKQ_QUEUE_FULL', queue: QUEUE, maxReady: 5 });
    pauses.push((error as unknown as QueueFullError).retryAfterMs);
  }

  expect(pauses[0]).toBeGreaterThan(0);
  expect(pauses).toEqual(pauses.toSorted((a, b) => a - b));
  expect(pauses.at(-1)).toBeGreaterThan(pauses[0]! * 4);
  expect(await here.payloads()).toEqual(range(5));
});

it('counts to the task, also within one group', async () => {
  const { producer } = await full({ maxReady: 30 });
  const answers = await Promise.allSettled(range(10).map((n) => producer.enqueue('a', n)));
  expect(answers.map(({ status }) => status)).toEqual(range(10).map(() => 'rejected'));
  await removeOne();
  await removeOne();
  const again = await Promise.allSettled(range(10).map((n) => producer.enqueue('a', n)));

  expect(again.filter(({ status }) => status === 'fulfilled')).toHaveLength(2);
  expect(await here.admin.xlen(here.key(':tasks'))).toBe(30);
});

it('does not count what runs or waits for its time', async () => {
  const engine = await full({ maxReady: 3 });
  const facts = watch(engine);
  const hold = gate();
  await here.work(
    engine,
    handler('a', () => hold.passed),
  );
  await facts.until('task.started', { count: 3 });

  await expect(engine.producer.enqueue('b', 1, { delay: '1h' })).resolves.toMatchObject({
    status: 'accepted',
  });
  await expect(engine.producer.enqueue('a', 1)).resolves.toMatchObject({ status: 'accepted' });
  hold.open();
});

it('waits for room when asked to', async () => {
  const engine = await full({ whenFull: 'wait' });
  let answered = false;
  const waiting = engine.producer.enqueue('a', 'patient').finally(() => (answered = true));
  const others = range(3).map((n) => engine.producer.enqueue('a', `other ${n}`));
  await here.admin.ping();
  expect(answered).toBe(false);
  await here.work(
    engine,
    handler('a', () => undefined),
  );

  await expect(waiting).resolves.toMatchObject({ status: 'accepted' });
  await Promise.all(others);
  await here.untilEmpty(engine);
});

it('gives up waiting after waitTimeout, and not long before', async () => {
  const { producer } = await full({ whenFull: 'wait', waitTimeout: 400 });
  const begun = performance.now();

  await expect(producer.enqueue('a', 'impatient')).rejects.toThrow(QueueFullError);
  expect(performance.now() - begun).toBeLessThan(600);
  expect(performance.now() - begun).toBeGreaterThan(200);
  expect(await here.admin.xlen(here.key(':tasks'))).toBe(5);
});

it('still waits when the queue has been full for long', async () => {
  const { producer } = await full({ whenFull: 'wait', waitTimeout: 300 });
  await Promise.allSettled(range(30).map((n) => producer.enqueue('a', n)));
  const waiting = producer.enqueue('a', 'later');
  await removeOne();

  await expect(waiting).resolves.toMatchObject({ status: 'accepted' });
});

it('ends the wait when the signal is aborted, with its reason, and writes nothing', async () => {
  const { producer } = await full({ whenFull: 'wait' });
  const controller = new AbortController();
  const reason = new Error('the request is gone');
  const scripts = await here.calls('evalsha');
  const waiting = rejection(producer.enqueue('a', 'gone', { signal: controller.signal }));
  await waitFor(async () => (await here.calls('evalsha')) > scripts, { what: 'the first refusal' });
  const begun = performance.now();
  controller.abort(reason);

  expect(await waiting).toBe(reason);
  expect(performance.now() - begun).toBeLessThan(100);
  await expect(producer.enqueue('a', 'too late', { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  expect(await here.payloads()).toEqual(range(5));
});

it('never trims the stream: what was accepted runs, all of it, in order', async () => {
  const engine = await full({ maxReady: 3000 });
  const refused = await Promise.allSettled(range(500).map((n) => engine.producer.enqueue('a', n)));
  expect(refused.every(({ status }) => status === 'rejected')).toBe(true);
  expect(await here.admin.xlen(here.key(':tasks'))).toBe(3000);
  const facts = watch(engine);
  const ran: number[] = [];
  await here.work(
    engine,
    handler('a', (n: number) => void ran.push(n)),
  );
  await facts.until('task.completed', { count: 3000 });

  expect(ran.toSorted((a, b) => a - b)).toEqual(range(3000));
});
