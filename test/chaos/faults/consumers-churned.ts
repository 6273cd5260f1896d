import { Redis } from 'ioredis';
import { waitFor } from '@taskq/testing';
import { TASK_QUEUE } from '../actors/actor-config.js';
import { Bounds } from '../bounds.js';
import type { Fault } from '../fault.js';
import type { Run } from '../run.js';

const RESTARTS = 10_000;
/** Workers at once. */
const CROWD = 50;
/** One in so many dies without a word instead of stopping. */
const DEATHS = 10;

/** Workers come and go, ten thousand times, each under a name of its own; one in ten dies with a task in its hands. */
export const consumersChurned: Fault = {
  id: 'G24',
  title: '10,000 consumer restarts',
  runs: 1,
  short: 0,
  bound: 'lost 0; consumers ≤ live + 1; memory as before',
  parallel: 1,
  async run(run, stage) {
    const redis = await stage.redis();
    const admin = new Redis(redis.url);
    run.onEnd(() => admin.disconnect());
    const options = run.options(redis.url, {
      limits: { consumerAge: '10s' },
      worker: { heartbeatThread: false },
    });
    const engine = await run.engine(options);
    const survivor = await run.localWorker(engine, 'survivor');
    await run.enqueue(engine, 10);
    await run.untilEmpty(engine);
    const before = await usedMemory(admin);
    for (let done = 0; done < RESTARTS; done += CROWD) {
      await run.enqueue(engine, CROWD / DEATHS, { ms: 1 });
      await Promise.all(Array.from({ length: CROWD }, (_, i) => comeAndGo(run, admin, engine, done + i)));
    }
    run.fault('all of them are gone');
    await run.untilEmpty(engine, 30_000);
    // The janitor comes once a minute.
    await waitFor(async () => (await consumers(admin, run)) <= 2, {
      what: 'the consumers to go',
      timeoutMs: 90_000,
    });
    const left = await consumers(admin, run);
    const verdict = await run.verdict(engine);
    const grown = (await usedMemory(admin)) - before;
    const bounds = new Bounds();
    bounds.judge(verdict, {});
    bounds.hold(survivor.status().state === 'running', 'the survivor does not run');
    bounds.hold(left <= 2, `${left} consumers are left`);
    bounds.hold(grown < 1024 * 1024, `${grown} bytes more than before`);
    return bounds.observed(verdict, [], {
      restarts: RESTARTS,
      'consumers left': left,
      'KiB more': Math.round(grown / 1024),
    });
  },
};

async function comeAndGo(
  run: Run,
  admin: Redis,
  engine: Parameters<Run['untilEmpty']>[0],
  number: number,
): Promise<void> {
  if (number % DEATHS === 0) {
    // What a worker leaves behind that is killed just after it was given a task.
    const key = `${run.prefix}:{${TASK_QUEUE}}:tasks`;
    await admin.xreadgroup('GROUP', 'workers', `dead-${number}`, 'COUNT', 1, 'STREAMS', key, '>');
    return;
  }
  await run.passingWorker(engine);
}

async function consumers(admin: Redis, run: Run): Promise<number> {
  const key = `${run.prefix}:{${TASK_QUEUE}}:tasks`;
  const rows = (await admin.xinfo('CONSUMERS', key, 'workers')) as unknown[][];
  return rows.filter((row) => !row.includes('released')).length;
}

async function usedMemory(admin: Redis): Promise<number> {
  return Number(/used_memory:(\d+)/.exec(await admin.info('memory'))?.[1]);
}
