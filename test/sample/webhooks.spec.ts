import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type RedisServer, startRedisServer } from '@taskq/testing';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { SampleApp } from './sample-app.js';

/** What the receiver does with the next deliveries, one after the other; then it answers 200. */
type Answer = (request: IncomingMessage, response: ServerResponse) => void;

const status =
  (code: number, headers: Record<string, string> = {}): Answer =>
  (_request, response) =>
    void response.writeHead(code, headers).end();
const silence: Answer = () => undefined;

let redis: RedisServer;
let sample: SampleApp;
let receiver: Server;
let url: string;
let answers: Answer[] = [];
let keys: (string | undefined)[] = [];

beforeAll(async () => {
  receiver = createServer((request, response) => {
    keys.push(request.headers['idempotency-key'] as string | undefined);
    (answers.shift() ?? status(200))(request, response);
  });
  await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/hooks`;
  redis = await startRedisServer();
  sample = await SampleApp.start(redis, { TASKQ_WEBHOOKS_REQUEST_TIMEOUT: '1s' });
});
afterEach(() => {
  answers = [];
  keys = [];
});
afterAll(async () => {
  await sample?.close();
  await redis?.stop();
  receiver.closeAllConnections();
  receiver.close();
});

async function send(...next: Answer[]): Promise<string> {
  answers = next;
  const { body } = await sample.post('/webhooks', { url, event: 'order.paid', id: 'order-1' }).expect(202);
  return (body as { id: string }).id;
}

describe('a webhook', () => {
  it('is delivered again after 500, with the same key', async () => {
    const id = await send(status(500), status(503));
    await sample.until('task.completed', id);

    expect(keys).toEqual([id, id, id]);
    expect(sample.retries(id)).toBe(2);
  });

  it('is delivered again when the receiver does not answer', async () => {
    const id = await send(silence);
    await sample.until('task.completed', id);

    expect(keys).toEqual([id, id]);
    expect((await sample.until('task.retrying', id)).error).toMatchObject({ name: 'TimeoutError' });
  });

  it('comes when the receiver wants it', async () => {
    const id = await send(status(429, { 'retry-after': '1' }));
    const { delayMs } = await sample.until('task.retrying', id);

    expect(delayMs).toBe(1000);
    await sample.until('task.completed', id);
  });

  it('is given up when the receiver will never take it', async () => {
    for (const refusal of [status(410), status(301, { location: 'http://169.254.169.254/' })]) {
      const id = await send(refusal);
      const { reason } = await sample.until('task.dead', id);

      expect(reason).toBe('non-retryable');
      expect(keys).toEqual([id]);
      keys = [];
    }
  });

  it('is not sent to hosts that are not listed', async () => {
    const metadata = { url: 'http://169.254.169.254/latest', event: 'order.paid', id: '1' };
    const bodies = [
      metadata,
      { ...metadata, url: 'ftp://127.0.0.1/' },
      { ...metadata, url: 'nonsense' },
      undefined,
    ];
    for (const body of bodies) {
      expect((await sample.post('/webhooks', body)).status).toBe(400);
    }
  });
});
