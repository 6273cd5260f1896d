import { NonRetryableError, snooze } from '@taskq/core';
import { waitFor } from '@taskq/testing';
import { describe, expect, it } from 'vitest';
import { FaultProxy } from '../chaos/proxy/fault-proxy.js';
import { type WorkerProcess, workerProgram } from './child-process.js';
import { gate, handler, lab, lasting, QUEUE, range, SPLIT, watch } from './harness.js';
import { performer } from './performer.js';

const here = lab();
const start = workerProgram();

const LEASE = 1000;
/** Reliability G1: a dead worker's tasks start elsewhere within the lease, one sweep and a second. */
const RECOVERY = LEASE + LEASE / 6 + 1000;

function child(options: Parameters<typeof here.options>[0] = {}): WorkerProcess {
  return here.track(start(here.options(options)));
}

describe('heartbeat', () => {
  it('keeps a task that runs for three leases: it runs once, though a peer is idle', async () => {
    const engines = [await here.open(), await here.open()] as const;
    const facts = watch(engines[0]).listenTo(engines[1].events);
    for (const engine of engines) await here.work(engine, performer(engine.producer));
    const ids = await Promise.all(range(3).map(() => engines[0].producer.enqueue('do', { ms: 3.2 * LEASE })));
    await facts.until('task.completed', { count: 3 });

    expect(facts.of('task.started')).toHaveLength(3);
    expect(facts.of('task.reclaimed')).toEqual([]);
    expect(facts.of('task.stale')).toEqual([]);
    for (const { id } of ids) expect(facts.of('task.completed', id)).toHaveLength(1);
  });
});

describe('sweeps', () => {
  it.each([
    [1, 4000],
    [4, 8000],
  ])('never keep a worker of %i slots from what is ready', async (concurrency, backlog) => {
    const engine = await here.open({ queues: { [QUEUE]: { concurrency } }, worker: { block: '100ms' } });
    const facts = watch(engine);
    await Promise.all(range(backlog).map((n) => engine.producer.enqueue('a', n)));
    // Several sweeps pass while the backlog is worked off, and more while single tasks trickle in.
    await here.work(
      engine,
      handler('a', () => undefined),
    );
    await facts.until('task.completed', { count: backlog, timeoutMs: 8000 });
    const until = performance.now() + LEASE;
    let enqueued = backlog;
    for (; performance.now() < until; enqueued += 1) {
      await engine.producer.enqueue('a', enqueued);
      await lasting(enqueued % 5);
    }
    await facts.until('task.completed', { count: enqueued });

    expect(facts.of('task.started')).toHaveLength(enqueued);
  });
});

describe('kill -9', () => {
  it.skipIf(SPLIT)('loses nothing: every task starts elsewhere in time, once more at most', async () => {
    const engine = await here.open({ queues: { [QUEUE]: { concurrency: 50 } } });
    const facts = watch(engine);
    const victim = child({ queues: { [QUEUE]: { concurrency: 20 } } });
    await victim.until('ready');
    const held = await Promise.all(range(20).map(() => engine.producer.enqueue('do', { ms: 60_000 })));
    await victim.until('task.started', { count: 20 });
    await here.work(
      engine,
      handler('do', () => undefined),
    );
    await Promise.all(range(100).map(() => engine.producer.enqueue('do', {})));
    const killed = performance.now();
    victim.signal('SIGKILL');
    await facts.until('task.completed', { count: 120 });
    await here.untilEmpty(engine);

    for (const { id } of held) {
      const starts = facts.of('task.started', id);
      expect(starts).toHaveLength(1);
      expect(starts[0]!.at - killed).toBeLessThan(RECOVERY);
      expect(starts[0]!.at - killed).toBeGreaterThan(LEASE / 2);
      expect(starts[0]).toMatchObject({ fence: 2 });
      expect(facts.of('task.reclaimed', id)).toHaveLength(1);
    }
    expect(facts.of('task.started')).toHaveLength(120);
    expect(await engine.inspector.counts(QUEUE)).toMatchObject({ dead: 0 });
  });
});

describe('a zombie', () => {
  it('is refused when it wakes, is told by its signal, and completes nothing', async () => {
    const engine = await here.open();
    const facts = watch(engine);
    const zombie = child();
    await zombie.until('ready');
    const polite = await engine.producer.enqueue('do', { ms: 60_000, polite: true });
    const hasty = await engine.producer.enqueue('do', { ms: 700 });
    await zombie.until('task.started', { count: 2 });
    const hold = gate();
    zombie.signal('SIGSTOP');
    await here.work(
      engine,
      handler('do', () => hold.passed),
    );
    await facts.until('task.started', { count: 2 });
    const woken = performance.now();
    zombie.signal('SIGCONT');
    const stale = await zombie.until('task.stale', { count: 2 });
    const aborted = await zombie.until('aborted', { id: polite.id });
    hold.open();
    await facts.until('task.completed', { count: 2 });

    expect(new Set(stale.map(({ id }) => id))).toEqual(new Set([polite.id, hasty.id]));
    expect(aborted[0]!.reason).toBe('LeaseLostError');
    expect(aborted[0]!.at - woken).toBeLessThan(1000);
    expect(zombie.of('task.completed')).toEqual([]);
    for (const { id } of [polite, hasty]) {
      expect(facts.of('task.completed', id)).toHaveLength(1);
      expect(facts.of('task.started', id)).toMatchObject([{ fence: 2 }]);
    }
    await here.untilEmpty(engine);
  });

  it.skipIf(SPLIT).each([
    ['complete', () => undefined],
    ['retry', () => Promise.reject(new Error('too late'))],
    ['bury', () => Promise.reject(new NonRetryableError('too late'))],
    ['snooze', () => snooze(10)],
  ])('cannot %s what another worker holds', async (_what, end) => {
    const engine = await here.open();
    const facts = watch(engine);
    const hold = gate();
    await here.work(
      engine,
      handler('a', () => hold.passed.then(end)),
    );
    const { id } = await engine.producer.enqueue('a', 1);
    await facts.until('task.started', { id });
    // What a pause longer than the lease looks like from Redis: the entry has been delivered to somebody else.
    const [[entry] = ['']] = await here.admin.xrange(here.key(':tasks'), '-', '+');
    await here.admin.xclaim(here.key(':tasks'), 'workers', 'other', 0, entry);
    hold.open();
    await facts.until('task.stale', { id });

    expect(await engine.inspector.find(QUEUE, id)).toMatchObject({ state: 'active', worker: 'other' });
    expect(await engine.inspector.counts(QUEUE)).toMatchObject({ dead: 0, scheduled: 0, active: 1 });
    expect(facts.story(id)).toEqual(['task.started', 'task.stale']);
  });
});

describe('a reply that is lost', () => {
  it('on a read leaves entries in our own list, which come back', async () => {
    const proxy = here.track(await FaultProxy.start(here.server.connection));
    const engine = await here.open({ redis: { url: proxy.url } });
    const direct = await here.open();
    const facts = watch(engine);
    await here.work(engine, performer(engine.producer));
    await waitFor(async () => String(await here.admin.client('LIST')).includes('name=taskq:blocking'), {
      what: 'the blocking read',
    });
    proxy.dropReply({ reply: '"ghost":true' });
    const begun = performance.now();
    const { id } = await direct.producer.enqueue('do', { ghost: true });
    const [done] = await facts.until('task.completed', { id });

    expect(proxy.counters.dropped).toBe(1);
    expect(facts.of('task.started', id)).toHaveLength(1);
    // G7, and for as long as sweeps are held after a reconnect: until every peer must have renewed its leases.
    expect(done!.at - begun).toBeLessThan(RECOVERY + LEASE / 3 + 2000);
    await here.untilEmpty(direct);
  });

  it('on a settle does not run the task again', async () => {
    const proxy = here.track(await FaultProxy.start(here.server.connection));
    const engine = await here.open({ redis: { url: proxy.url } });
    const direct = await here.open();
    const facts = watch(engine);
    const hold = gate();
    await here.work(
      engine,
      handler('a', () => hold.passed),
    );
    const { id } = await direct.producer.enqueue('a', 1);
    await facts.until('task.started', { id });
    // Of what this worker sends, only the settling of a task names an index.
    proxy.dropReply({ match: { text: ':index:' } });
    hold.open();
    await here.untilEmpty(direct);
    const next = await direct.producer.enqueue('a', 2);
    await facts.until('task.completed', { id: next.id });

    expect(proxy.counters.dropped).toBe(1);
    expect(facts.of('task.started', id)).toHaveLength(1);
    expect(facts.of('task.dead')).toEqual([]);
  });

  it('again and again loses nothing and makes nothing run that is done', async () => {
    const proxy = here.track(await FaultProxy.start(here.server.connection));
    const engine = await here.open({ redis: { url: proxy.url }, queues: { [QUEUE]: { concurrency: 5 } } });
    const direct = await here.open();
    const facts = watch(engine);
    await here.work(
      engine,
      handler('a', () => lasting(2)),
    );
    const ids = await Promise.all(range(400).map((n) => direct.producer.enqueue('a', n)));
    for (const wanted of [50, 100, 150, 200, 250]) {
      await waitFor(() => facts.of('task.started').length >= wanted, {
        what: `${wanted} starts`,
        timeoutMs: 8000,
      });
      proxy.resetAll();
    }
    await here.untilEmpty(direct, 10_000);
    const starts = facts.of('task.started').map(({ id }) => id);

    expect(new Set(starts)).toEqual(new Set(ids.map(({ id }) => id)));
    // At most what was in flight when the wire broke: five slots, five times.
    expect(starts.length - 400).toBeLessThanOrEqual(25);
    expect(facts.of('task.dead')).toEqual([]);
  });
});

describe('a task that kills its process', () => {
  it.skipIf(SPLIT).each(['SIGKILL', 'exit'] as const)(
    'is dead-lettered as crash-loop, and its neighbours keep their attempts: %s',
    async (crash) => {
      const engine = await here.open();
      const options = { worker: { maxDeliveries: 3 } };
      const neighbours = await Promise.all(range(5).map(() => engine.producer.enqueue('do', { ms: 20 })));
      const poison = await engine.producer.enqueue('do', { crash });
      neighbours.push(...(await Promise.all(range(5).map(() => engine.producer.enqueue('do', { ms: 20 })))));
      const children: WorkerProcess[] = [];
      const over = new AbortController();
      const restarting = (async () => {
        while (!over.signal.aborted) {
          const next = child(options);
          children.push(next);
          await next.ended;
        }
      })();
      const heard = (name: string, id?: string) => children.flatMap((one) => one.of(name, id));
      await waitFor(() => heard('task.dead', poison.id).length > 0, {
        what: 'the crash loop',
        timeoutMs: 15_000,
      });
      await here.untilEmpty(engine);
      over.abort();
      children.at(-1)!.signal('SIGKILL');
      await restarting;

      expect(heard('task.dead', poison.id)).toMatchObject([{ reason: 'crash-loop' }]);
      expect(heard('task.started', poison.id).length).toBeLessThanOrEqual(3);
      expect(children).toHaveLength(4);
      for (const { id } of neighbours) {
        expect(heard('task.completed', id).map(({ attempt }) => attempt)).toEqual([1]);
      }
      expect(await engine.inspector.counts(QUEUE)).toMatchObject({ dead: 1 });
    },
  );
});
