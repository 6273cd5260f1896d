import { EnqueueOutcomeUnknownError, type TaskQueue } from '@taskq/core';
import { waitFor } from '@taskq/testing';
import { describe, expect, it } from 'vitest';
import { FaultProxy } from '../chaos/proxy/fault-proxy.js';
import { handler, lab, lasting, QUEUE, range, SPLIT, watch } from './harness.js';
import { performer } from './performer.js';

const here = lab({ args: ['--appendonly', 'yes', '--appendfsync', 'always'] });

/** Enqueues without a break, each task until it is accepted; answers the ids of all that were. */
function load(engine: TaskQueue): { ids: Set<string>; stop(): Promise<void> } {
  const ids = new Set<string>();
  const over = new AbortController();
  const one = async (n: number): Promise<void> => {
    const id = `${here.prefix}-${n}`;
    for (;;) {
      try {
        await engine.producer.enqueue('a', n, { id });
        ids.add(id);
        return;
      } catch (error) {
        if (over.signal.aborted && !(error instanceof EnqueueOutcomeUnknownError)) return;
      }
    }
  };
  const running = (async () => {
    for (let n = 0; !over.signal.aborted; n += 10) await Promise.all(range(10).map((i) => one(n + i)));
  })();
  return {
    ids,
    stop: () => {
      over.abort();
      return running;
    },
  };
}

describe('a Redis that restarts', () => {
  it.each([
    ['cleanly', () => here.server.restart()],
    ['after kill -9', () => here.server.kill().then(() => here.server.restart())],
  ])('%s, under load: nothing is lost, and the worker resumes by itself', async (_how, restart) => {
    const engine = await here.open();
    const facts = watch(engine);
    const ran: string[] = [];
    const worker = await here.work(
      engine,
      handler('a', (_payload, { id }) => lasting(1).then(() => void ran.push(id))),
    );
    const producer = load(engine);
    await facts.until('task.completed', { count: 100 });
    await restart();
    const back = performance.now();
    await facts.until('task.completed', { where: ({ at }) => at > back, timeoutMs: 8000 });
    const resumed = facts.of('task.completed').find(({ at }) => at > back)!;
    const before = facts.of('task.completed').length;
    await facts.until('task.completed', { count: before + 100, timeoutMs: 8000 });
    await producer.stop();
    await here.untilEmpty(engine, 10_000);
    const done = new Set(ran);

    expect([...producer.ids].filter((id) => !done.has(id))).toEqual([]);
    // G10: load time and three seconds.
    expect(resumed.at - back).toBeLessThan(3000);
    expect(worker.status().state).toBe('running');
    expect(facts.of('broker.reconnected').length).toBeGreaterThan(0);
    // At most what was in flight.
    expect(ran.length - done.size).toBeLessThanOrEqual(10);
    expect(facts.of('task.dead')).toEqual([]);
    // Whoever counts what was completed counts all of it.
    expect(
      [...done].filter((id) => facts.of('task.completed', id).length === 0).map((id) => facts.story(id)),
    ).toEqual([]);
  });
});

describe('keys that vanish while a worker waits', () => {
  it.skipIf(SPLIT).each([
    ['the group', (key: string) => here.admin.xgroup('DESTROY', key, 'workers')],
    ['the stream', (key: string) => here.admin.del(key)],
    ['everything of the queue', async () => here.admin.del(await here.admin.keys(`${here.prefix}:*`))],
  ])('%s: it says so and new tasks flow within 2 s', async (_what, vanish) => {
    const engine = await here.open();
    const facts = watch(engine);
    await here.work(
      engine,
      handler('a', () => undefined),
    );
    await engine.producer.enqueue('a', 'before');
    await facts.until('task.completed');
    await waitFor(async () => (await here.admin.info('clients')).includes('blocked_clients:1'), {
      what: 'the blocking read',
    });
    await vanish(here.key(':tasks'));
    const begun = performance.now();
    const { id } = await engine.producer.enqueue('a', 'after');
    const [done] = await facts.until('task.completed', { id });

    expect(done!.at - begun).toBeLessThan(2000);
    expect(await facts.until('queue.recreated')).toMatchObject([{ queue: QUEUE }]);
  });

  it('while it works, too', async () => {
    const engine = await here.open();
    const facts = watch(engine);
    await here.work(
      engine,
      handler('a', () => lasting(1)),
    );
    const producer = load(engine);
    for (const round of range(3)) {
      const before = facts.of('task.completed').length;
      await waitFor(() => facts.of('task.completed').length > before + 50, { what: `load ${round}` });
      await here.admin.xgroup('DESTROY', here.key(':tasks'), 'workers');
    }
    await producer.stop();
    const { id } = await engine.producer.enqueue('a', 'last');
    await facts.until('task.completed', { id });
    await here.untilEmpty(engine);
    const done = new Set(facts.of('task.completed').map((fact) => fact.id));
    const started = new Set(facts.of('task.started').map((fact) => fact.id));

    // Nothing was deleted but the group: what was in the stream is delivered by the new one.
    expect([...producer.ids].filter((one) => !started.has(one))).toEqual([]);
    expect(facts.of('queue.recreated').length).toBeGreaterThan(0);
    expect(done.size).toBeGreaterThan(150);
  });
});

describe('SCRIPT FLUSH', () => {
  it('again and again under load is not noticed by anybody', async () => {
    const complaints: string[] = [];
    const complain = (line: string): void => void complaints.push(line);
    const logger = { debug: () => undefined, info: () => undefined, warn: complain, error: complain };
    const engine = await here.open({}, { logger });
    const facts = watch(engine);
    await here.work(
      engine,
      handler('a', (n: number, { attempt }) => {
        if (n % 10 === 0 && attempt === 1) throw new Error('once');
      }),
    );
    const producer = load(engine);
    for (const flush of range(30)) {
      await here.admin.script('FLUSH');
      const before = facts.of('task.completed').length;
      await waitFor(() => facts.of('task.completed').length > before + 10, { what: `progress ${flush}` });
    }
    await producer.stop();
    await here.untilEmpty(engine);
    const done = facts.of('task.completed').map(({ id }) => id);

    expect(new Set(done)).toEqual(producer.ids);
    expect(done).toHaveLength(producer.ids.size);
    expect(complaints).toEqual([]);
  });
});

describe('an outage of twice the lease', () => {
  it('makes no running task run again: sweeps are held until its owner has spoken', async () => {
    const proxies = [
      here.track(await FaultProxy.start(here.server.connection)),
      here.track(await FaultProxy.start(here.server.connection)),
    ] as const;
    const engines = [
      await here.open({ redis: { url: proxies[0].url } }),
      await here.open({ redis: { url: proxies[1].url } }),
    ] as const;
    const facts = watch(engines[0]).listenTo(engines[1].events);
    const [quick, slow] = [watch(engines[0]), watch(engines[1])];
    await here.work(engines[1], performer(engines[1].producer));
    await Promise.all(range(3).map(() => engines[0].producer.enqueue('do', { ms: 4500 })));
    await slow.until('task.started', { count: 3 });
    await here.work(engines[0], performer(engines[0].producer));
    await engines[0].producer.enqueue('do', { ms: 1 });
    await facts.until('task.completed');
    for (const proxy of proxies) proxy.cut();
    await lasting(2000);
    // One finds Redis again before the other: all that the other holds looks abandoned by then.
    proxies[0].heal();
    await quick.until('broker.reconnected');
    await lasting(700);
    proxies[1].heal();
    await facts.until('task.completed', { count: 4, timeoutMs: 8000 });

    expect(facts.of('task.started')).toHaveLength(4);
    expect(facts.of('task.stale')).toEqual([]);
    await here.untilEmpty(engines[0]);
  });

  it('keeps the outcome of what ended meanwhile, and settles it when the link is back', async () => {
    const proxy = here.track(await FaultProxy.start(here.server.connection));
    const engine = await here.open({ redis: { url: proxy.url } });
    const facts = watch(engine);
    await here.work(engine, performer(engine.producer));
    const ids = await Promise.all(range(6).map(() => engine.producer.enqueue('do', { ms: 700 })));
    await facts.until('task.started', { count: 6 });
    proxy.cut();
    await lasting(1500);
    proxy.heal();
    await facts.until('task.completed', { count: 6, timeoutMs: 8000 });

    for (const { id } of ids) expect(facts.of('task.started', id)).toHaveLength(1);
  });

  it('is followed by new tasks within three seconds', async () => {
    const proxy = here.track(await FaultProxy.start(here.server.connection));
    const engine = await here.open({ redis: { url: proxy.url } });
    const direct = await here.open();
    const facts = watch(engine);
    await here.work(
      engine,
      handler('a', () => undefined),
    );
    await engine.producer.enqueue('a', 1);
    await facts.until('task.completed');
    proxy.cut();
    await lasting(2000);
    const waiting = await direct.producer.enqueue('a', 2);
    proxy.heal();
    const back = performance.now();
    const [done] = await facts.until('task.completed', { id: waiting.id });

    expect(done!.at - back).toBeLessThan(3000);
  });
});

/** What is open by this name hears nothing any more; new connections work. Answers how many they are. */
function silence(proxy: FaultProxy, link: string): number {
  return proxy.blackHole({ link, direction: 'toClient', openOnly: true }).links;
}

describe('a wire that is dead in one direction', () => {
  it.each(['taskq:blocking', 'taskq:commands', 'taskq:maintenance'])(
    'is noticed and replaced: tasks flow again within 8 s, without a restart: %s',
    async (link) => {
      const proxy = here.track(await FaultProxy.start(here.server.connection));
      const engine = await here.open({ redis: { url: proxy.url, commandTimeout: '1s' } });
      const direct = await here.open();
      const facts = watch(engine);
      await here.work(
        engine,
        handler('a', () => undefined),
      );
      await engine.producer.enqueue('a', 1);
      await facts.until('task.completed');
      await waitFor(() => silence(proxy, link) === 1, { what: `the link ${link}` });
      const begun = performance.now();
      const now = await direct.producer.enqueue('a', 2);
      const later = await direct.producer.enqueue('a', 3, { delay: 100 });
      const [done] = await facts.until('task.completed', { id: now.id, timeoutMs: 10_000 });
      const [promoted] = await facts.until('task.completed', { id: later.id, timeoutMs: 10_000 });

      expect(done!.at - begun).toBeLessThan(8000);
      expect(promoted!.at - begun).toBeLessThan(8000);
    },
  );

  it.skipIf(SPLIT)('does not keep a producer from enqueueing for longer than that', async () => {
    const proxy = here.track(await FaultProxy.start(here.server.connection));
    const engine = await here.open({ redis: { url: proxy.url, commandTimeout: '1s' } });
    await engine.producer.enqueue('a', 1);
    silence(proxy, 'taskq:commands');
    const begun = performance.now();

    await expect(engine.producer.enqueue('a', 2)).resolves.toMatchObject({ status: 'accepted' });
    expect(performance.now() - begun).toBeLessThan(8000);
    expect(await here.payloads()).toEqual([1, 2]);
  });
});
