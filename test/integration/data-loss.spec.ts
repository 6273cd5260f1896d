import type { EngineOptions, LossFact, TaskQueue } from '@taskq/core';
import { type RedisServer, startRedisServer, waitFor } from '@taskq/testing';
import { Redis } from 'ioredis';
import { describe, expect, it } from 'vitest';
import type { Facts } from './facts.js';
import { handler, lab, lasting, QUEUE, range, watch } from './harness.js';

const here = lab();

/** A Redis that keeps nothing unless it is told to, an engine on it, and everything that this announces. */
async function onVolatile(
  options: EngineOptions = {},
  args: readonly string[] = [],
): Promise<{ redis: RedisServer; engine: TaskQueue; facts: Facts }> {
  const redis = await startRedisServer({ args: [...args, '--loglevel', 'notice'] });
  here.track({ close: () => redis.stop() });
  const engine = await here.open({ ...options, redis: { url: redis.url, ...options.redis } });
  return { redis, engine, facts: watch(engine) };
}

async function killAndRestart(redis: RedisServer, downMs = 0): Promise<void> {
  await redis.kill();
  await lasting(downMs);
  await redis.restart();
}

/** What a command answers on a connection of its own. */
async function ask<T>(redis: RedisServer, question: (admin: Redis) => Promise<T>): Promise<T> {
  const admin = new Redis(redis.url);
  try {
    return await question(admin);
  } finally {
    admin.disconnect();
  }
}

describe('a Redis that comes back with nothing', () => {
  it('is offered again what it had accepted, under the same ids, and says so within 5 s', async () => {
    const { redis, engine, facts } = await onVolatile();
    const answers = await Promise.all(range(30).map((n) => engine.producer.enqueue('a', n)));
    const own = await engine.producer.enqueue('a', 'own', { id: 'mine' });
    await killAndRestart(redis);
    const back = performance.now();
    const [again] = await facts.until('data.reoffered', {
      where: ({ accepted }) => accepted > 0,
    });
    await waitFor(() => sum(facts) === 31, { what: 'all to be offered again' });
    const ran: { id: string; payload: unknown }[] = [];
    await here.work(
      engine,
      handler('a', (payload, { id }) => void ran.push({ id, payload })),
    );
    await facts.until('task.completed', { count: 31 });

    expect(again!.at - back).toBeLessThan(5000);
    expect(new Set(ran.map(({ id }) => id))).toEqual(new Set([...answers.map(({ id }) => id), own.id]));
    expect(ran).toHaveLength(31);
    const found = [...facts.of('data.lost'), ...facts.of('data.lost.more')];
    const told = found.filter(({ seenBy }) => seenBy === 'producer');
    expect(found.every(({ loss, queue, how }) => loss === 1 && queue === QUEUE && how === 'replaced')).toBe(
      true,
    );
    expect(facts.of('data.lost')).toHaveLength(1);
    expect(told.every(({ ranges }) => ranges[0]!.of === 'groups' && ranges[0]!.after.endsWith('/0'))).toBe(
      true,
    );
    expect(told.reduce((total, { reoffered }) => total + reoffered, 0)).toBe(31);
    expect(engine.losses).toMatchObject({ count: 1, reoffered: 31, failed: 0, forgotten: 0 });
    expect(engine.losses.last).toMatchObject({
      loss: 1,
      reoffered: 31,
      ranges: found.flatMap(({ ranges }) => ranges),
    });
  });

  it('and is away for longer than the window: what it had accepted just before counts', async () => {
    const { redis, engine, facts } = await onVolatile({ producer: { reofferWindow: '1s' } });
    await engine.producer.enqueue('a', 'old');
    await lasting(1200);
    for (const n of range(6)) await engine.producer.enqueue('a', n);
    await killAndRestart(redis, 1500);
    await facts.until('data.reoffered');
    await waitFor(() => sum(facts) >= 6, { what: 'all to be offered again' });
    await lasting(100);
    const kept = await ask(redis, (admin) => admin.xrange(here.key(':tasks'), '-', '+'));
    const payloads = kept.map(([, fields]) => fields[fields.indexOf('payload') + 1]);

    // What is older than the window was on disk, or gone for good, and is told of as such.
    expect(new Set(payloads)).toEqual(new Set(range(6).map(String)));
    expect(payloads).toHaveLength(6);
    expect(engine.losses.forgotten).toBe(1);
  });

  it('runs delayed tasks when they would have been due, and not a delay after the loss', async () => {
    const { redis, engine, facts } = await onVolatile();
    const starts: number[] = [];
    const begun = performance.now();
    await engine.producer.enqueue('a', 'later', { delay: 2500 });
    await killAndRestart(redis, 800);
    await facts.until('data.reoffered');
    await here.work(
      engine,
      handler('a', () => void starts.push(performance.now() - begun)),
    );
    await facts.until('task.completed');

    expect(starts[0]).toBeGreaterThan(2400);
    expect(starts[0]).toBeLessThan(3200);
  });

  it('knows idempotency keys and deduplication again, so that a second call is none', async () => {
    const { redis, engine, facts } = await onVolatile();
    const keyed = { idempotencyKey: 'order-1' };
    const first = await engine.producer.enqueue('a', 1, keyed);
    const unique = await engine.producer.enqueue('a', { user: 7 }, { deduplicate: true });
    await killAndRestart(redis);
    await waitFor(() => sum(facts) === 2, { what: 'both to be offered again' });

    expect(await engine.producer.enqueue('a', 1, keyed)).toMatchObject({ status: 'duplicate', id: first.id });
    expect(await engine.producer.enqueue('a', { user: 7 }, { deduplicate: true })).toMatchObject({
      status: 'duplicate',
      id: unique.id,
    });
  });

  it('tells what is gone where nothing is to be offered again', async () => {
    const { redis, engine, facts } = await onVolatile({ producer: { reofferWindow: 0 } });
    for (const n of range(5)) await engine.producer.enqueue('a', n);
    await killAndRestart(redis);
    await facts.until('data.lost');
    await waitFor(() => engine.losses.forgotten === 5, { what: 'both channels to find out' });
    await lasting(200);

    expect(engine.losses.last).toMatchObject({ queue: QUEUE, how: 'replaced', reoffered: 0, forgotten: 5 });
    expect(facts.of('data.reoffered')).toEqual([]);
    expect((await engine.inspector.counts(QUEUE)).ready.normal).toBe(0);
    expect(engine.losses.forgotten).toBe(5);
  });

  it('is told of by a worker, too, that has seen tasks which are gone', async () => {
    const { redis, engine, facts } = await onVolatile();
    const watcher = await here.open({ redis: { url: redis.url } });
    const seen = watch(watcher);
    await here.work(
      watcher,
      handler('a', () => undefined),
    );
    for (const n of range(3)) await engine.producer.enqueue('a', n);
    await seen.until('task.completed', { count: 3 });
    await killAndRestart(redis);
    const [told] = await seen.until('data.lost');

    expect(told).toMatchObject({ queue: QUEUE, how: 'replaced', seenBy: 'connection', reoffered: 0 });
    expect(told!.ranges).toMatchObject([{ of: 'normal', after: '0-0' }]);
    await facts.until('data.reoffered');
  });

  it('goes on being full: what was accepted once is not refused for want of room', async () => {
    const { redis, engine, facts } = await onVolatile({ queueDefaults: { maxReady: 5 } });
    for (const n of range(5)) await engine.producer.enqueue('a', n);
    await redis.kill();
    const filler = await (async () => {
      await redis.restart();
      return here.open({ redis: { url: redis.url }, queueDefaults: { maxReady: 5 } });
    })();
    await Promise.allSettled(range(5).map((n) => filler.producer.enqueue('b', n)));
    await waitFor(() => sum(facts) === 5, { what: 'all to be offered again' });

    expect(engine.losses).toMatchObject({ reoffered: 5, failed: 0 });
  });
});

describe('a Redis that comes back with less', () => {
  it('is offered again what came after its snapshot, and nothing else', async () => {
    const { redis, engine, facts } = await onVolatile();
    for (const n of range(4)) await engine.producer.enqueue('a', n);
    await ask(redis, (admin) => admin.save());
    for (const n of range(4)) await engine.producer.enqueue('a', 10 + n);
    await killAndRestart(redis);
    await waitFor(() => sum(facts) === 4, { what: 'all to be offered again' });
    const kept = await ask(redis, (admin) => admin.xrange(here.key(':tasks'), '-', '+'));
    const payloads = kept.map(([, fields]) => Number(fields[fields.indexOf('payload') + 1]));

    expect(payloads.toSorted((a, b) => a - b)).toEqual([0, 1, 2, 3, 10, 11, 12, 13]);
    expect(facts.of('data.lost')).toMatchObject([{ how: 'rolled-back' }]);
    expect(engine.losses).toMatchObject({ count: 1, forgotten: 0 });
  });

  it('loses it twice in a row: it is offered again twice', async () => {
    const { redis, engine, facts } = await onVolatile();
    await engine.producer.enqueue('a', 'x');
    await killAndRestart(redis);
    await waitFor(() => sum(facts) === 1, { what: 'it to be offered again' });
    await killAndRestart(redis);
    await waitFor(() => writtenAgain(facts) === 2, { what: 'it to be offered again' });

    expect(facts.of('data.lost').map(({ loss }) => loss)).toEqual([1, 2]);
    expect((await engine.inspector.counts(QUEUE)).ready.normal).toBe(1);
  });

  it('loses nothing, and nobody says that it did', async () => {
    const { redis, engine, facts } = await onVolatile({}, ['--appendonly', 'yes', '--appendfsync', 'always']);
    for (const n of range(20)) await engine.producer.enqueue('a', n);
    await killAndRestart(redis);
    await facts.until('broker.reconnected');
    for (const n of range(5)) await engine.producer.enqueue('a', 20 + n);

    expect(facts.of('data.lost')).toEqual([]);
    expect((await engine.inspector.counts(QUEUE)).ready.normal).toBe(25);
  });
});

describe('tasks that somebody deletes', () => {
  it.each([
    ['FLUSHALL', (admin: Redis) => admin.flushall()],
    ['DEL', async (admin: Redis) => admin.del(await admin.keys(`${here.prefix}:*`))],
  ])('by %s are reported as deleted, and not offered again', async (_how, remove) => {
    const { redis, engine, facts } = await onVolatile();
    // One that works, too: the connection misses what it has seen, and the producer what it had written.
    await here.work(
      engine,
      handler('a', () => undefined),
    );
    for (const n of range(5)) await engine.producer.enqueue('a', n);
    await facts.until('task.completed', { count: 5 });
    for (const n of range(5)) await engine.producer.enqueue('a', n, { delay: '1h' });
    await ask<unknown>(redis, remove);
    for (const n of range(4)) await engine.producer.enqueue('a', n);
    const found = (): LossFact[] => [...facts.of('data.lost'), ...facts.of('data.lost.more')];
    await waitFor(() => new Set(found().map(({ seenBy }) => seenBy)).size === 2, {
      what: 'both to find out',
    });
    await lasting(200);

    expect(facts.of('data.lost')).toHaveLength(1);
    expect(found().every((fact) => fact.how === 'deleted' && fact.loss === 1 && fact.reoffered === 0)).toBe(
      true,
    );
    expect(facts.of('data.reoffered')).toEqual([]);
    expect(engine.losses).toMatchObject({ count: 1, reoffered: 0 });
    expect((await engine.inspector.counts(QUEUE)).scheduled).toBe(0);
  });
});

describe('an engine that is closed while Redis is gone', () => {
  it('ends, and leaves nothing behind', async () => {
    const { redis, engine } = await onVolatile({ producer: { timeout: '1s' } });
    await engine.producer.enqueue('a', 1);
    await redis.kill();
    const begun = performance.now();
    await engine.close();

    expect(performance.now() - begun).toBeLessThan(1500);
  });

  it('ends while it offers tasks again', async () => {
    const { redis, engine, facts } = await onVolatile({ producer: { timeout: '1s' } });
    for (const n of range(20)) await engine.producer.enqueue('a', n);
    await killAndRestart(redis);
    await facts.until('data.lost');
    await redis.kill();
    const begun = performance.now();
    await engine.close();

    expect(performance.now() - begun).toBeLessThan(4000);
  });
});

/** Tasks that were offered again and were not there. */
function writtenAgain(facts: Facts): number {
  return facts.of('data.reoffered').reduce((total, told) => total + told.accepted, 0);
}

/** Tasks that were offered again with success. */
function sum(facts: Facts): number {
  return facts.of('data.reoffered').reduce((total, { accepted, present }) => total + accepted + present, 0);
}
