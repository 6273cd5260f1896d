import { type EngineOptions, type EnqueueResult, RedisUnusableError, type TaskQueue } from '@taskq/core';
import {
  freePort,
  type RedisSentinel,
  startRedisReplication,
  startRedisSentinel,
  waitFor,
} from '@taskq/testing';
import { Redis } from 'ioredis';
import { setImmediate } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { handler, lab, lasting, range, rejection, watch } from './harness.js';

const here = lab({ listen: 'port' });

function open(sentinels: RedisSentinel, options: EngineOptions = {}): Promise<TaskQueue> {
  const redis = {
    url: undefined,
    sentinels: sentinels.sentinels.map(({ host, port }) => `${host}:${port}`),
    sentinelName: sentinels.name,
    commandTimeout: '1s',
  } as const;
  return here.open({ ...options, redis: { ...redis, ...options.redis } });
}

/** A group of its own for a test that breaks it. */
async function group(): Promise<RedisSentinel> {
  const made = await startRedisSentinel();
  here.track({ close: () => made.stop() });
  return made;
}

describe('with Sentinels', () => {
  let shared: RedisSentinel;

  beforeAll(async () => {
    shared = await startRedisSentinel();
  }, 60_000);
  afterAll(() => shared?.stop());

  it('tasks are enqueued, run, retried, delayed and buried', async () => {
    const engine = await open(shared);
    const facts = watch(engine);
    await here.work(
      engine,
      handler(
        'a',
        (payload, { attempt }) => {
          if (payload === 'dies' || (payload === 'fails' && attempt === 1)) throw new Error('asked to');
        },
        { maxAttempts: 2 },
      ),
    );
    for (const payload of ['runs', 'fails', 'dies']) await engine.producer.enqueue('a', payload);
    await engine.producer.enqueue('a', 'later', { delay: 200 });
    await facts.until('task.completed', { count: 3 });
    await facts.until('task.dead');

    expect((await engine.inspector.counts('default')).dead).toBe(1);
    expect(engine.broker.target).toContain(`"${shared.name}"`);
  });

  it('a planned failover is followed by everybody, also by a worker that waits', async () => {
    const engine = await open(shared);
    const facts = watch(engine);
    await here.work(
      engine,
      handler('a', () => undefined),
    );
    await engine.producer.enqueue('a', 'before');
    await facts.until('task.completed');
    const begun = performance.now();
    await shared.failover();
    const promoted = performance.now();
    const answers: EnqueueResult[] = [];
    for (const n of range(20)) answers.push(await engine.producer.enqueue('a', n));
    await waitFor(() => answers.every(({ id }) => facts.of('task.completed', id).length > 0), {
      what: 'all of them to run',
      timeoutMs: 8000,
    });

    expect(performance.now() - promoted).toBeLessThan(5000);
    expect(facts.of('broker.reconnected').some(({ at }) => at > begun)).toBe(true);
    expect((await engine.inspector.ping()) > 0).toBe(true);
    await shared.untilReady();
  }, 40_000);
});

describe('a failover that takes next to no time', () => {
  it('leads every link to a server of which nothing is known: its data may be older', async () => {
    const sentinels = await group();
    const engine = await open(sentinels);
    await here.work(
      engine,
      handler('a', () => undefined),
    );
    await engine.producer.enqueue('a', 'before', { durability: { replicated: 1 } });
    const told: { role: string; silentMs: number; awayMs: number }[] = [];
    engine.broker.onReconnect((role, silentMs, awayMs = 0) => told.push({ role, silentMs, awayMs }));
    const roles = ['blocking', 'commands', 'durability', 'maintenance'];
    const back = (): readonly string[] => [...new Set(told.map(({ role }) => role))].toSorted();
    await sentinels.failover();
    await waitFor(
      async () => {
        await engine.producer.enqueue('a', 'after').catch(() => undefined);
        return back().length === roles.length;
      },
      { what: 'every link to be back', timeoutMs: 10_000, intervalMs: 20 },
    );

    expect(back()).toEqual(roles);
    for (const role of roles)
      expect(told.find((one) => one.role === role)).toMatchObject({ silentMs: Infinity });
    // It did take no time: by its length alone nobody would have thought anything of it.
    expect(Math.min(...told.map(({ awayMs }) => awayMs))).toBeLessThan(1000);
  }, 40_000);

  it('is not believed to have happened where the links were merely lost', async () => {
    const sentinels = await group();
    const engine = await open(sentinels);
    await engine.producer.enqueue('a', 1);
    const told: number[] = [];
    engine.broker.onReconnect((_role, silentMs) => told.push(silentMs));
    const admin = new Redis((await sentinels.primary()).url);
    await admin.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
    admin.disconnect();
    await waitFor(() => told.length > 0, { what: 'the link to be back' });

    expect(told.every((silentMs) => silentMs < 5000)).toBe(true);
  }, 40_000);
});

describe('a primary that', () => {
  it('dies: what it had accepted runs, and an engine that is opened meanwhile waits for the next', async () => {
    const sentinels = await group();
    const engine = await open(sentinels);
    const facts = watch(engine);
    const ran = new Set<string>();
    await here.work(
      engine,
      handler('a', (_payload, { id }) => void ran.add(id)),
    );
    const before = await Promise.all(range(20).map((n) => engine.producer.enqueue('a', n, { delay: 300 })));
    const primary = await sentinels.primary();
    await primary.kill();
    const [late, after] = await Promise.all([
      open(sentinels),
      engine.producer.enqueue('a', 'meanwhile', { id: 'meanwhile' }),
    ]);
    const { id } = await late.producer.enqueue('a', 'late');
    await facts.until('task.completed', { id, timeoutMs: 8000 });
    await here.untilEmpty(engine, 10_000);

    expect([...before.map((one) => one.id), after.id].filter((one) => !ran.has(one))).toEqual([]);
  }, 40_000);

  it('hangs: everybody leaves it though every connection is open, and it takes nothing when it goes on', async () => {
    const sentinels = await group();
    const engine = await open(sentinels);
    const facts = watch(engine);
    const ran: string[] = [];
    await here.work(
      engine,
      handler('a', (_payload, { id }) => void ran.push(id)),
    );
    const before = await engine.producer.enqueue('a', 'before');
    await facts.until('task.completed');
    const old = await sentinels.primary();
    await old.freeze();
    const begun = performance.now();
    const { id } = await engine.producer.enqueue('a', 'meanwhile');
    await facts.until('task.completed', { id, timeoutMs: 10_000 });
    expect(performance.now() - begun).toBeLessThan(500 + 3000 + 5000);

    await old.thaw();
    const answers: EnqueueResult[] = [];
    for (const n of range(50)) answers.push(await engine.producer.enqueue('a', n));
    await sentinels.untilReady();
    await here.untilEmpty(engine);
    expect(answers.filter((one) => !ran.includes(one.id))).toEqual([]);
    // The first may run again: that it was done may have stood on the old primary only.
    const twice = ran.filter((one, i) => one !== before.id && ran.indexOf(one) !== i);
    expect(twice).toEqual([]);
  }, 40_000);

  it('hangs: an engine can be closed all the same, and leaves nothing behind', async () => {
    const sentinels = await group();
    const engine = await open(sentinels);
    await engine.producer.enqueue('a', 1);
    await Promise.all(sentinels.servers.map((server) => server.freeze()));
    const ping = rejection(engine.inspector.ping());
    const begun = performance.now();
    await engine.close();

    expect(performance.now() - begun).toBeLessThan(2000);
    await ping;
  }, 40_000);
});

/** States without a socket and without a try to come. */
const CLOSED = ['end', 'reconnecting'];

describe('closing', () => {
  it.each(range(6).map((n) => n * 15))(
    'while links are being made, %i ms after they were lost, leaves nothing behind',
    async (waitMs) => {
      const sentinels = await group();
      const engine = await open(sentinels);
      await here.work(
        engine,
        handler('a', () => undefined),
      );
      const link = engine.broker.client as Redis;
      const admin = new Redis((await sentinels.primary()).url);
      await admin.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
      admin.disconnect();
      await lasting(waitMs);
      await engine.close();

      // The harness fails when a socket or timer outlives the test. A client that waited for its next try when it was
      // told to end waits no longer, and never says so.
      await waitFor(() => CLOSED.includes(link.status), { what: 'the link to be closed' });
      expect(CLOSED).toContain(link.status);
    },
    40_000,
  );
});

/** The client's own parts, to meet it in moments that are over in no time. */
interface Insides {
  readonly connector: { readonly stream?: { readonly connecting: boolean }; disconnect(): void };
}

describe('closing at the very moment that a link is made', () => {
  it('leaves nothing behind', async () => {
    const sentinels = await group();
    const engine = await open(sentinels);
    await engine.producer.enqueue('a', 1);
    const link = engine.broker.client as Redis;
    const { connector } = link as unknown as Insides;
    const before = connector.stream;
    link.disconnect(true);
    while (connector.stream === before || !connector.stream?.connecting) await setImmediate();
    await engine.close();

    // The harness fails when a socket or timer outlives the test.
    await waitFor(() => link.status === 'end', { what: 'the link to be closed' });
    expect(link.status).toBe('end');
  }, 40_000);
});

describe('a link that was told to let go of its socket while it asked a Sentinel', () => {
  it('is made again all the same: its client would never be', async () => {
    const sentinels = await group();
    const engine = await open(sentinels);
    await engine.producer.enqueue('a', 'before');
    const link = engine.broker.client as Redis;
    const { connector } = link as unknown as Insides;
    const asking = new Promise<void>((resolve) => link.once('connecting', () => resolve()));
    const ended = new Promise<void>((resolve) => link.once('end', () => resolve()));
    link.disconnect(true);
    await asking;
    // What the client's own detector of failovers does when a Sentinel says that one is over.
    connector.disconnect();
    await ended;

    await expect(engine.producer.enqueue('a', 'afterwards')).resolves.toMatchObject({ status: 'accepted' });
  }, 40_000);
});

describe('boot', () => {
  it('is refused when the Sentinels do not know the name, which is said', async () => {
    const sentinels = await group();
    const error = await rejection(
      open(sentinels, { redis: { sentinelName: 'nobody', connectTimeout: '600ms' } }),
    );

    expect(error).toBeInstanceOf(RedisUnusableError);
    expect(error.message).toContain('the Sentinels know no primary by the name "nobody"');
    expect(error.fix).toContain('redis.sentinelName');
  }, 40_000);

  it('is refused when no Sentinel answers, with all that were asked', async () => {
    const ports = await Promise.all([freePort(), freePort()]);
    const sentinels = ports.map((port) => `127.0.0.1:${port}`);
    const begun = performance.now();
    const error = await rejection(
      here.open({ redis: { url: undefined, sentinels, connectTimeout: '600ms' } }),
    );

    expect(error).toBeInstanceOf(RedisUnusableError);
    for (const sentinel of sentinels) expect(error.message).toContain(sentinel);
    expect(error.message).toContain('no Sentinel answers');
    expect(error.fix).toContain('redis.sentinels');
    expect(performance.now() - begun).toBeLessThan(2000);
  });

  it('needs one Sentinel that answers, whichever it is', async () => {
    const sentinels = await group();
    const [first] = sentinels.sentinelServers;
    await first!.kill();
    const printed = vi.spyOn(console, 'error');
    const engine = await open(sentinels);

    await expect(engine.producer.enqueue('a', 1)).resolves.toMatchObject({ status: 'accepted' });
    await lasting(200);
    expect(printed.mock.calls).toEqual([]);
    printed.mockRestore();
  }, 40_000);

  it('is refused by a Sentinel that is named as if it held tasks', async () => {
    const sentinels = await group();
    const { host, port } = sentinels.sentinels[0]!;
    const error = await rejection(here.open({ redis: { url: `redis://${host}:${port}` } }));

    expect(error).toBeInstanceOf(RedisUnusableError);
    expect(error.message).toMatch(/it is a Sentinel.*set redis\.sentinels/);
  }, 40_000);

  it('is refused by a replica that is named alone', async () => {
    const servers = await startRedisReplication();
    here.track({ close: () => servers.stop() });
    const error = await rejection(here.open({ redis: { url: servers.replicas[0]!.url } }));

    expect(error).toBeInstanceOf(RedisUnusableError);
    expect(error.message).toMatch(/it is a replica, which takes no writes/);
  });

  it('is refused where a durability of every task asks for more replicas than there are', async () => {
    const sentinels = await group();
    const error = await rejection(open(sentinels, { tasks: { durability: { replicated: 2 } } }));

    expect(error).toBeInstanceOf(RedisUnusableError);
    expect(error.message).toMatch(/tasks\.durability is "replicated\(2\)" and 1 of 2 replicas are connected/);
    await expect(
      open(sentinels, { tasks: { durability: { replicated: 1 } } }).then((engine) =>
        engine.producer.enqueue('a', 1),
      ),
    ).resolves.toMatchObject({ durability: { replicated: 1 } });
  }, 40_000);
});
