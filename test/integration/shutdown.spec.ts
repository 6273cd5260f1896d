import { WorkerShutdownError } from '@taskq/core';
import { waitFor } from '@taskq/testing';
import { describe, expect, it } from 'vitest';
import { workerProgram } from './child-process.js';
import { gate, handler, lab, lasting, QUEUE, range, watch } from './harness.js';
import { performer } from './performer.js';

const here = lab();
const start = workerProgram();

/** Resolves when the signal is aborted. */
function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}

describe('stop', () => {
  it('lets running handlers end, takes nothing new, and removes its consumer', async () => {
    const engine = await here.open({ queues: { [QUEUE]: { concurrency: 3 } } });
    const facts = watch(engine);
    const hold = gate();
    const worker = await here.work(
      engine,
      handler('a', () => hold.passed),
    );
    await Promise.all(range(10).map((n) => engine.producer.enqueue('a', n)));
    await facts.until('task.started', { count: 3 });
    const stopping = worker.stop();
    expect(worker.status().state).toBe('quiet');
    await engine.producer.enqueue('a', 'after');
    hold.open();
    const report = await stopping;

    expect(report).toMatchObject({ drained: 3, released: 0, stuck: 0 });
    expect(worker.status()).toMatchObject({ state: 'stopped' });
    expect(facts.of('task.started')).toHaveLength(3);
    expect(facts.of('task.completed')).toHaveLength(3);
    expect(await engine.inspector.counts(QUEUE)).toMatchObject({
      ready: { normal: 8 },
      active: 0,
      consumers: 0,
    });
  });

  it('of an idle worker is quick, though it waits in a blocking read', async () => {
    const engine = await here.open({ worker: { block: '30s' } });
    const worker = await here.work(
      engine,
      handler('a', () => undefined),
    );
    await waitFor(async () => / cmd=xreadgroup .*|blocked_clients:1/.test(await here.admin.info('clients')), {
      what: 'the blocking read',
    });
    const report = await worker.stop();

    expect(report.tookMs).toBeLessThan(300);
    expect(await engine.inspector.counts(QUEUE)).toMatchObject({ consumers: 0 });
  });

  it('aborts at its deadline with WorkerShutdownError and hands back: a peer starts at once, same attempt', async () => {
    const engine = await here.open({ worker: { lease: '30s', heartbeat: '5s' } });
    const peer = await here.open({ worker: { lease: '30s', heartbeat: '5s' } });
    const facts = watch(engine);
    const atPeer = watch(peer);
    const reasons: unknown[] = [];
    const worker = await here.work(
      engine,
      handler('a', async (_payload, { signal }) => {
        await aborted(signal);
        reasons.push(signal.reason);
        await new Promise(() => undefined);
      }),
    );
    const { id } = await engine.producer.enqueue('a', { x: 1 });
    await facts.until('task.started', { id });
    await here.work(
      peer,
      handler('a', () => undefined),
    );
    const report = await worker.stop({ drainTimeoutMs: 100 });
    const released = facts.of('task.released', id);
    const [started] = await atPeer.until('task.started', { id });
    await atPeer.until('task.completed', { id });

    expect(reasons[0]).toBeInstanceOf(WorkerShutdownError);
    expect(report).toMatchObject({ released: 1, drained: 0 });
    expect(released).toMatchObject([{ started: true, attempt: 1 }]);
    expect(started!.at - released[0]!.at).toBeLessThan(1000);
    expect(started).toMatchObject({ attempt: 1 });
    expect(started!.fence).toBeGreaterThan(facts.of('task.started', id)[0]!.fence);
    await here.untilEmpty(peer);
  });

  it('counts as completed what ends well after the abort, and as a failure nothing that it caused', async () => {
    const engine = await here.open();
    const facts = watch(engine);
    const worker = await here.work(
      engine,
      handler('tidy', (_payload, { signal }) => aborted(signal)),
      handler('throws', (_payload, { signal }) => aborted(signal).then(() => signal.throwIfAborted())),
    );
    const tidy = await engine.producer.enqueue('tidy', 1);
    const throws = await engine.producer.enqueue('throws', 1, { maxAttempts: 1 });
    await facts.until('task.started', { count: 2 });
    await worker.stop({ drainTimeoutMs: 50 });

    expect(facts.story(tidy.id).at(-1)).toBe('task.completed');
    expect(facts.story(throws.id).at(-1)).toBe('task.released');
    expect(await engine.inspector.counts(QUEUE)).toMatchObject({ dead: 0, scheduled: 0 });
    const again = watch(engine);
    await here.work(
      engine,
      handler('throws', (_payload, { attempt }) => expect(attempt).toBe(1)),
    );
    await again.until('task.completed', { id: throws.id });
  });

  it('is shortened by a second call, and both answer the same report', async () => {
    const engine = await here.open();
    const facts = watch(engine);
    const worker = await here.work(
      engine,
      handler('a', () => new Promise(() => undefined)),
    );
    await engine.producer.enqueue('a', 1);
    await facts.until('task.started');
    const begun = performance.now();
    const first = worker.stop({ drainTimeoutMs: 60_000 });
    const second = worker.stop({ drainTimeoutMs: 50 });
    const third = worker.stop({ drainTimeoutMs: 60_000 });
    const report = await first;

    expect(performance.now() - begun).toBeLessThan(900);
    expect(report).toMatchObject({ released: 1 });
    expect(await second).toEqual(report);
    expect(await third).toEqual(report);
  });

  it('before start, during start and twice is harmless', async () => {
    const engine = await here.open();
    const never = here.worker(
      engine,
      handler('a', () => undefined),
    );
    expect(await never.stop()).toMatchObject({ drained: 0, released: 0, stuck: 0 });
    await expect(never.start()).rejects.toMatchObject({ code: 'TASKQ_LIFECYCLE' });

    const early = here.worker(
      engine,
      handler('a', () => undefined),
    );
    const starting = early.start();
    const stopping = early.stop();
    await Promise.all([starting, stopping]);
    await early.stop();
    await engine.producer.enqueue('a', 1);

    expect(early.status().state).toBe('stopped');
    expect(await engine.inspector.counts(QUEUE)).toMatchObject({
      ready: { normal: 1 },
      active: 0,
      consumers: 0,
    });
  });

  it('lets a handler enqueue while it drains', async () => {
    const engine = await here.open();
    const facts = watch(engine);
    const hold = gate();
    const worker = await here.work(
      engine,
      handler('a', async () => {
        await hold.passed;
        await engine.producer.enqueue('b', 'from a draining handler');
      }),
    );
    await engine.producer.enqueue('a', 1);
    await facts.until('task.started');
    const stopping = worker.stop();
    hold.open();
    const report = await stopping;

    expect(report).toMatchObject({ drained: 1, released: 0 });
    expect(await here.payloads()).toEqual(['from a draining handler']);
  });

  it('under load loses nothing, runs nothing twice, and a peer takes the rest at once', async () => {
    const engine = await here.open({ worker: { lease: '30s', heartbeat: '5s' } });
    const peer = await here.open({ worker: { lease: '30s', heartbeat: '5s' } });
    const facts = watch(engine).listenTo(peer.events);
    const definition = handler('a', () => lasting(1));
    const ids = new Set<string>();
    const over = new AbortController();
    const load = (async () => {
      for (let n = 0; !over.signal.aborted; n += 1) {
        for (const { id } of await Promise.all(range(20).map(() => engine.producer.enqueue('a', n))))
          ids.add(id);
      }
    })();
    for (const round of range(6)) {
      const worker = await here.work(engine, definition);
      const before = facts.of('task.completed').length;
      await waitFor(() => facts.of('task.completed').length > before + 30, { what: `round ${round}` });
      await worker.stop();
      expect((await engine.inspector.counts(QUEUE)).active, 'left behind').toBe(0);
    }
    over.abort();
    await load;
    await here.work(peer, definition);
    await here.untilEmpty(peer, 10_000);
    const done = facts.of('task.completed').map(({ id }) => id);

    expect(new Set(done)).toEqual(ids);
    expect(done).toHaveLength(ids.size);
    expect(facts.of('task.started')).toHaveLength(ids.size);
  });
});

describe('SIGTERM', () => {
  it('while idle: the process ends by itself, nothing left in it or in Redis', async () => {
    const engine = await here.open();
    const child = here.track(start(here.options()));
    await child.until('ready');
    const begun = performance.now();
    child.signal('SIGTERM');

    expect(await child.ended).toBe(0);
    expect(performance.now() - begun).toBeLessThan(1500);
    expect(child.of('stopped')).toMatchObject([{ drained: 0, released: 0 }]);
    expect(await engine.inspector.counts(QUEUE)).toMatchObject({ consumers: 0, active: 0 });
  });

  it('while handlers run: they end, what they enqueue is kept, and nothing runs again', async () => {
    const engine = await here.open();
    const facts = watch(engine);
    const child = here.track(start(here.options()));
    await child.until('ready');
    const { id } = await engine.producer.enqueue('do', { ms: 400, enqueue: { ms: 1 } });
    await child.until('task.started', { id });
    child.signal('SIGTERM');

    expect(await child.ended).toBe(0);
    expect(child.of('task.completed', id)).toHaveLength(1);
    expect(await here.payloads()).toEqual([{ ms: 1 }]);
    await here.work(engine, performer(engine.producer));
    await facts.until('task.completed');
    await here.untilEmpty(engine);
    expect(facts.of('task.started', id)).toEqual([]);
  });

  it('under a flood, with handlers past the deadline: a peer starts the rest at once, and nothing is lost', async () => {
    const engine = await here.open({ queues: { [QUEUE]: { concurrency: 50 } } });
    const facts = watch(engine);
    const child = here.track(
      start(here.options({ worker: { drainTimeout: '100ms', lease: '30s', heartbeat: '5s' } })),
    );
    await child.until('ready');
    const long = await Promise.all(range(3).map(() => engine.producer.enqueue('do', { ms: 1500 })));
    const short = await Promise.all(range(300).map(() => engine.producer.enqueue('do', { ms: 1 })));
    await child.until('task.completed', { count: 50 });
    child.signal('SIGTERM');
    await child.until('stopped');
    const stopped = performance.now();
    await here.work(
      engine,
      handler('do', () => undefined),
    );
    await here.untilEmpty(engine);

    expect(child.of('stopped')).toMatchObject([{ released: 3 }]);
    for (const { id } of long) {
      const [started] = facts.of('task.started', id);
      expect(started).toMatchObject({ attempt: 1 });
      expect(started!.fence).toBeGreaterThan(child.of('task.started', id)[0]!.fence!);
      expect(started!.at - stopped).toBeLessThan(1000);
    }
    for (const { id } of short) {
      const runs = [...child.of('task.completed', id), ...facts.of('task.completed', id)];
      expect(runs).toHaveLength(1);
    }
    expect(await child.ended).toBe(0);
  });

  it('while it boots: it still ends, and takes nothing with it', async () => {
    const engine = await here.open();
    await Promise.all(range(50).map(() => engine.producer.enqueue('do', { ms: 1 })));
    const child = here.track(start(here.options()));
    await waitFor(
      async () => String(await here.admin.client('LIST')).split('name=taskq:commands').length > 2,
      { what: 'the child to be connected' },
    );
    child.signal('SIGTERM');

    expect(await child.ended).toBe(0);
    const counts = await engine.inspector.counts(QUEUE);
    expect(counts).toMatchObject({ active: 0, consumers: 0 });
    expect(counts.ready.normal).toBe(50 - child.of('task.completed').length);
  });
});
