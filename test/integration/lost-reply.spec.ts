import { EnqueueOutcomeUnknownError, type EngineOptions, type TaskQueue, TaskqError } from '@taskq/core';
import { waitFor } from '@taskq/testing';
import { describe, expect, it } from 'vitest';
import { FaultProxy, type SeenCommand } from '../chaos/proxy/fault-proxy.js';
import { lab, range, rejection } from './harness.js';

const here = lab();

/** An engine whose every byte goes through a proxy. */
async function behindProxy(options: EngineOptions = {}): Promise<{ engine: TaskQueue; proxy: FaultProxy }> {
  const proxy = here.track(await FaultProxy.start(here.server.connection));
  const engine = await here.open({ ...options, redis: { ...options.redis, url: proxy.url } });
  return { engine, proxy };
}

describe('a reply that is lost after the task was written', () => {
  it('never makes a second task, and the call is answered: 30 of 30', async () => {
    const { engine, proxy } = await behindProxy();
    await engine.producer.enqueue('a', 'warm');
    const bySource: SeenCommand[] = [];
    proxy.onCommand((command) => {
      if (command.command === 'EVAL' && command.includes('"lost-')) bySource.push(command);
    });
    for (const run of range(30)) {
      proxy.dropReply({ match: { text: `"lost-${run}"` } });
      await expect(engine.producer.enqueue('a', `lost-${run}`)).resolves.toMatchObject({
        status: 'accepted',
      });
    }

    expect(proxy.counters.dropped).toBe(30);
    // Redis knew the script all the time: what was lost is the answer to a write, not to an unknown hash.
    expect(bySource).toEqual([]);
    expect(await here.payloads()).toEqual(['warm', ...range(30).map((run) => `lost-${run}`)]);
  });

  it('holds for a group, for delayed tasks and for every kind of key', async () => {
    const { engine, proxy } = await behindProxy();
    const { producer } = engine;
    await producer.enqueue('a', 'warm');
    proxy.dropReply({ match: { text: '"in-group-7"' } });
    const answers = await Promise.all([
      ...range(20).map((n) => producer.enqueue('a', `in-group-${n}`)),
      producer.enqueue('a', 'later', { delay: '1h' }),
      producer.enqueue('a', 'idempotent', { idempotencyKey: 'k' }),
      producer.enqueue('a', 'unique', { deduplicate: true }),
      producer.enqueue('a', 'own id', { id: 'mine' }),
    ]);

    expect(proxy.counters.dropped).toBe(1);
    expect(answers.map(({ status }) => status)).toEqual(range(24).map(() => 'accepted'));
    expect(new Set(answers.map(({ id }) => id)).size).toBe(24);
    expect(await here.payloads()).toEqual([
      'warm',
      ...range(20).map((n) => `in-group-${n}`),
      'idempotent',
      'unique',
      'own id',
    ]);
    expect(await here.admin.zcard(here.key(':scheduled'))).toBe(1);
  });

  it('holds while many callers share the broken wire', async () => {
    const { engine, proxy } = await behindProxy();
    const { producer } = engine;
    await producer.enqueue('a', -1);
    const calls: Promise<unknown>[] = [];
    for (const round of range(20)) {
      if (round % 4 === 0) proxy.dropReply({ match: { text: JSON.stringify({ round, n: 25 }) } });
      calls.push(...range(50).map((n) => producer.enqueue('a', { round, n })));
      await calls[calls.length - 50]!;
    }
    await Promise.all(calls);
    const stored = (await here.payloads()).slice(1) as { round: number; n: number }[];

    expect(proxy.counters.dropped).toBe(5);
    expect(stored).toHaveLength(1000);
    expect(new Set(stored.map((payload) => JSON.stringify(payload))).size).toBe(1000);
  });
});

describe('a reply that never comes', () => {
  it('is answered within the time allowed by an error with the id, which makes the next call safe', async () => {
    const { engine, proxy } = await behindProxy({
      redis: { commandTimeout: '300ms' },
      producer: { timeout: '1s' },
    });
    await engine.producer.enqueue('a', 'warm');
    proxy.blackHole({ direction: 'toClient' });
    const begun = performance.now();
    const error = await rejection(engine.producer.enqueue('a', 'silence'));
    const took = performance.now() - begun;
    proxy.heal();

    expect(error).toBeInstanceOf(EnqueueOutcomeUnknownError);
    expect(error).toMatchObject({ code: 'TASKQ_ENQUEUE_OUTCOME_UNKNOWN', queue: 'default' });
    expect(took).toBeLessThan(1400);
    expect(JSON.stringify([error.message, error.cause, error])).not.toContain('silence');
    const { id } = error as unknown as EnqueueOutcomeUnknownError;
    await expect(engine.producer.enqueue('a', 'silence', { id })).resolves.toEqual({
      id,
      status: 'duplicate',
      durability: 'accepted',
    });
    expect(await here.payloads()).toEqual(['warm', 'silence']);
  });

  it('is answered in time by the first call of a queue, too, and what it says is true', async () => {
    const { engine, proxy } = await behindProxy({
      redis: { commandTimeout: '300ms' },
      producer: { timeout: '1s' },
    });
    proxy.blackHole({ direction: 'toClient' });
    const begun = performance.now();
    const error = await rejection(engine.producer.enqueue('a', 'first'));
    const took = performance.now() - begun;
    proxy.heal();
    const unknown = error instanceof EnqueueOutcomeUnknownError;
    const written = (await here.payloads()).length;

    expect(took).toBeLessThan(1600);
    expect(error).toBeInstanceOf(TaskqError);
    // Any other error says that nothing was written.
    expect(unknown || written === 0).toBe(true);
  });

  it('is answered within producer.timeout when that is shorter than commandTimeout', async () => {
    const { engine, proxy } = await behindProxy({ producer: { timeout: '500ms' } });
    await engine.producer.enqueue('a', 'warm');
    proxy.blackHole({ direction: 'toClient' });
    const begun = performance.now();
    const error = await rejection(engine.producer.enqueue('a', 'short'));

    expect(error).toBeInstanceOf(EnqueueOutcomeUnknownError);
    expect(performance.now() - begun).toBeLessThan(1000);
  });

  it('is a plain failure when nothing was ever sent', async () => {
    const { engine, proxy } = await behindProxy({ producer: { timeout: '500ms' } });
    await engine.producer.enqueue('a', 'warm');
    proxy.cut();
    await waitFor(() => engine.broker.client.status !== 'ready', {
      what: 'the client to see that it is cut off',
    });
    const error = await rejection(engine.producer.enqueue('a', 'never sent'));

    expect(error).toMatchObject({ retryable: true });
    expect(error).not.toBeInstanceOf(EnqueueOutcomeUnknownError);
    expect(await here.payloads()).toEqual(['warm']);
  });
});
