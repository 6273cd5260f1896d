import { expect, it } from 'vitest';
import { waitFor } from '@taskq/testing';
import { Redis } from 'ioredis';
import { handler, lab, lasting, range, watch } from './harness.js';

const here = lab();

const QUEUES = range(50).map((n) => `q${n}`);

/** As long as several rounds of everything that comes again and again, but for the janitor. */
const WATCHED_MS = 15_000;

/** The janitor looks once a minute. */
const WITH_JANITOR_MS = 62_000;

/** A lease, a sixth of it, and a second for a busy machine; see docs/guarantees.md. */
const TAKEN_OVER_MS = 18_500;

/** How often each command was run, by clients and by scripts. */
async function runs(): Promise<ReadonlyMap<string, number>> {
  const rows = (await here.admin.info('commandstats')).matchAll(/cmdstat_(\S+):calls=(\d+)/g);
  return new Map([...rows].map(([, command, calls]): [string, number] => [command!, Number(calls)]));
}

/**
 * Commands that others than the test sent to Redis in a while, by name, and how many were run by scripts there. Redis
 * counts both alike; `MONITOR` tells them apart, and does not show all that are sent.
 */
async function sentWithin(ms: number): Promise<{ sent: ReadonlyMap<string, number>; inside: number }> {
  const watcher = new Redis(here.server.url);
  const monitor = await watcher.monitor();
  const byScripts = new Map<string, number>();
  monitor.on('monitor', (_time: string, [command = '']: string[], source: string) => {
    const name = command.toLowerCase();
    if (source === 'lua') byScripts.set(name, (byScripts.get(name) ?? 0) + 1);
  });
  const before = await runs();
  await lasting(ms);
  const after = await runs();
  monitor.disconnect();
  watcher.disconnect();
  const sent = new Map<string, number>();
  let inside = 0;
  for (const [command, calls] of after) {
    const name = command.split('|')[0]!;
    const run = calls - (before.get(command) ?? 0) - (command === 'info' ? 1 : 0);
    const within = Math.min(run, byScripts.get(name) ?? 0);
    byScripts.set(name, (byScripts.get(name) ?? 0) - within);
    inside += within;
    if (run > within) sent.set(command, run - within);
  }
  return { sent, inside };
}

const connections = async (): Promise<number> =>
  String(await here.admin.client('LIST'))
    .split('\n')
    .filter((line) => line.includes('name=taskq:')).length;

it('asks Redis little while 50 queues are idle, and is there at once when they are not', async () => {
  const engine = await here.open({ worker: { lease: '15s' } });
  const facts = watch(engine);
  await here.work(engine, ...QUEUES.map((queue) => handler('a', () => undefined, { queue })));
  await lasting(9_000); // it rests after its start, and looks around when it has

  for (const ms of [WATCHED_MS, WITH_JANITOR_MS]) {
    const { sent, inside } = await sentWithin(ms);
    const perSecond = (count: number): number => Math.round((count * 100_000) / ms) / 100;
    const calls = [...sent.values()].reduce((sum, count) => sum + count, 0);
    const counts = [...sent].map(([command, count]) => `${count} ${command}`).join(', ');
    const told = `sent ${perSecond(calls)}/s, run by scripts ${perSecond(inside)}/s, in ${ms / 1000} s: ${counts}`;
    process.stdout.write(`${told}\n`);
    expect.soft(perSecond(calls)).toBeLessThanOrEqual(2);
    expect.soft(perSecond(inside)).toBeLessThanOrEqual(100);
  }
  expect.soft(await connections()).toBeLessThanOrEqual(4);

  const { id } = await engine.producer.enqueue('a', 1, { queue: 'q17' });
  const [started] = await facts.until('task.started', { id });
  expect.soft(started!.waitMs).toBeLessThan(250);

  const begun = performance.now();
  const delayed = await engine.producer.enqueue('a', 2, { queue: 'q31', delay: 700 });
  const [promoted] = await facts.until('task.started', { id: delayed.id });
  expect.soft(promoted!.at - begun).toBeGreaterThanOrEqual(698);
  expect.soft(promoted!.at - begun).toBeLessThan(950);

  const tasks = here.key(':tasks', 'q49');
  const diedAt = performance.now();
  // A worker that is given a task and never heard of again.
  await here.admin
    .multi()
    .xadd(tasks, '*', 'id', 'orphan', 'type', 'a', 'payload', '3')
    .xreadgroup('GROUP', 'workers', 'dead', 'COUNT', 1, 'STREAMS', tasks, '>')
    .exec();
  await waitFor(() => facts.of('task.started').some((fact) => fact.id === 'orphan'), {
    what: 'the orphan to start',
    timeoutMs: 30_000,
  });
  expect(performance.now() - diedAt).toBeGreaterThan(15_000);
  expect(performance.now() - diedAt).toBeLessThan(TAKEN_OVER_MS);
}, 150_000);
