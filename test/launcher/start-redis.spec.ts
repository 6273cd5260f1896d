import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  type RedisServer,
  RedisServerUnavailableError,
  type StartRedisOptions,
  startRedisServer,
} from '@taskq/testing';
import { forgetRedisVariables, TestFolders } from './bare-machine.js';
import { isRunning } from './launcher-process.js';

const folders = new TestFolders();
const servers: RedisServer[] = [];
const clients: Redis[] = [];

beforeEach(forgetRedisVariables);
afterEach(async () => {
  for (const client of clients.splice(0)) client.disconnect();
  await Promise.all(servers.splice(0).map((server) => server.stop()));
  vi.unstubAllEnvs();
});
afterAll(() => folders.removeAll());

async function start(options?: StartRedisOptions): Promise<RedisServer> {
  const server = await startRedisServer(options);
  servers.push(server);
  return server;
}

function connect(server: RedisServer): Redis {
  const client = new Redis(server.url);
  client.on('error', () => {});
  clients.push(client);
  return client;
}

describe('startRedisServer in test mode', () => {
  it('gives a private server on a socket that does not evict and keeps nothing', async () => {
    const server = await start();
    const client = connect(server);

    expect(await client.ping()).toBe('PONG');
    expect(await client.config('GET', 'maxmemory-policy')).toEqual(['maxmemory-policy', 'noeviction']);
    expect(await client.config('GET', 'appendonly')).toEqual(['appendonly', 'no']);
    expect(await client.config('GET', 'save')).toEqual(['save', '']);
    expect(server.url).toMatch(/^\/.*\.sock$/);
    expect(server.connection).toEqual({ path: server.url });
    expect(server.addresses).toEqual([server.url]);
    expect(server.version).toMatch(/^\d+\.\d+\.\d+$/);
    expect(await client.info('server')).toContain(`process_id:${server.pid}`);
  });

  it('listens on a free loopback port when asked', async () => {
    const server = await start({ listen: 'port' });

    expect(server.url).toMatch(/^redis:\/\/127\.0\.0\.1:\d+$/);
    expect(server.connection).toEqual({ host: '127.0.0.1', port: Number(new URL(server.url).port) });
    expect(await connect(server).ping()).toBe('PONG');
  });

  it('ignores REDIS_URL, and gives every caller a server of its own', async () => {
    const [first, second] = await Promise.all([start(), start()]);
    vi.stubEnv('REDIS_URL', first.url);
    const third = await start();

    expect(new Set([first.url, second.url, third.url]).size).toBe(3);
    expect(third.source).not.toBe('url');
  });

  it('finds a short place for the socket when the temporary folder has a long name', async () => {
    vi.stubEnv('TMPDIR', join(folders.make(), 'long'.repeat(25)));

    expect(await connect(await start()).ping()).toBe('PONG');
  });

  it('says the last words of a server that does not start', async () => {
    const failing = startRedisServer({ args: ['--no-such-option', '1'] });

    await expect(failing).rejects.toThrow(RedisServerUnavailableError);
    await expect(failing).rejects.toThrow(/no-such-option/);
  });
});

describe('the handle', () => {
  it('stops more than once and leaves no process and no folder', async () => {
    const server = await start();
    const { pid } = server;
    await Promise.all([server.stop(), server.stop()]);
    await server.stop();

    expect(isRunning(pid as number)).toBe(false);
    expect(server.pid).toBeUndefined();
    expect(existsSync(dirname(server.url))).toBe(false);
  });

  it('kills, and restarts on the same address with the data that the arguments keep', async () => {
    const server = await start({ args: ['--appendonly yes', '--appendfsync', 'always'] });
    const before = server.pid as number;
    await connect(server).set('kept', 'yes');

    await server.kill();
    expect(isRunning(before)).toBe(false);
    await server.restart();

    expect(server.pid).not.toBe(before);
    expect(await connect(server).get('kept')).toBe('yes');
  });

  it('freezes, so that nothing is answered, and thaws, so that everything is', async () => {
    const server = await start();
    const client = connect(server);
    await client.ping();
    expect(server.frozen).toBe(false);
    await server.freeze();
    const answer = client.set('late', 'yes');

    expect(server.frozen).toBe(true);
    expect(await Promise.race([answer, delay(100, 'silence')])).toBe('silence');
    await server.thaw();
    expect(await answer).toBe('OK');
    expect(server.frozen).toBe(false);
    await server.thaw();
  });

  it.each(['stop', 'kill', 'restart'] as const)('can %s a frozen server at once', async (act) => {
    const server = await start();
    const before = server.pid as number;
    await server.freeze();
    const since = performance.now();
    await server[act]();

    expect(isRunning(before)).toBe(false);
    expect(server.frozen).toBe(false);
    // An unheeded SIGTERM is followed by SIGKILL after 5 seconds.
    expect(performance.now() - since).toBeLessThan(4_000);
  });

  it('does not freeze what does not run', async () => {
    const server = await start();
    await server.kill();

    await expect(server.freeze()).rejects.toThrow(/does not run/);
  });

  it('leaves nothing behind when it is stopped in the middle of a restart', async () => {
    const server = await start();
    const restarting = server.restart();
    await server.stop();
    await restarting;

    expect(server.pid).toBeUndefined();
  });

  it('restarts a server that still runs, on the same port', async () => {
    const server = await start({ listen: 'port' });
    const before = server.pid;
    await server.restart();

    expect(server.pid).not.toBe(before);
    expect(await connect(server).ping()).toBe('PONG');
  });

  it('does not restart what was stopped', async () => {
    const server = await start();
    await server.stop();

    await expect(server.restart()).rejects.toThrow(/was stopped/);
  });
});

describe('TEST_REDIS_URL', () => {
  it('is used and left running, but not when its database holds data', async () => {
    const target = await start({ listen: 'port' });
    vi.stubEnv('TEST_REDIS_URL', target.url);

    const named = await start();
    expect(named).toMatchObject({ source: 'url', url: target.url, pid: undefined });
    await expect(named.kill()).rejects.toThrow(/not ours/);
    await expect(named.freeze()).rejects.toThrow(/not ours/);
    await named.stop();
    expect(await connect(target).ping()).toBe('PONG');

    await connect(target).set('precious', '1');
    await expect(startRedisServer()).rejects.toThrow(/holds 1 keys/);
    vi.stubEnv('TEST_REDIS_FORCE', '1');
    expect((await start()).source).toBe('url');
  });

  it('gives way to a private server when arguments are asked for', async () => {
    vi.stubEnv('TEST_REDIS_URL', 'redis://127.0.0.1:1');

    const server = await start({ args: ['--maxmemory 10mb'] });
    expect(await connect(server).config('GET', 'maxmemory')).toEqual(['maxmemory', String(10 * 1024 * 1024)]);
  });
});
