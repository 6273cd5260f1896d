import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { resetSocket } from './reset-socket.js';

describe('a connection that is reset', () => {
  let server: Server;
  let near: Socket;
  let far: Socket;
  beforeEach(async () => {
    server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const accepted = once(server, 'connection');
    near = connect((server.address() as AddressInfo).port, '127.0.0.1');
    near.on('error', () => undefined);
    [far] = (await accepted) as [Socket];
    far.on('error', () => undefined);
  });
  afterEach(() => {
    for (const socket of [near, far]) socket.destroy();
    server.close();
  });

  it('ends by RST for whoever is on the other side', async () => {
    const failed = once(near, 'error') as Promise<[NodeJS.ErrnoException]>;
    resetSocket(far);

    expect((await failed)[0].code).toBe('ECONNRESET');
  });

  it.each([
    ['in the same moment', () => undefined],
    ['a tick later', () => new Promise<void>((done) => process.nextTick(done))],
    ['a turn later', () => turn()],
  ])('closes, too, when its end is being sent: %s', async (_, wait) => {
    far.end('last words');
    await wait();
    const closed = new Promise<string>((done) => far.once('close', () => done('closed')));
    resetSocket(far);

    expect(await Promise.race([closed, delayed(500)])).toBe('closed');
  });
});

function delayed(ms: number): Promise<string> {
  return new Promise((done) => {
    setTimeout(() => done('open'), ms).unref();
  });
}
