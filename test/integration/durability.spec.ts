import { type Durability, EnqueueOutcomeUnknownError, type TaskQueue } from '@taskq/core';
import { type RedisReplication, startRedisReplication, waitFor } from '@taskq/testing';
import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { lab, range, rejection } from './harness.js';

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
