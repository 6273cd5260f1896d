import { startRedisSentinel, waitFor } from '@taskq/testing';
import { describe, expect, it } from 'vitest';
import { lab } from './harness.js';

const here = lab({ listen: 'port' });

describe('a failover that Sentinels announce', () => {
  it('is heard of: a client leaves a primary that hangs before any command of it has failed', async () => {
    const sentinels = await startRedisSentinel();
    here.track({ close: () => sentinels.stop() });
    const engine = await here.open({
      redis: {
        url: undefined,
        sentinels: sentinels.sentinels.map(({ host, port }) => `${host}:${port}`),
        sentinelName: sentinels.name,
        commandTimeout: '30s',
      },
      producer: { timeout: '60s' },
    });
    await engine.producer.enqueue('a', 'before');
    const old = await sentinels.primary();
    await old.freeze();
    const begun = performance.now();
    const answered = engine.producer.enqueue('a', 'while it hangs');
    await waitFor(async () => (await sentinels.primary()).url !== old.url, {
      what: 'another primary',
      timeoutMs: 20_000,
    });
    await answered;

    expect(performance.now() - begun).toBeLessThan(20_000);
  }, 60_000);
});
