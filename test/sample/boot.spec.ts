import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort, type RedisServer, startRedisServer } from '@taskq/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { closePrograms, SampleProgram } from './sample-program.js';

let server: RedisServer;
let folder: string;

beforeAll(async () => {
  server = await startRedisServer();
  folder = mkdtempSync(join(tmpdir(), 'taskq-boot-'));
});
afterAll(async () => {
  await server?.stop();
  rmSync(folder, { recursive: true, force: true });
});
closePrograms();

/** Settings under which it would start. */
function good(): NodeJS.ProcessEnv {
  return {
    REDIS_URL: server.url,
    TASKQ_PREFIX: `t-${randomBytes(6).toString('hex')}`,
    TASKQ_HTTP_PORT: '0',
    TASKQ_DATA_FOLDER: join(folder, 'data'),
  };
}

/** Expects that a program ends with one screen: no stack, no log lines, nothing on standard output. */
async function refused(program: SampleProgram): Promise<string> {
  expect(await program.ended).toBe(1);
  expect(program.err).toContain('The sample cannot start');
  expect(program.err).not.toMatch(/^\s+at /m);
  expect(program.out).toBe('');
  return program.err;
}

describe.each(['main.js', 'main.api.js', 'main.worker.js'])('%s', (file) => {
  it('says what it reached and what to try, and ends on SIGTERM', async () => {
    const program = new SampleProgram(file, good());
    const url = await program.url;

    expect((await fetch(`${url}/health/ready`)).status).toBe(200);
    expect((await fetch(`${url}/queues/catalogue`)).status).toBe(file === 'main.worker.js' ? 404 : 200);
    program.signal('SIGTERM');
    expect(await program.ended).toBe('SIGTERM');
    expect(program.out).toMatch(new RegExp(`Redis +(redis|valkey) ${server.version} \\(\\w+\\) at \\S+`));
    expect(program.out).toContain('What to try next');
    expect(program.out).toContain('settings  config/config.yaml + REDIS_URL');
    expect(program.err).toBe('');
  });

  it('refuses to start without Redis', async () => {
    const port = await freePort();
    const environment = { REDIS_ADDR: `127.0.0.1:${port}`, TASKQ_REDIS_CONNECT_TIMEOUT: '300ms' };
    const screen = await refused(new SampleProgram(file, { ...good(), REDIS_URL: '', ...environment }));

    expect(screen).toContain(`cannot reach Redis at 127.0.0.1:${port}`);
    expect(screen).toContain('REDIS_URL');
  });
});

describe('the sample refuses to start', () => {
  it('with wrong settings, and names all of them', async () => {
    const wrong = { REDIS_DB: '99', TASKQ_HTTP_PORT: 'http', TASKQ_WORKER_LEESE: '5s' };
    const screen = await refused(new SampleProgram('main.js', { ...good(), ...wrong }));

    expect(screen).toContain('3 settings are wrong');
    expect(screen).toContain('redis.db must be a whole number of 0 to 15, not 99 (set by REDIS_DB)');
    expect(screen).toContain('http.port must be a whole number of 0 to 65535, not "http"');
    expect(screen).toContain('unknown option "worker.leese", did you mean "lease"?');
  });

  it('with a password that Redis does not take, which it does not show', async () => {
    const login = { REDIS_USERNAME: 'nobody', REDIS_PASSWORD: 'geheim' };
    const screen = await refused(new SampleProgram('main.worker.js', { ...good(), ...login }));

    expect(screen).toContain('WRONGPASS');
    expect(screen).not.toContain('geheim');
  });

  it('on a port that is taken', async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    const { port } = other.address() as AddressInfo;
    try {
      const screen = await refused(
        new SampleProgram('main.js', { ...good(), TASKQ_HTTP_PORT: String(port) }),
      );
      expect(screen).toContain('TASKQ_HTTP_PORT');
    } finally {
      other.close();
    }
  });

  it('without a folder for its data', async () => {
    const environment = { ...good(), TASKQ_DATA_FOLDER: join(process.cwd(), 'package.json') };
    const screen = await refused(new SampleProgram('main.js', environment));

    expect(screen).toContain('TASKQ_DATA_FOLDER');
  });
});

describe('--dev', () => {
  it('does not bring a Redis where one is named', async () => {
    const port = await freePort();
    const environment = { REDIS_ADDR: `127.0.0.1:${port}`, TASKQ_REDIS_CONNECT_TIMEOUT: '300ms' };
    const program = new SampleProgram('main.js', { ...good(), REDIS_URL: '', ...environment }, ['--dev']);

    expect(await refused(program)).toContain(`cannot reach Redis at 127.0.0.1:${port}`);
  });

  it('brings a receiver to try webhooks on', async () => {
    const program = new SampleProgram('main.js', good(), ['--dev']);
    const url = await program.url;
    const receiver = /receiver {2}(\S+)/.exec(program.out)?.[1];

    const body = JSON.stringify({ url: receiver, event: 'order.paid', id: 'order-1' });
    const headers = { 'content-type': 'application/json' };
    expect((await fetch(`${url}/webhooks`, { method: 'POST', headers, body })).status).toBe(202);
  });
});

describe('a worker whose parent dies', () => {
  it('ends as well', async () => {
    const program = new SampleProgram('main.worker.js', good());
    await program.url;
    program.disconnect();

    expect(await program.ended).toBe('SIGTERM');
  });
});
