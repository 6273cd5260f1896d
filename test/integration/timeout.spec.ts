import { TaskTimeoutError } from '@taskq/core';
import { waitFor } from '@taskq/testing';
import { expect, it } from 'vitest';
import { gate, handler, lab, QUEUE, range, SPLIT, watch } from './harness.js';

const here = lab();

/** Resolves when the signal is aborted. */
function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}

it('aborts the signal with TaskTimeoutError when the time is up, not before', async () => {
  const engine = await here.open();
  const facts = watch(engine);
  const reasons: unknown[] = [];
  await here.work(
    engine,
    handler(
      'a',
      async (_payload, { signal }) => {
        await aborted(signal);
        reasons.push(signal.reason);
        signal.throwIfAborted();
      },
      { timeout: 150, maxAttempts: 2 },
    ),
  );
  const { id } = await engine.producer.enqueue('a', 1);
  await facts.until('task.dead', { id });
  const [retry] = facts.of('task.retrying', id);

  expect(reasons).toHaveLength(2);
  expect(reasons[0]).toBeInstanceOf(TaskTimeoutError);
  expect(reasons[0]).toMatchObject({ timeoutMs: 150 });
  expect(retry!.runMs).toBeGreaterThanOrEqual(148);
  expect(retry!.runMs).toBeLessThan(400);
  expect((await engine.inspector.find(QUEUE, id))!.meta.history).toMatchObject([
    { attempt: 1, error: { name: 'TaskTimeoutError' } },
    { attempt: 2, error: { name: 'TaskTimeoutError' } },
  ]);
});

it('records the timeout, not what the handler threw because of it', async () => {
  const engine = await here.open();
  const facts = watch(engine);
  await here.work(
    engine,
    handler(
      'a',
      async (_payload, { signal }) => {
        await aborted(signal);
        throw new Error('socket closed');
      },
      { timeout: 50, maxAttempts: 1 },
    ),
  );
  const { id } = await engine.producer.enqueue('a', 1);
  const [dead] = await facts.until('task.dead', { id });

  expect(dead!.error).toBeInstanceOf(TaskTimeoutError);
  expect((await engine.inspector.find(QUEUE, id))!.meta.history).toMatchObject([
    { error: { name: 'TaskTimeoutError' } },
  ]);
});

it('counts as completed what ends well within the grace', async () => {
  const engine = await here.open({ worker: { abortGrace: '2s' } });
  const facts = watch(engine);
  await here.work(
    engine,
    handler('a', (_payload, { signal }) => aborted(signal), { timeout: 50 }),
  );
  const { id } = await engine.producer.enqueue('a', 1);
  await facts.until('task.completed', { id });

  expect(facts.story(id)).toEqual(['task.started', 'task.completed']);
});

it('takes the timeout of the call over that of the handler', async () => {
  const engine = await here.open();
  const facts = watch(engine);
  await here.work(
    engine,
    handler('a', (_payload, { signal }) => aborted(signal).then(() => signal.throwIfAborted()), {
      timeout: '1h',
      maxAttempts: 1,
    }),
  );
  const { id } = await engine.producer.enqueue('a', 1, { timeout: 60 });
  const [dead] = await facts.until('task.dead', { id });

  expect(dead!.error).toMatchObject({ timeoutMs: 60 });
});

it.skipIf(SPLIT)(
  'settles the attempt of a handler that ignores its signal, and keeps its slot until it ends',
  async () => {
    const engine = await here.open({ queues: { [QUEUE]: { concurrency: 1 } } });
    const facts = watch(engine);
    const deaf = gate();
    const ranBy: string[] = [];
    const next = handler('next', (_payload, context) => void ranBy.push(context.worker));
    const deafly = handler('deaf', () => deaf.passed, { timeout: 50, maxAttempts: 1 });
    const worker = await here.work(engine, deafly, next);
    const { id } = await engine.producer.enqueue('deaf', 1);
    const [stuck] = await facts.until('task.stuck', { id });
    const [dead] = await facts.until('task.dead', { id });

    expect(stuck!.runMs).toBeGreaterThanOrEqual(240);
    expect(stuck!.runMs).toBeLessThan(700);
    expect(dead!.error).toBeInstanceOf(TaskTimeoutError);
    expect(worker.status().queues).toMatchObject([{ slots: 1, active: 1, stuck: 1 }]);

    // Five tasks that a peer runs, all of them: the deaf handler's worker has no slot for any.
    const peer = await here.open({ queues: { [QUEUE]: { concurrency: 1 } } });
    const atPeer = watch(peer);
    await Promise.all(range(5).map((n) => engine.producer.enqueue('next', n)));
    const helper = await here.work(peer, next);
    await atPeer.until('task.completed', { count: 5 });
    await helper.stop();
    expect(new Set(ranBy)).toEqual(new Set([helper.consumer]));

    deaf.open();
    const last = await engine.producer.enqueue('next', 6);
    await facts.until('task.completed', { id: last.id });
    expect(worker.status().queues).toMatchObject([{ active: 0, stuck: 0 }]);
    expect(facts.story(id)).toEqual(['task.started', 'task.stuck', 'task.dead']);
  },
);

it('retries the task elsewhere while the deaf handler still runs', async () => {
  const engine = await here.open();
  const peer = await here.open();
  const facts = watch(engine).listenTo(peer.events);
  const deaf = gate();
  const starts: string[] = [];
  const definition = handler(
    'a',
    (_payload, { worker, fence }) => {
      starts.push(`${worker} ${fence}`);
      return starts.length === 1 ? deaf.passed : undefined;
    },
    { timeout: 50 },
  );
  await here.work(engine, definition);
  await here.work(peer, definition);
  const { id } = await engine.producer.enqueue('a', 1);
  const [done] = await facts.until('task.completed', { id });
  deaf.open();

  expect(done!.attempt).toBe(2);
  await waitFor(() => facts.of('task.stuck', id).length === 1, { what: 'the one stuck attempt' });
  expect(starts).toHaveLength(2);
});

it('stops within its bounds though a handler never ends', async () => {
  const engine = await here.open({ worker: { abortGrace: '200ms' } });
  const facts = watch(engine);
  const worker = await here.work(
    engine,
    handler('never', () => new Promise(() => undefined), { timeout: '1h' }),
  );
  const { id } = await engine.producer.enqueue('never', 1);
  await facts.until('task.started', { id });
  const begun = performance.now();
  const report = await worker.stop({ drainTimeoutMs: 100 });

  expect(performance.now() - begun).toBeLessThan(900);
  expect(performance.now() - begun).toBeGreaterThanOrEqual(290);
  expect(report).toMatchObject({ released: 1, stuck: 1, drained: 0 });
  expect(facts.of('task.released', id)).toMatchObject([{ started: true }]);
});

it('stops within its bounds though a stuck handler never ends', async () => {
  const engine = await here.open();
  const facts = watch(engine);
  const worker = await here.work(
    engine,
    handler('never', () => new Promise(() => undefined), { timeout: 20, maxAttempts: 1 }),
  );
  const { id } = await engine.producer.enqueue('never', 1);
  await facts.until('task.dead', { id });
  const begun = performance.now();
  const report = await worker.stop();

  expect(performance.now() - begun).toBeLessThan(500);
  expect(report).toMatchObject({ released: 0, stuck: 1 });
});
