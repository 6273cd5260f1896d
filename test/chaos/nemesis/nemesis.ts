import { Redis } from 'ioredis';
import { startRedisServer } from '@taskq/testing';
import type { Actor } from '../actors/actor.js';
import { Bounds } from '../bounds.js';
import type { Fault } from '../fault.js';
import { steadyMs } from '../history/history.js';
import { LEASE_MS, type Run } from '../run.js';
import { type Field, SLOTS, WORKERS } from './field.js';
import { type Trouble, troubles } from './troubles.js';

/** Faults at once. */
const AT_ONCE = 3;

/**
 * Faults drawn at random, at least three at once, while producers and workers go on; then everything is mended, and
 * what was accepted must be done.
 */
export function nemesis(lengthMs: number): Fault {
  return {
    id: 'G25',
    title: `random faults, ${AT_ONCE} at once, for ${Math.round(lengthMs / 1000)} s`,
    runs: 60,
    short: 1,
    bound: `lost 0; duplicates ≤ sum of what was in flight; empty ≤ ${2 * LEASE_MS} ms and the work itself after the last fault`,
    async run(run) {
      const field = await openField(run);
      const producers = [0, 1].map((i) =>
        run.actor('producer', field.options, {
          load: {
            keys: `p${i}`,
            callers: 4,
            pauseMs: 40,
            work: { ms: 20, ...(i === 0 && { delayMs: 100 }) },
          },
        }),
      );
      await Promise.all(producers.map((producer) => producer.until('ready')));
      const struck = await strike(field, steadyMs() + lengthMs);
      for (const producer of producers) producer.stop();
      const healed = run.fault('everything is mended');
      const judge = await run.engine(run.options(field.redis.url, { worker: { heartbeatThread: false } }));
      await Promise.all(producers.map((producer) => producer.ended));
      const produced = steadyMs();
      await run.untilEmpty(judge, 60_000);
      const recoveryMs = [steadyMs() - produced];
      const verdict = await run.verdict(judge);
      const bounds = new Bounds();
      const duplicates = struck.reduce((sum, trouble) => sum + trouble.duplicates, 0);
      // Everybody needs a second to find Redis again, as everywhere; workers that died need to start.
      bounds.judge(verdict, { duplicates, recoveryMs: 2 * LEASE_MS + 3000 }, recoveryMs);
      bounds.hold(produced - healed < 15_000, 'producers did not come to an end');
      return bounds.observed(verdict, recoveryMs, {
        'tasks accepted': verdict.accepted,
        faults: struck.length,
      });
    },
  };
}

async function openField(run: Run): Promise<Field> {
  const redis = await startRedisServer({
    mode: 'test',
    args: ['--appendonly', 'yes', '--appendfsync', 'always'],
  });
  run.onEnd(() => redis.stop());
  const proxy = await run.proxy(redis);
  const admin = new Redis(redis.url, { maxRetriesPerRequest: 0, enableOfflineQueue: false });
  admin.on('error', () => undefined);
  run.onEnd(() => admin.disconnect());
  const options = run.options(proxy.url, {
    queueDefaults: { concurrency: SLOTS },
    producer: { timeout: '20s' },
  });
  const workers = new Set<Actor>();
  const over = new AbortController();
  run.onEnd(() => over.abort());
  const keepOne = async (): Promise<void> => {
    while (!over.signal.aborted) {
      const worker = run.actor('worker', options);
      workers.add(worker);
      await worker.ended;
      workers.delete(worker);
      await run.lasting(100);
    }
  };
  for (let i = 0; i < WORKERS; i += 1) void keepOne();
  await Promise.all([...workers].map((worker) => worker.until('ready')));
  return { run, redis, proxy, admin, options, workers: () => [...workers] };
}

/** Keeps so many troubles going until the time is over, ends them all, and answers which there were. */
async function strike(field: Field, until: number): Promise<readonly Trouble[]> {
  const struck: Trouble[] = [];
  const going = new Set<Trouble>();
  async function lane(): Promise<void> {
    while (steadyMs() < until) {
      const free = troubles.filter((trouble) => !trouble.alone || ![...going].some((other) => other.alone));
      const trouble = field.run.dice.pick(free);
      going.add(trouble);
      struck.push(trouble);
      field.run.fault(trouble.name);
      const end = await trouble.begin(field);
      await field.run.lasting(field.run.dice.between(50, 2500));
      await end();
      field.run.fault(`end: ${trouble.name}`);
      going.delete(trouble);
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, lane));
  field.proxy.heal();
  for (const worker of field.workers()) worker.signal('SIGCONT');
  return struck;
}
