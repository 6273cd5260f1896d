import { chmodSync, existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  type RedisServer,
  RedisServerUnavailableError,
  type StartRedisOptions,
  startRedisServer,
} from '@taskq/testing';
import { forgetRedisVariables, hasApt, REDIS_AND_DOCKER, SHARED_CACHE, TestFolders } from './bare-machine.js';
import { compileLauncher, runScript } from './launcher-process.js';

const folders = new TestFolders();
const servers: RedisServer[] = [];
const barePath = folders.makePath(REDIS_AND_DOCKER);
const launcher = compileLauncher();

beforeEach(() => {
  forgetRedisVariables();
  vi.stubEnv('PATH', barePath);
});
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.stop()));
  vi.unstubAllEnvs();
});
afterAll(() => {
  folders.removeAll();
  launcher.remove();
});

async function start(options?: StartRedisOptions): Promise<RedisServer> {
  const server = await startRedisServer(options);
  servers.push(server);
  return server;
}

/** A program that says what it is told to. */
function makeProgram(folder: string, name: string, script: string): string {
  mkdirSync(folder, { recursive: true });
  const file = join(folder, name);
  writeFileSync(file, `#!/bin/sh\n${script}\n`);
  chmodSync(file, 0o755);
  return file;
}

describe.skipIf(!hasApt)('without a Redis on PATH', () => {
  it('downloads once, however many processes start at the same time on an empty cache', async () => {
    const cacheFolder = folders.make();
    // What a killed download and its lock leave behind, and a cache that does not run here, must not count.
    makeProgram(join(cacheFolder, 'root', 'usr', 'bin'), 'redis-server', 'exit 1');
    mkdirSync(join(cacheFolder, 'download-dead', 'root', 'usr', 'bin'), { recursive: true });
    const host = hostname();
    writeFileSync(join(cacheFolder, 'download.lock'), JSON.stringify({ pid: 2 ** 22 + 1, host, id: 'dead' }));

    const script = `
      const server = await startRedisServer({ cacheFolder: ${JSON.stringify(cacheFolder)} });
      say(server.source);
      await server.stop();`;
    const terminals = [1, 2, 3].map(() => runScript(launcher.folder, script));
    const codes = await Promise.all(terminals.map(({ ended }) => ended));

    expect(codes).toEqual([0, 0, 0]);
    expect(terminals.flatMap(({ out }) => out).toSorted()).toEqual(['"apt"', '"cache"', '"cache"']);
    expect(terminals.flatMap(({ err }) => err)).toEqual([expect.stringContaining('fetching')]);
    expect(readdirSync(cacheFolder).toSorted()).toEqual(['.gitignore', 'root']);
  });

  it('takes the cache when there is one, and prints nothing', async () => {
    await start();
    const lines: string[] = [];
    const server = await start({ log: (line) => lines.push(line) });

    expect(server.source).toBe('cache');
    expect(lines).toEqual([]);
  });

  it('takes REDIS_SERVER_BIN before the cache, and Debian’s check program on PATH as a server', async () => {
    await start();
    const bin = join(SHARED_CACHE, 'root', 'usr', 'bin');
    const libraries = readdirSync(join(SHARED_CACHE, 'root', 'usr', 'lib')).filter((name) =>
      name.includes('linux'),
    );
    const lib = libraries.map((name) => join(SHARED_CACHE, 'root', 'usr', 'lib', name)).join(':');
    vi.stubEnv('LD_LIBRARY_PATH', lib);

    vi.stubEnv('REDIS_SERVER_BIN', join(bin, 'redis-server'));
    expect((await start()).source).toBe('binary');

    vi.stubEnv('REDIS_SERVER_BIN', undefined);
    const onPath = folders.make();
    symlinkSync(join(bin, 'redis-check-rdb'), join(onPath, 'redis-check-rdb'));
    vi.stubEnv('PATH', `${onPath}:${barePath}`);
    expect((await start()).source).toBe('binary');
  });

  it('does not stop at programs that are broken or too old', async () => {
    await start();
    const folder = folders.make();
    makeProgram(folder, 'valkey-server', 'echo "cannot open shared object file" >&2; exit 127');
    makeProgram(
      folder,
      'redis-server',
      'echo "Redis server v=6.0.16 sha=00000000:0 malloc=jemalloc bits=64"',
    );
    vi.stubEnv('PATH', `${folder}:${barePath}`);
    vi.stubEnv('REDIS_SERVER_BIN', join(folder, 'not-there'));
    const lines: string[] = [];

    const server = await start({ log: (line) => lines.push(line) });
    expect(server.source).toBe('cache');
    expect(lines).toEqual([expect.stringContaining('REDIS_SERVER_BIN is not usable')]);
  });
});

describe('with nothing available', () => {
  it('fails with what was tried and the command for each system', async () => {
    vi.stubEnv('REDIS_AUTO_DOWNLOAD', '0');
    const folder = folders.make();
    makeProgram(folder, 'valkey-server', 'echo "cannot open shared object file" >&2; exit 127');
    vi.stubEnv('PATH', folder);
    const cacheFolder = folders.make();

    const error = await startRedisServer({ cacheFolder }).then(String, (thrown: unknown) => thrown);

    expect(error).toBeInstanceOf(RedisServerUnavailableError);
    const { code, message } = error as RedisServerUnavailableError;
    expect(code).toBe('TASKQ_REDIS_SERVER_UNAVAILABLE');
    for (const text of [
      'does not run (exit code 127: cannot open shared object file)',
      'REDIS_AUTO_DOWNLOAD=0',
      'docker: not on this system',
      'sudo apt-get install -y --no-install-recommends redis-tools',
      'sudo dnf install valkey',
      'brew install valkey',
      'export REDIS_URL=redis://127.0.0.1:6379',
    ]) {
      expect(message).toContain(text);
    }
    expect(message.split('\n').length).toBeLessThanOrEqual(24);
    expect(existsSync(join(cacheFolder, 'root'))).toBe(false);
  });

  it('mentions, but does not use, a Redis on 127.0.0.1:6379', async ({ skip }) => {
    const stranger = createServer((socket) => socket.on('data', () => socket.write('+PONG\r\n')));
    const listening = await new Promise<boolean>((resolve) => {
      stranger.once('error', () => resolve(false));
      stranger.listen(6379, '127.0.0.1', () => resolve(true));
    });
    if (!listening) skip('port 6379 is taken on this machine');
    vi.stubEnv('REDIS_AUTO_DOWNLOAD', '0');
    vi.stubEnv('PATH', folders.make());

    try {
      await expect(startRedisServer({ cacheFolder: folders.make() })).rejects.toThrow(
        /A Redis answers on 127\.0\.0\.1:6379\. taskq does not use it unasked/,
      );
    } finally {
      stranger.close();
    }
  });
});
