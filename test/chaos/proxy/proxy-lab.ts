import { connect, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { type RedisServer, startRedisServer } from '@taskq/testing';
import { Redis, type RedisOptions } from 'ioredis';
import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest';
import { FaultProxy, type FaultProxyOptions } from './fault-proxy.js';

/** A private Redis for one file; a proxy before it and its clients for each test. */
export class ProxyLab {
  server!: RedisServer;
  /** Goes past the proxy. */
  direct!: Redis;
  proxy!: FaultProxy;
  /** First part of every key of this test. */
  key = '';
  private tests = 0;
  private readonly clients: Redis[] = [];
  private readonly sockets: Socket[] = [];

  async begin(options: FaultProxyOptions): Promise<void> {
    this.tests += 1;
    this.key = `t${this.tests}`;
    this.proxy = await FaultProxy.start(this.server.connection, options);
  }

  async end(): Promise<void> {
    for (const client of this.clients.splice(0)) client.disconnect();
    for (const socket of this.sockets.splice(0)) socket.destroy();
    await this.proxy.close();
  }

  /** A client that is connected through the proxy; when its connection is lost, it says so and stays away. */
  async client(options: RedisOptions = {}): Promise<Redis> {
    const client = this.clientToBe(options);
    await client.connect();
    return client;
  }

  /** A client that is not connected yet. */
  clientToBe(options: RedisOptions = {}): Redis {
    const client = new Redis(this.proxy.url, {
      lazyConnect: true,
      autoResendUnfulfilledCommands: false,
      maxRetriesPerRequest: 0,
      retryStrategy: () => null,
      disconnectTimeout: 50,
      replyMapping: 'legacy',
      ...options,
    });
    client.on('error', () => undefined);
    this.clients.push(client);
    return client;
  }

  /** A bare connection through the proxy, or what became of it at once. */
  async socket(): Promise<RawClient> {
    const socket = connect(this.proxy.port, '127.0.0.1');
    this.sockets.push(socket);
    const raw = new RawClient(socket);
    await new Promise<void>((resolve) => {
      socket.once('connect', resolve).once('close', () => resolve());
    });
    return raw;
  }
}

/** A connection without a Redis client: what came, and how it ended. */
export class RawClient {
  received = '';
  /** `'reset'` by RST, `'closed'` by FIN. */
  ended: 'reset' | 'closed' | undefined;
  /** Chunks that came, and when. */
  readonly arrivals: { readonly at: number; readonly bytes: number }[] = [];

  constructor(private readonly socket: Socket) {
    socket.on('data', (bytes) => {
      this.received += bytes.toString('latin1');
      this.arrivals.push({ at: performance.now(), bytes: bytes.length });
    });
    socket.on('error', () => (this.ended = 'reset'));
    socket.on('end', () => (this.ended ??= 'closed'));
  }

  send(text: string): void {
    this.socket.write(text);
  }

  /** Stops reading, so that the other side cannot get rid of what it sends. */
  pause(): void {
    this.socket.pause();
  }

  resume(): void {
    this.socket.resume();
  }

  /** Lets go of the connection by RST. */
  abort(): void {
    this.socket.resetAndDestroy();
  }

  /** Lets go of the connection in good order. */
  leave(): void {
    this.socket.end();
  }
}

/** Starts a private Redis for the file, and a proxy for each of its tests. */
export function proxyLab(options: FaultProxyOptions = {}): ProxyLab {
  const here = new ProxyLab();
  beforeAll(async () => {
    here.server = await startRedisServer();
    here.direct = new Redis(here.server.url, { maxRetriesPerRequest: null, replyMapping: 'legacy' });
    here.direct.on('error', () => undefined);
    await here.direct.ping();
  });
  beforeEach(() => here.begin(options));
  afterEach(() => here.end());
  afterAll(async () => {
    here.direct?.disconnect();
    await here.server?.stop();
  });
  return here;
}

/** What a call that must reject rejects with. */
export async function failure(call: Promise<unknown>): Promise<Error> {
  try {
    await call;
  } catch (error) {
    return error as Error;
  }
  throw new Error('the call was expected to reject and did not');
}

/** How long a fault lasts: the fault itself, never a wait for its effect. */
export function lasting(ms: number): Promise<void> {
  return delay(ms);
}

/** Whether a promise is still open after a while. */
export async function staysOpen(call: Promise<unknown>, ms: number): Promise<boolean> {
  const ended = call.then(
    () => false,
    () => false,
  );
  return await Promise.race([ended, delay(ms, true)]);
}
