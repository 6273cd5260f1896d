import { startRedisServer, waitFor } from '@taskq/testing';
import type { EngineOptions, TaskQueue } from '@taskq/core';
import { Bounds } from '../bounds.js';
import type { Fault } from '../fault.js';
import { steadyMs } from '../history/history.js';
import { LEASE_MS, type Run } from '../run.js';

const OUTAGE_MS = 2 * LEASE_MS;

/** Nobody reaches Redis for two leases while every worker is busy: then every task looks abandoned. */
export const outage: Fault = {
  id: 'G19',
  title: 'outage of two leases, all workers busy',
  runs: 30,
  short: 1,
  bound: 'lost 0; duplicates 0 for workers that live; all done ≤ 5 s after the return',
  async run(run, stage) {
    const redis = await stage.redis();
    const proxy = await run.proxy(redis);
    const direct = await run.engine(run.options(redis.url, { worker: { heartbeatThread: false } }));
    const options = run.options(proxy.url, { queueDefaults: { concurrency: 4 } });
    const producer = await run.engine(options);
    await run.workers(3, options);
    await run.enqueue(producer, 12, () => ({ ms: run.dice.between(200, OUTAGE_MS + 600) }));
    await allStarted(run, 12);
    await run.lasting(run.dice.between(0, 150));
    run.fault('outage');
    const frozen = run.dice.chance(0.5);
    if (frozen) proxy.freeze();
    else proxy.cut();
    const meanwhile = run.enqueue(producer, 5, { ms: 10 });
    await run.lasting(OUTAGE_MS);
    const back = run.fault('back');
    if (frozen) proxy.thaw();
    proxy.heal();
    await meanwhile;
    await run.untilEmpty(direct);
    const recoveryMs = [steadyMs() - back];
    const verdict = await run.verdict(direct);
    const bounds = new Bounds();
    bounds.judge(verdict, { duplicates: 0, recoveryMs: 5000 }, recoveryMs);
    return bounds.observed(verdict, recoveryMs, { [frozen ? 'frozen' : 'refused']: 1 });
  },
};

/** Tasks that outlive the fault, whatever else it takes. */
const LONG_MS = 7 * LEASE_MS;

const NOTHING_TWICE = 'lost 0; duplicates 0';

/** Redis stands still, and what idle workers asked of it meanwhile is done when it goes on: also to sweep. */
export const outageFrozen: Fault = {
  id: 'G19-frozen',
  title: 'Redis frozen for 2.5 leases (SIGSTOP), half the slots idle',
  runs: 30,
  short: 2,
  bound: NOTHING_TWICE,
  async run(run) {
    const redis = await startRedisServer({ mode: 'test' });
    run.onEnd(() => redis.stop());
    const patient = run.dice.chance(0.5);
    const commandTimeout = patient ? '5s' : '1s';
    const options = run.options(redis.url, { redis: { commandTimeout } });
    const engine = await run.engine(options);
    await busyWorker(run, engine, options);
    await run.workers(1, options, { name: 'idle' });
    // Long enough that the idle one sweeps.
    await run.lasting(run.dice.between(1.5 * LEASE_MS, 2.5 * LEASE_MS));
    run.fault('SIGSTOP Redis');
    process.kill(redis.pid!, 'SIGSTOP');
    await run.lasting(2.5 * LEASE_MS);
    process.kill(redis.pid!, 'SIGCONT');
    run.fault('SIGCONT Redis');
    await run.untilEmpty(engine);
    const verdict = await run.verdict(engine);
    const bounds = new Bounds();
    bounds.judge(verdict, { duplicates: 0 });
    return bounds.observed(verdict, [], { [`commandTimeout ${commandTimeout}`]: 1 });
  },
};

/** A worker begins just as Redis is back: it has seen no outage, and every task looks abandoned. */
export const outageStart: Fault = {
  id: 'G19-start',
  title: 'a worker started at the end of an outage of 2.5 leases',
  runs: 30,
  short: 2,
  bound: NOTHING_TWICE,
  async run(run, stage) {
    const redis = await stage.redis();
    const proxy = await run.proxy(redis);
    const direct = await run.engine(run.options(redis.url));
    const options = run.options(proxy.url);
    await busyWorker(run, direct, options);
    await run.lasting(run.dice.between(50, 300));
    run.fault('outage');
    proxy.cut();
    await run.lasting(2 * LEASE_MS);
    const newcomer = run.actor('worker', options, { name: 'newcomer' });
    await run.lasting(run.dice.between(0.5 * LEASE_MS, LEASE_MS));
    proxy.heal();
    run.fault('back');
    await newcomer.until('ready');
    await run.untilEmpty(direct);
    const verdict = await run.verdict(direct);
    const bounds = new Bounds();
    bounds.judge(verdict, { duplicates: 0 });
    return bounds.observed(verdict);
  },
};

/** A worker with a task in each of its slots. */
async function busyWorker(run: Run, engine: TaskQueue, options: EngineOptions): Promise<void> {
  const slots = 4;
  await run.workers(1, { ...options, queueDefaults: { concurrency: slots } }, { name: 'busy' });
  await run.enqueue(engine, slots, { ms: LONG_MS });
  await allStarted(run, slots);
}

async function allStarted(run: Run, count: number): Promise<void> {
  const started = async (): Promise<boolean> =>
    run.events().filter((event) => event.e === 'start').length === count;
  await waitFor(started, { what: 'all tasks to be started' });
}
