import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { spawn } from 'node:child_process';
import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { freePort, type RedisServer, startRedisServer, waitFor } from '@taskq/testing';
import { forgetRedisVariables, SHARED_CACHE, TestFolders } from './bare-machine.js';
import { compileLauncher, isRunning, runTool } from './launcher-process.js';

const folders = new TestFolders();
const servers: RedisServer[] = [];
const launcher = compileLauncher();

beforeAll(async () => {
  forgetRedisVariables();
  // Fills the shared cache, from which the cache folders of these tests borrow.
  await (await startRedisServer()).stop();
});
beforeEach(forgetRedisVariables);
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.stop()));
  vi.unstubAllEnvs();
});
afterAll(() => {
  folders.removeAll();
  launcher.remove();
});

async function startDev(cacheFolder: string): Promise<RedisServer> {
  const server = await startRedisServer({ mode: 'dev', cacheFolder });
  servers.push(server);
  return server;
}

describe('dev mode', () => {
  it('is found by the next one who starts, and keeps its data over a stop', async () => {
    const cacheFolder = folders.makeCache();
    const [one, other] = await Promise.all([startDev(cacheFolder), startDev(cacheFolder)]);
    const [owner, guest] = one.source === 'running' ? [other, one] : [one, other];

    expect(owner.source).not.toBe('running');
    expect(guest).toMatchObject({
      source: 'running',
      url: owner.url,
      addresses: owner.addresses,
      pid: undefined,
    });
    expect(owner.addresses).toHaveLength(2);
    await guest.stop();
    await using(owner.url, (client) => client.set('kept', 'yes'));
    await owner.stop();
    expect(existsSync(join(cacheFolder, 'run', 'dev.json'))).toBe(false);

    const next = await startDev(cacheFolder);
    expect(next.source).not.toBe('running');
    expect(await using(next.url, (client) => client.get('kept'))).toBe('yes');
    expect(next.dataFolder).toBe(join(cacheFolder, 'data'));
  });

  it('is still found after a restart', async () => {
    const cacheFolder = folders.makeCache();
    const owner = await startDev(cacheFolder);
    await owner.restart();

    expect(await startDev(cacheFolder)).toMatchObject({ source: 'running', url: owner.url });
  });

  it('is ignored in test mode', async () => {
    const cacheFolder = folders.makeCache();
    const owner = await startDev(cacheFolder);
    const server = await startRedisServer({ cacheFolder });
    servers.push(server);

    expect(server.url).not.toBe(owner.url);
  });

  it('removes a stale record and does not signal the process that it names', async () => {
    const cacheFolder = folders.makeCache();
    const bystander = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)']);
    // A stranger's server lives at the recorded address by now, and the recorded process id is somebody's.
    const stranger = await startRedisServer();
    servers.push(stranger);
    const record = {
      ...{ processId: bystander.pid, runId: '0'.repeat(40), dir: join(cacheFolder, 'data') },
      ...{ url: stranger.url, addresses: [stranger.url], dataFolder: join(cacheFolder, 'data') },
    };
    mkdirSync(join(cacheFolder, 'run'));
    writeFileSync(join(cacheFolder, 'run', 'dev.json'), JSON.stringify(record));

    const server = await startDev(cacheFolder);

    expect(server.source).not.toBe('running');
    expect(readFileSync(join(cacheFolder, 'run', 'dev.json'), 'utf8')).toContain(
      `"processId": ${server.pid}`,
    );
    expect(bystander.exitCode ?? bystander.signalCode).toBeNull();
    expect(await using(stranger.url, (client) => client.ping())).toBe('PONG');
    bystander.kill('SIGKILL');
  });

  it.each(['{"processId":1}', 'not json', ''])('survives a record that reads %j', async (text) => {
    const cacheFolder = folders.makeCache();
    mkdirSync(join(cacheFolder, 'run'));
    writeFileSync(join(cacheFolder, 'run', 'dev.json'), text);

    expect((await startDev(cacheFolder)).source).not.toBe('running');
  });
});

describe('REDIS_URL in dev mode', () => {
  it('is used, and never stopped', async () => {
    const target = await startRedisServer({ listen: 'port' });
    servers.push(target);
    vi.stubEnv('REDIS_URL', `${target.url}/3`);

    const named = await startDev(folders.make());
    expect(named).toMatchObject({ source: 'url', version: target.version, connection: { db: 3 } });
    await named.stop();
    expect(await using(target.url, (client) => client.ping())).toBe('PONG');
  });

  it('fails when nobody answers, naming the host but never the password', async () => {
    vi.stubEnv('REDIS_URL', `redis://app:s3cret@127.0.0.1:${await freePort()}`);
    const error = await startRedisServer({ mode: 'dev' }).catch((thrown: unknown) => thrown);

    expect(error).toMatchObject({ code: 'TASKQ_REDIS_SERVER_UNAVAILABLE' });
    expect(String(error)).toMatch(/REDIS_URL names redis:\/\/127\.0\.0\.1:\d+, .*ECONNREFUSED/);
    expect(everythingIn(error)).not.toContain('s3cret');
  });

  it('does not tell the password when the login fails or the URL is no URL', async () => {
    const target = await startRedisServer({ listen: 'port', args: ['--requirepass', 'right'] });
    servers.push(target);
    for (const url of [target.url.replace('//', '//:s3cret@'), 'redis://x:s3cret@host:99999']) {
      vi.stubEnv('REDIS_URL', url);
      const error = await startRedisServer({ mode: 'dev' }).catch((thrown: unknown) => thrown);

      expect(error).toMatchObject({ code: 'TASKQ_REDIS_SERVER_UNAVAILABLE' });
      expect(everythingIn(error)).not.toContain('s3cret');
    }
  });
});

describe('npm run redis', () => {
  it('serves until SIGINT, is found from another terminal, and saves its data', async () => {
    const project = makeProject();
    const tool = runTool(launcher.folder, [], process.env, project);
    await waitFor(() => tool.out.some((line) => line.includes('Stop')), { what: 'the tool to report' });
    const text = tool.out.join('\n');
    const url = /redis:\/\/127\.0\.0\.1:\d+/.exec(text)?.[0] ?? '';
    const pid = Number(/pid (\d+)/.exec(text)?.[1]);
    await using(url, (client) => client.set('kept', 'yes'));

    const second = runTool(launcher.folder, [], process.env, project);
    expect(await second.ended).toBe(0);
    expect(second.out.join('\n')).toMatch(/runs already/);
    expect(second.out.join('\n')).toContain(url);

    tool.child.kill('SIGINT');
    expect(await tool.ended).toBe(0);
    expect(isRunning(pid)).toBe(false);
    const next = await startDev(join(project, '.cache', 'redis'));
    expect(await using(next.url, (client) => client.get('kept'))).toBe('yes');
  });

  it('ends with an error when the server ends by itself', async () => {
    const tool = runTool(launcher.folder, [], process.env, makeProject());
    await waitFor(() => tool.out.some((line) => line.includes('Stop')), { what: 'the tool to report' });
    process.kill(Number(/pid (\d+)/.exec(tool.out.join('\n'))?.[1]));

    expect(await tool.ended).toBe(1);
    expect(tool.err).toEqual(['Redis ended by itself.']);
  });

  it('only asks the server that REDIS_URL names', async () => {
    const target = await startRedisServer({ listen: 'port', args: ['--requirepass', 's3cret'] });
    servers.push(target);
    const env = { ...process.env, REDIS_URL: target.url.replace('//', '//:s3cret@') };
    const tool = runTool(launcher.folder, [], env, makeProject());

    expect(await tool.ended).toBe(0);
    expect(tool.out).toEqual([`REDIS_URL answers: ${target.url} (version ${target.version})`]);
  });

  it('explains itself, and refuses options that it does not know', async () => {
    const [help, unknown] = [['--help'], ['--prot', '1']].map((args) =>
      runTool(launcher.folder, args, process.env),
    );

    expect(await help?.ended).toBe(0);
    expect(help?.out.join('\n')).toContain('REDIS_AUTO_DOWNLOAD=0');
    expect(await unknown?.ended).toBe(2);
    expect(unknown?.err.join('\n')).toContain('Unknown option: --prot');
  });
});

/** A project of its own, with the server that the shared cache has. */
function makeProject(): string {
  const project = folders.make();
  writeFileSync(join(project, 'package.json'), '{"workspaces":[]}');
  mkdirSync(join(project, '.cache', 'redis'), { recursive: true });
  if (existsSync(join(SHARED_CACHE, 'root'))) {
    symlinkSync(join(SHARED_CACHE, 'root'), join(project, '.cache', 'redis', 'root'));
  }
  return project;
}

async function using<T>(url: string, use: (client: Redis) => Promise<T>): Promise<T> {
  const client = new Redis(url);
  client.on('error', () => {});
  try {
    return await use(client);
  } finally {
    client.disconnect();
  }
}

function everythingIn(error: unknown): string {
  const { message, stack, cause, ...rest } = error as Error;
  return JSON.stringify([message, stack, cause, rest]);
}
