import { setImmediate } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { describe, expect, it } from 'vitest';
import { FaultProxy } from '../chaos/proxy/fault-proxy.js';
import { lab, QUEUE } from './harness.js';

const here = lab();

async function behindProxy() {
  const proxy = here.track(await FaultProxy.start(here.server.connection));
  const engine = await here.open({ redis: { url: proxy.url } });
  return { engine, proxy, client: engine.broker.client as Redis, counter: here.key(':counter') };
}

describe('a command that the engine’s connection was given', () => {
  it('is not sent again when its answer is lost: only who sent it knows whether that is right', async () => {
    const { proxy, client, counter } = await behindProxy();
    proxy.dropReply({ match: { text: counter } });
    await expect(client.incr(counter)).rejects.toThrow(/max retries|closed/i);
    // The link is back: whatever was to be repeated would have been.
    await expect.poll(() => client.ping().catch(() => ''), { timeout: 5000 }).toBe('PONG');

    expect(await here.admin.get(counter)).toBe('1');
  });

  it('is refused at once while there is no connection, and never sent later', async () => {
    const { proxy, client, counter } = await behindProxy();
    proxy.cut();
    await expect.poll(() => client.status, { timeout: 5000 }).not.toBe('ready');
    let refused = 0;
    for (let call = 0; call < 100; call += 1) client.incr(counter).catch(() => (refused += 1));
    await setImmediate();

    expect(refused).toBe(100);
    proxy.heal();
    await expect.poll(() => client.ping().catch(() => ''), { timeout: 5000 }).toBe('PONG');
    expect(await here.admin.get(counter)).toBeNull();
  });
});

describe('upkeep that was decided on before the link broke', () => {
  it('is not carried out when the link is back: by then every lease may seem to be over', async () => {
    const { engine, proxy } = await behindProxy();
    await engine.broker.openForWork([QUEUE]);
    await engine.broker.ensureQueue(QUEUE);
    await engine.producer.enqueue('a', 1);
    const leased = { total: 1, high: 0, normal: 1, low: 0 };
    const asked = { queue: QUEUE, outcomes: [], leaseMs: 1000, want: leased };
    const { deliveries } = await engine.broker.settle({ ...asked, consumer: 'alive' });
    proxy.cut();
    await expect
      .poll(() => engine.broker.extend(QUEUE, 'alive', deliveries).then(String, String), { timeout: 5000 })
      .toContain('not connected');
    const sweep = engine.broker.reclaim({
      queue: QUEUE,
      consumer: 'sweeps',
      leaseMs: 0,
      limit: 10,
      suspects: true,
      releasedOnly: false,
      everyMs: 0,
    });
    proxy.heal();

    await expect(sweep).rejects.toMatchObject({ reason: 'UNAVAILABLE' });
    expect(await here.admin.xpending(here.key(':tasks'), 'workers', '-', '+', 10)).toMatchObject([
      [deliveries[0]!.entryId, 'alive', expect.any(Number), 1],
    ]);
  });
});
