import { connect, createServer, type Server, type Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { lab, lasting, QUEUE } from './harness.js';

const here = lab();

/** Lets connections through to Redis, but for the first ones, which it takes and does not answer. */
async function deafAtFirst(count: number): Promise<{ readonly port: number; readonly taken: () => number }> {
  const sockets = new Set<Socket>();
  let taken = 0;
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    taken += 1;
    socket.on('error', () => socket.destroy());
    if (taken <= count) return void socket.resume();
    const redis = connect(here.server.url);
    sockets.add(redis);
    redis.on('error', () => socket.destroy());
    socket.pipe(redis).pipe(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  here.track({
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  });
  return { port: (server.address() as { port: number }).port, taken: () => taken };
}

describe('a connection that is made and not answered, as a frozen server makes it', () => {
  it('is ended after three seconds, and another is made', async () => {
    const { port, taken } = await deafAtFirst(1);
    const begun = performance.now();
    const engine = await here.open({
      redis: { url: `redis://127.0.0.1:${port}`, connectTimeout: '15s', commandTimeout: '60s' },
    });
    const took = performance.now() - begun;

    expect(await engine.inspector.ping()).toBeGreaterThan(0);
    expect(taken()).toBeGreaterThan(1);
    expect(took).toBeGreaterThan(2900);
    expect(took).toBeLessThan(6000);
  });
});

describe('a process that is held up for longer than a read may take', () => {
  it('reads the answer that has come meanwhile, and keeps its connection', async () => {
    const engine = await here.open();
    await engine.broker.ensureQueue(QUEUE);
    const reconnects: string[] = [];
    engine.broker.onReconnect((link) => reconnects.push(link));
    const request = { consumer: 'w', queues: [QUEUE], count: 1, blockMs: 200 };
    await engine.broker.fetch(request);
    const fetching = engine.broker.fetch(request);
    await lasting(20);
    // After this turn of the event loop timers come first, and what was received only then.
    await new Promise((resolve) => setImmediate(resolve));
    const until = performance.now() + 3500;
    while (performance.now() < until);

    expect((await fetching).deliveries).toEqual([]);
    await engine.inspector.ping();
    await lasting(500);
    expect(reconnects).toEqual([]);
  });
});
