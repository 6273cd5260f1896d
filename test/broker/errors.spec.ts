import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { BrokerError, BrokerTimeoutError, RedisUnusableError } from '@taskq/core';
import { waitFor } from '@taskq/testing';
import { QUEUE } from './support/keys.js';
import {
  deadLetterOf,
  type Delivery,
  enqueue,
  groupOf,
  leaseOne,
  newTask,
  promoteRequest,
  reclaimRequest,
  retry,
  settle,
} from './support/tasks.js';
import { useRedis } from './support/world.js';

// Law 12: whatever goes wrong, an error never holds what a task carries: it ends in somebody's log.
const world = useRedis();

const CANARY = 'canary-4711-secret';
const task = () => newTask({ payload: `{"secret":"${CANARY}"}`, meta: `{"headers":{"x":"${CANARY}"}}` });
const withCanary = (delivery: Delivery) =>
  retry(delivery, {
    task: { type: 'a', payload: CANARY, attempt: 2, enqueuedAt: 1, meta: CANARY },
  });

async function failure(call: Promise<unknown>): Promise<BrokerError> {
  const error = await call.then(
    () => new Error('it did not fail'),
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(BrokerError);
  return error as BrokerError;
}

function holdsNothing(error: Error): void {
  const shown = [
    error.message,
    error.stack,
    String(error),
    JSON.stringify(error),
    JSON.stringify(error, Object.getOwnPropertyNames(error)),
    inspect(error, { depth: Infinity, showHidden: true }),
  ].join('\n');
  expect(shown).not.toContain(CANARY);
  for (let link: unknown = error; link instanceof Error; link = link.cause) {
    expect(link).not.toHaveProperty('command');
    expect(link).not.toHaveProperty('previousErrors');
  }
}

describe('an error of the broker names its reason and never shows a payload', () => {
  it('WRONGTYPE, of every verb that sends one', async () => {
    const { broker, redis, keys } = world();
    const delivery = await leaseOne(broker, task());
    await redis.del(keys.high);
    for (const key of [keys.high, keys.scheduled, keys.dead]) await redis.set(key, CANARY);
    const calls = [
      () => enqueue(broker, [{ ...task(), lane: 'high' }]),
      () => enqueue(broker, [{ ...task(), due: { afterMs: 1000 } }]),
      () => settle(broker, [withCanary(delivery)]),
      () => settle(broker, [deadLetterOf(delivery, { detail: CANARY, raw: CANARY })]),
      () => broker.promote(promoteRequest()),
      () => broker.counts(QUEUE),
      () => broker.listDeadLetters(QUEUE, '', 1),
      () => broker.listScheduled(QUEUE, 0, 1),
    ];
    for (const call of calls) {
      const error = await failure(call());
      expect(error).toMatchObject({ code: 'TASKQ_BROKER', reason: 'WRONGTYPE', retryable: false });
      expect(error.fix).toMatch(/prefix/);
      holdsNothing(error);
    }
  });

  it('keys that hold something else, all of them in one sentence, where a queue is to be made', async () => {
    const { broker, redis, keys } = world();
    await redis.del(keys.high);
    for (const key of [keys.high, keys.scheduled, keys.dead]) await redis.set(key, CANARY);
    const error = await broker.ensureQueue(QUEUE).catch((thrown: unknown) => thrown as RedisUnusableError);

    expect(error).toBeInstanceOf(RedisUnusableError);
    const { message, code, fix } = error as RedisUnusableError;
    expect({ message, code }).toEqual({
      message:
        `queue "${QUEUE}" cannot be used: ${keys.high} holds a string, not a stream; ` +
        `${keys.dead} holds a string, not a stream; ${keys.scheduled} holds a string, not a zset`,
      code: 'TASKQ_REDIS_UNUSABLE',
    });
    expect(fix).toMatch(/prefix/);
    holdsNothing(error as Error);
  });

  it('OOM', async () => {
    const { broker, redis } = world();
    const delivery = await leaseOne(broker, task());
    await redis.config('SET', 'maxmemory', '1');
    try {
      for (const call of [enqueue(broker, [task()]), settle(broker, [withCanary(delivery)])]) {
        const error = await failure(call);
        expect(error).toMatchObject({ reason: 'OOM' });
        holdsNothing(error);
      }
    } finally {
      await redis.config('SET', 'maxmemory', '0');
    }
  });

  it('READONLY: it may pass, so it is retryable', async () => {
    const { broker, redis } = world();
    await redis.replicaof('127.0.0.1', '1');
    try {
      const error = await failure(enqueue(broker, [task()]));
      expect(error).toMatchObject({ reason: 'READONLY', retryable: true });
      holdsNothing(error);
    } finally {
      await redis.replicaof('NO', 'ONE');
    }
  });

  it('NOPERM: an access control list without scripts', async () => {
    const { connect, redis } = world();
    await redis.call('ACL', 'SETUSER', 'weak', 'on', 'nopass', '~*', '&*', '+@all', '-evalsha', '-eval');
    const broker = await connect({ redis: { username: 'weak', password: 'x' } });

    const error = await failure(enqueue(broker, [task()]));

    expect(error).toMatchObject({ reason: 'NOPERM', retryable: false });
    holdsNothing(error);
  });

  it('a group that came late', async () => {
    const { broker } = world();
    await broker.enqueue(groupOf([task()], { channel: 'c', sequence: 5 }));

    const error = await failure(broker.enqueue(groupOf([task()], { channel: 'c', sequence: 4 })));

    expect(error.reason).toBe('LATE');
    holdsNothing(error);
  });

  it('no answer in time', async () => {
    const { connect, redis } = world();
    const broker = await connect({ redis: { commandTimeout: 100 } });
    await redis.client('PAUSE', 400, 'ALL');

    const error = await failure(enqueue(broker, [task()]));

    expect(error).toBeInstanceOf(BrokerTimeoutError);
    expect(error).toMatchObject({ code: 'TASKQ_BROKER_TIMEOUT', retryable: true });
    holdsNothing(error);
    await redis.ping();
  });

  it('a link that breaks under a call', async () => {
    const { broker, redis } = world();
    await redis.client('PAUSE', 10_000, 'WRITE');
    const call = failure(enqueue(broker, [task()]));
    await waitFor(async () => Number(/blocked_clients:(\d+)/.exec(await redis.info('clients'))?.[1]) > 0, {
      what: 'the call to reach the server',
    });
    await world().breakLinks();
    await redis.client('UNPAUSE');

    const error = await call;

    expect(error).toBeInstanceOf(BrokerTimeoutError);
    expect(error.retryable).toBe(true);
    holdsNothing(error);
  });
});

describe('close', () => {
  it('rejects a fetch that waits, and may be called twice', async () => {
    const { broker } = world();
    const waiting = failure(broker.fetch({ consumer: 'w1', blockMs: 15_000, count: 1, queues: [QUEUE] }));
    await waitFor(async () => /\bflags=\w*b/.test(String(await world().redis.client('LIST'))), {
      what: 'a blocking read',
    });

    await broker.close();
    await broker.close();

    expect(await waiting).toBeInstanceOf(BrokerTimeoutError);
  });

  it('is the end: every verb rejects afterwards, and none opens a link again', async () => {
    const { broker, redis } = world();
    const delivery = await leaseOne(broker, task());
    await broker.close();
    const verbs: Record<string, () => Promise<unknown>> = {
      enqueue: () => broker.enqueue(groupOf([task()])),
      settle: () => settle(broker, [withCanary(delivery)]),
      fetch: () => broker.fetch({ consumer: 'w1', blockMs: 10, count: 1, queues: [QUEUE] }),
      extend: () => broker.extend(QUEUE, 'w1', [delivery]),
      takeDuties: () => broker.takeDuties({ queues: [QUEUE], consumer: 'w1', dutyMs: 1000 }),
      promote: () => broker.promote(promoteRequest()),
      sweepsDue: () => broker.sweepsDue({ queues: [QUEUE], everyMs: 1000 }),
      reclaim: () => broker.reclaim(reclaimRequest()),
      counts: () => broker.counts(QUEUE),
      ping: () => broker.ping(),
    };

    const answered: string[] = [];
    for (const [name, verb] of Object.entries(verbs)) {
      await verb().then(
        () => answered.push(name),
        (error: unknown) => holdsNothing(error as BrokerError),
      );
    }

    expect(answered).toEqual([]);
    expect(String(await redis.client('LIST')).match(/name=taskq:/g) ?? []).toEqual([]);
  });

  it('leaves no connection', async () => {
    const { connect, redis, prefix } = world();
    const count = async () =>
      String(await redis.client('LIST'))
        .trim()
        .split('\n').length;
    const before = await count();
    const broker = await connect({ prefix });
    await broker.fetch({ consumer: 'w1', blockMs: 10, count: 1, queues: [QUEUE] });
    expect(await count()).toBeGreaterThan(before);

    await broker.close();

    await waitFor(async () => (await count()) === before, { what: 'the links to be gone' });
  });
});

describe('onReconnect', () => {
  it('is told each time the link has come back, until it is stopped', async () => {
    const { broker } = world();
    let told = 0;
    const stop = broker.onReconnect(() => (told += 1));
    await broker.ping();
    expect(told).toBe(0);

    await world().breakLinks();
    await waitFor(() => told > 0, { what: 'the news' });
    await waitFor(() => broker.ping(), { what: 'an answer' });

    stop();
    const before = told;
    await world().breakLinks();
    await waitFor(() => broker.ping(), { what: 'an answer' });
    expect(told).toBe(before);
  });
});
