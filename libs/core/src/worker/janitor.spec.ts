import { describe, expect, it } from 'vitest';
import type { Broker, QueueCounts } from '../broker/broker.js';
import { resolveEngineOptions } from '../policy/engine-options.js';
import { silentLogger } from '../runtime/logger.js';
import { Janitor } from './janitor.js';

describe('Janitor', () => {
  it('ends its pass early when it is told to stop, however many consumers there are to remove', async () => {
    const removed: string[] = [];
    const broker: Partial<Broker> = {
      cleaningDue: async ({ queues }) => queues,
      listConsumers: async () =>
        Array.from({ length: 10_000 }, (_, i) => ({ name: `dead-${i}`, idleMs: 1e9, pending: 0 })),
      removeConsumer: async (_queue, name) => {
        removed.push(name);
        if (removed.length === 3) stopped = janitor.stop();
        return true;
      },
    };
    const clock = { monotonicMs: () => 0, wallMs: () => 0, after: () => () => undefined };
    const { limits } = resolveEngineOptions();
    const janitor = new Janitor(broker as Broker, 'me', ['q', 'r'], limits, {
      name: 'janitor',
      everyMs: 60_000,
      clock,
      logger: silentLogger,
      random: () => 0.5,
    });
    let stopped: Promise<void> | undefined;
    janitor.start();
    janitor.trigger();
    await new Promise((resolve) => setImmediate(resolve));
    await stopped;

    expect(removed).toEqual(['dead-0', 'dead-1', 'dead-2']);
  });

  it('looks into queues that are named to it, and removes of their consumers those that are gone', async () => {
    const removed: string[] = [];
    const { limits } = resolveEngineOptions({ limits: { consumerAge: '1m' } });
    const broker: Partial<Broker> = {
      cleaningDue: async () => ['r'],
      listConsumers: async () => [
        { name: 'me', idleMs: 90_000, pending: 0 },
        { name: 'lives', idleMs: 59_999, pending: 0 },
        { name: 'holds', idleMs: 90_000, pending: 1 },
        { name: 'gone', idleMs: 60_000, pending: 0 },
      ],
      removeConsumer: async (queue, name) => removed.push(`${queue} ${name}`) > 0,
      counts: async () => ({ dead: 0 }) as QueueCounts,
      listDeadLetters: async () => [],
      now: () => 0,
    };
    const janitor = new Janitor(broker as Broker, 'me', ['q', 'r'], limits, {
      name: 'janitor',
      everyMs: 60_000,
      clock: { monotonicMs: () => 0, wallMs: () => 0, after: () => () => undefined },
      logger: silentLogger,
      random: () => 0.5,
    });
    janitor.start();
    await janitor.runOnce();
    await janitor.stop();

    expect(removed).toEqual(['r gone']);
  });
});
