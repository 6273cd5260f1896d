import { describe, expect, it } from 'vitest';
import { ConfigurationError } from '../contract/errors.js';
import { resolveEngineOptions } from './engine-options.js';
import { Partitions } from './partitions.js';

const options = resolveEngineOptions({
  queueDefaults: { concurrency: 20, maxReady: 1000 },
  queues: { orders: { partitions: 3, prefetch: 100 }, mail: {} },
});

describe('partitions', () => {
  const partitions = new Partitions(options);

  it('are names beside the name of their queue, and lead back to it', () => {
    expect(partitions.of('orders')).toEqual(['orders.0.0', 'orders.1.1', 'orders.2.1']);
    expect(partitions.of('orders').map((name) => partitions.queueOf(name))).toEqual([
      'orders',
      'orders',
      'orders',
    ]);
    expect(['orders', 'orders.0', 'mail'].map((name) => partitions.queueOf(name))).toEqual([
      'orders',
      'orders.0',
      'mail',
    ]);
  });

  it('are one where the queue is not split, under its own name', () => {
    expect([partitions.of('mail'), partitions.of('constructor')]).toEqual([['mail'], ['constructor']]);
  });

  it('have all slots of their queue between them, and at least as much of all else', () => {
    const shares = partitions.of('orders').map((name) => partitions.optionsOf(name));

    expect(shares.map(({ concurrency }) => concurrency)).toEqual([7, 7, 6]);
    expect(shares.map(({ prefetch, maxReady }) => prefetch * maxReady)).toEqual(Array(3).fill(34 * 334));
    expect(partitions.optionsOf('mail')).toMatchObject({ concurrency: 20, maxReady: 1000, partitions: 1 });
  });

  it('are not for others to use', () => {
    expect(() => partitions.demandQueue('orders.1.1', 'here')).toThrow(
      /"orders\.1\.1" is a partition of "orders"/,
    );
    expect(() => partitions.demandQueue('orders.1.1', 'here')).toThrow(ConfigurationError);
    for (const name of ['orders', 'orders.0', 'mail']) partitions.demandQueue(name, 'here');
  });
});
