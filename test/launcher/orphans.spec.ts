import { mkdirSync, readdirSync, utimesSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, afterEach, expect, it, vi } from 'vitest';
import { startRedisServer, waitFor } from '@taskq/testing';
import { forgetRedisVariables, TestFolders } from './bare-machine.js';
import { compileLauncher, isRunning, runScript, type Terminal } from './launcher-process.js';

const folders = new TestFolders();
const launcher = compileLauncher();

beforeEach(forgetRedisVariables);
afterEach(() => void vi.unstubAllEnvs());
afterAll(() => {
  folders.removeAll();
  launcher.remove();
});

/** Above the highest process id that Linux gives. */
const NOBODY = 2 ** 22 + 1;
const START_AND_WAIT =
  'const server = await startRedisServer(); say(server.pid); setInterval(() => {}, 1000);';

async function serverPid({ out, err }: Terminal): Promise<number> {
  const line = await waitFor(() => out[0], { what: `the child to start a server (${err.join('\n')})` });
  return JSON.parse(line) as number;
}

it('the server ends when its parent is killed with SIGKILL', async () => {
  await (await startRedisServer()).stop();
  const terminal = runScript(launcher.folder, START_AND_WAIT);
  const pid = await serverPid(terminal);
  expect(isRunning(pid)).toBe(true);

  terminal.child.kill('SIGKILL');
  await waitFor(() => !isRunning(pid), { what: 'the server to end' });
});

it('the same without setpriv, by a watchdog', async () => {
  await (await startRedisServer()).stop();
  const env = { ...process.env, PATH: folders.makePath(/^setpriv$/) };
  const terminal = runScript(launcher.folder, START_AND_WAIT, env);
  const pid = await serverPid(terminal);
  expect(isRunning(pid)).toBe(true);

  terminal.child.kill('SIGKILL');
  await waitFor(() => !isRunning(pid), { what: 'the server to end' });
});

it.each([
  ['setpriv', /^$/],
  ['a watchdog', /^setpriv$/],
])('a frozen server ends likewise, by %s', async (_, without) => {
  await (await startRedisServer()).stop();
  const env = { ...process.env, PATH: folders.makePath(without) };
  const script = START_AND_WAIT.replace('say', 'await server.freeze(); say');
  const terminal = runScript(launcher.folder, script, env);
  const pid = await serverPid(terminal);
  expect(isRunning(pid)).toBe(true);

  terminal.child.kill('SIGKILL');
  await waitFor(() => !isRunning(pid), { what: 'the server to end' });
});

it('more servers than Node allows listeners end on process.exit(), leave no folder, and nobody is warned', async () => {
  const place = folders.make();
  const script = `
    const { primary, replicas } = await startRedisReplication({ replicas: 11 });
    say([primary, ...replicas].map(({ pid }) => pid));
    process.exit(0);`;
  const terminal = runScript(launcher.folder, script, { ...process.env, TMPDIR: place });
  expect(await terminal.ended).toBe(0);

  const pids = JSON.parse(terminal.out[0] ?? '[]') as number[];
  expect(pids).toHaveLength(12);
  await waitFor(() => !pids.some(isRunning), { what: 'the servers to end' });
  expect(readdirSync(place)).toEqual([]);
  expect(terminal.err).toEqual([]);
});

it('a watchdog does not outlive the server, nor keep the process from ending', async () => {
  const env = { ...process.env, PATH: folders.makePath(/^setpriv$/) };
  const script = 'const server = await startRedisServer(); say(server.pid); await server.stop();';
  const terminal = runScript(launcher.folder, script, env);

  expect(await terminal.ended).toBe(0);
});

it('what a killed process left in the temporary folder is removed by a later start, and nothing else', async () => {
  const place = folders.make();
  const longAgo = new Date(Date.now() - 3_600_000);
  const leave = (name: string, pid: number, time: Date): void => {
    const owner = join(place, name, 'owner.json');
    mkdirSync(join(place, name));
    writeFileSync(owner, JSON.stringify({ pid, host: hostname() }));
    utimesSync(owner, time, time);
  };
  leave('taskq-redis-dead', NOBODY, longAgo);
  leave('taskq-redis-young', NOBODY, new Date());
  leave('taskq-redis-alive', process.pid, longAgo);
  mkdirSync(join(place, 'taskq-redis-unsigned'));

  const script = 'const server = await startRedisServer(); await server.stop();';
  expect(await runScript(launcher.folder, script, { ...process.env, TMPDIR: place }).ended).toBe(0);
  expect(readdirSync(place).toSorted()).toEqual([
    'taskq-redis-alive',
    'taskq-redis-unsigned',
    'taskq-redis-young',
  ]);
});

it.each([
  ['process.exit()', 'process.exit(3)', 3],
  ['an uncaught error', 'setTimeout(() => { throw new Error("oops") })', 1],
])('the server ends on %s', async (_, ending, code) => {
  const terminal = runScript(launcher.folder, `${START_AND_WAIT} ${ending};`);
  const pid = await serverPid(terminal);

  expect(await terminal.ended).toBe(code);
  await waitFor(() => !isRunning(pid), { what: 'the server to end' });
});
