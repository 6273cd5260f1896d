import { type RedisServer, startRedisServer, waitFor } from '@taskq/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SampleApp } from './sample-app.js';

let server: RedisServer;
let sample: SampleApp;

beforeAll(async () => {
  // With arguments, so that it is a server of our own: it will be killed.
  server = await startRedisServer({ args: ['--appendonly', 'yes'] });
  sample = await SampleApp.start(server, { TASKQ_ROLE: 'worker' });
});
afterAll(async () => {
  await sample?.close();
  await server?.stop();
});

describe('health of a worker', () => {
  it('is there, and nothing else of the API is', async () => {
    await sample.get('/health/live').expect(200);
    const { body } = await sample.get('/health/ready').expect(200);

    expect(body).toMatchObject({ status: 'ok', info: { taskq: { worker: { state: 'running' } } } });
    await sample.get('/queues/catalogue').expect(404);
    await sample.post('/webhooks', {}).expect(404);
  });

  it('is bad while Redis is gone, though the process lives', async () => {
    await server.kill();
    await sample.get('/health/live').expect(200);
    const { body } = await sample.get('/health/ready').expect(503);
    expect(body).toMatchObject({ status: 'error' });

    await server.restart();
    await waitFor(async () => (await sample.get('/health/ready')).status === 200, {
      what: 'health',
      timeoutMs: 10_000,
    });
  });
});
