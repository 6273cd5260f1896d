import { type Durability, EnqueueOutcomeUnknownError, type TaskQueue } from '@taskq/core';
import { type RedisReplication, startRedisReplication, waitFor } from '@taskq/testing';
import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { FaultProxy } from '../chaos/proxy/fault-proxy.js';
import { lab, lasting, range, rejection } from './harness.js';

/** After that long a server is not believed any more what it said of itself before. */
const BELIEVED_MS = 2050;

describe('replicated', () => {
  const here = lab();
  const ONE: Durability = { replicated: 1 };
  let servers: RedisReplication;
  let replica: Redis;

  beforeAll(async () => {
    servers = await startRedisReplication();
    replica = new Redis(servers.replicas[0]!.url);
  });
  afterEach(() => servers.replicas[0]!.thaw());
  afterAll(async () => {
    replica?.disconnect();
    await servers?.stop();
  });

  const open = (durability: Durability = 'accepted'): Promise<TaskQueue> =>
    here.open({
      redis: { url: servers.primary.url, commandTimeout: '1s' },
      producer: { timeout: '1s' },
      tasks: { durability },
    });
  const onReplica = () => replica.xlen(here.key(':tasks'));

  it('is answered when the replica has the task, however many are enqueued at once', async () => {
    const { producer } = await open(ONE);
    const answers = await Promise.all(range(50).map((n) => producer.enqueue('a', n)));

    expect(await onReplica()).toBe(50);
    expect(answers).toEqual(
      answers.map(({ id }) => ({ id, status: 'accepted', durability: { replicated: 1 } })),
    );
  });

  it('is for the call that asks for it: another does not wait for it', async () => {
    const { producer } = await open();
    await producer.enqueue('a', 1, { durability: ONE });
    await servers.replicas[0]!.freeze();

    expect(await producer.enqueue('a', 2)).toMatchObject({ status: 'accepted', durability: 'accepted' });
    expect(await rejection(producer.enqueue('a', 3, { durability: ONE }))).toBeInstanceOf(
      EnqueueOutcomeUnknownError,
    );
  });

  it('is refused, and nothing is written, where there are too few replicas', async () => {
    const { producer, inspector } = await open();
    const error = await rejection(producer.enqueue('a', 1, { durability: { replicated: 2 } }));

    expect(error).toMatchObject({ code: 'TASKQ_DURABILITY_UNAVAILABLE', retryable: false });
    expect((await inspector.counts('default')).ready.normal).toBe(0);
  });

  it('is refused beforehand, and nothing is written, once a replica is gone for good', async () => {
    const own = await startRedisReplication();
    here.track({ close: () => own.stop() });
    const { producer, inspector } = await here.open({
      redis: { url: own.primary.url, commandTimeout: '1s' },
      producer: { timeout: '1s' },
    });
    await producer.enqueue('a', 1, { durability: ONE });
    await own.replicas[0]!.kill();
    await lasting(BELIEVED_MS);
    const error = await rejection(producer.enqueue('a', 2, { durability: ONE }));

    expect(error).toMatchObject({ code: 'TASKQ_DURABILITY_UNAVAILABLE' });
    expect(error.message).toContain('0 of 1 replicas');
    expect((await inspector.counts('default')).ready.normal).toBe(1);
  });

  it('is refused after one call in doubt, where a replica has just gone', async () => {
    const own = await startRedisReplication();
    here.track({ close: () => own.stop() });
    const { producer } = await here.open({
      redis: { url: own.primary.url, commandTimeout: '1s' },
      producer: { timeout: '1s' },
    });
    await producer.enqueue('a', 1, { durability: ONE });
    await own.replicas[0]!.kill();
    const codes: unknown[] = [];
    for (const queue of ['default', 'other', 'another'])
      codes.push((await rejection(producer.enqueue('a', 2, { queue, durability: ONE }))).code);

    // The first may have been too late already: that the replica has gone is seen at once, if anybody looks.
    expect(codes[0]).toMatch(/^TASKQ_(ENQUEUE_OUTCOME_UNKNOWN|DURABILITY_UNAVAILABLE)$/);
    expect(codes.slice(1)).toEqual(['TASKQ_DURABILITY_UNAVAILABLE', 'TASKQ_DURABILITY_UNAVAILABLE']);
  });

  it('is waited for as well by whoever enqueues again what was not confirmed', async () => {
    const { producer, inspector } = await open(ONE);
    await producer.enqueue('a', 'warm');
    await servers.replicas[0]!.freeze();
    const first = await rejection(producer.enqueue('a', 1, { id: 'mine' }));
    expect(first).toBeInstanceOf(EnqueueOutcomeUnknownError);

    // The replica still has nothing: to answer "duplicate" now would be to promise what is not so.
    expect(await rejection(producer.enqueue('a', 1, { id: 'mine' }))).toBeInstanceOf(
      EnqueueOutcomeUnknownError,
    );
    await servers.replicas[0]!.thaw();
    await waitFor(async () => (await onReplica()) === 2, { what: 'the replica to catch up' });

    expect(await producer.enqueue('a', 1, { id: 'mine' })).toEqual({
      id: 'mine',
      status: 'duplicate',
      durability: { replicated: 1 },
    });
    expect((await inspector.counts('default')).ready.normal).toBe(2);
  });

  it('is waited for by whoever asks for more than the call did whose outcome was unknown', async () => {
    const proxy = here.track(await FaultProxy.start(servers.primary.connection));
    const { producer, inspector } = await here.open({
      redis: { url: proxy.url, commandTimeout: '300ms' },
      producer: { timeout: '1s' },
    });
    await producer.enqueue('a', 'warm', { durability: ONE });
    proxy.blackHole({ direction: 'toClient' });
    const first = await rejection(producer.enqueue('a', 1, { id: 'mine' }));
    expect(first).toBeInstanceOf(EnqueueOutcomeUnknownError);
    await servers.replicas[0]!.freeze();
    proxy.heal();

    const asked = { id: 'mine', durability: ONE };
    expect(await rejection(producer.enqueue('a', 1, asked))).toBeInstanceOf(EnqueueOutcomeUnknownError);
    await servers.replicas[0]!.thaw();
    expect(await producer.enqueue('a', 1, asked)).toMatchObject({ status: 'duplicate', durability: ONE });
    expect((await inspector.counts('default')).ready.normal).toBe(2);
  });
});

describe('durable, by appendfsync always', () => {
  const here = lab({ args: ['--appendonly', 'yes', '--appendfsync', 'always'] });

  it('outlives a crash of the server', async () => {
    const { producer } = await here.open({ tasks: { durability: 'durable' } });
    const answers = await Promise.all(range(20).map((n) => producer.enqueue('a', n)));
    await here.server.kill();
    await here.server.restart();

    expect(answers.every(({ durability }) => durability === 'durable')).toBe(true);
    expect(await here.payloads()).toEqual(range(20));
  });
});

describe('durable, of a server whose settings are changed while everybody is connected', () => {
  const here = lab({ args: ['--appendonly', 'yes', '--appendfsync', 'always'] });
  const DURABLE = { durability: 'durable' } as const;
  afterEach(async () => {
    await here.admin.config('SET', 'appendonly', 'yes');
    await here.admin.config('SET', 'appendfsync', 'always');
  });

  it.each([
    ['appendonly', 'no', 'appends nothing to a file'],
    ['appendfsync', 'everysec', 'appendfsync "everysec"'],
  ])('is refused beforehand once %s is "%s", though no connection was lost', async (name, value, says) => {
    const { producer, inspector } = await here.open({ producer: { timeout: '3s' } });
    await producer.enqueue('a', 1, DURABLE);
    await here.admin.config('SET', name, value);
    await lasting(BELIEVED_MS);
    const error = await rejection(producer.enqueue('a', 2, DURABLE));

    expect(error).toMatchObject({ code: 'TASKQ_DURABILITY_UNAVAILABLE' });
    expect(error.message).toContain(says);
    expect((await inspector.counts('default')).ready.normal).toBe(1);
  });

  it('is asked about a few times in a second at most, and not at all where nobody asks for it', async () => {
    const { producer } = await here.open();
    await producer.enqueue('a', 'warm', DURABLE);
    const enqueueFor = async (ms: number, options: { durability?: Durability }): Promise<number> => {
      const before = await here.calls('config\\|get');
      for (const until = performance.now() + ms; performance.now() < until;)
        await producer.enqueue('a', 1, options);
      return (await here.calls('config\\|get')) - before;
    };

    expect(await enqueueFor(1300, {})).toBe(0);
    const asked = await enqueueFor(2500, DURABLE);
    expect(asked).toBeGreaterThan(0);
    expect(asked).toBeLessThan(5);
  });
});

describe('durable, of a server that persists nothing', () => {
  const here = lab();

  it('is refused at the start where every task asks for it, else at the call', async () => {
    const error = await rejection(here.open({ tasks: { durability: 'durable' } }));
    expect(error).toMatchObject({ code: 'TASKQ_REDIS_UNUSABLE' });
    expect(error.message).toMatch(/tasks\.durability is "durable" and it appends nothing to a file/);

    const { producer, inspector } = await here.open();
    const refused = await rejection(producer.enqueue('a', 1, { durability: 'durable' }));
    expect(refused).toMatchObject({ code: 'TASKQ_DURABILITY_UNAVAILABLE' });
    expect(refused.fix).toContain('CONFIG SET appendonly yes');
    expect((await inspector.counts('default')).ready.normal).toBe(0);
  });

  it('can be had as soon as it persists', async () => {
    const { producer } = await here.open();
    await rejection(producer.enqueue('a', 1, { durability: 'durable' }));
    await here.admin.config('SET', 'appendonly', 'yes');
    await here.admin.config('SET', 'appendfsync', 'always');

    expect(await producer.enqueue('a', 2, { durability: 'durable' })).toMatchObject({
      durability: 'durable',
    });
  });
});
