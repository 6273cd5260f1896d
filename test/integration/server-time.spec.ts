import { describe, expect, it } from 'vitest';
import { FaultProxy } from '../chaos/proxy/fault-proxy.js';
import { engineScripts } from '../chaos/proxy/engine-scripts.js';
import { lab, QUEUE } from './harness.js';

const here = lab();

describe('the time that the engine goes by', () => {
  it('is that of Redis, as its last answer told it, and not that of this host', async () => {
    const proxy = here.track(await FaultProxy.start(here.server.connection, { scripts: engineScripts() }));
    const engine = await here.open({ redis: { url: proxy.url } });
    const hereNow = Date.now();
    const thereNow = hereNow + 3_600_000;
    const counts = [`:${thereNow}`, '*3', ':0', ':0', ':0', ':0', ':0', ':0', '$0', ''];
    proxy.replyWith({ match: { script: 'counts' }, raw: `*6\r\n${counts.join('\r\n')}\r\n` });
    expect(Math.abs(engine.broker.now(QUEUE) - hereNow)).toBeLessThan(60_000);
    await engine.inspector.counts(QUEUE);

    expect(Math.abs(engine.broker.now(QUEUE) - thereNow)).toBeLessThan(60_000);
  });
});
