import { Bounds } from '../bounds.js';
import type { Fault } from '../fault.js';
import { steadyMs } from '../history/history.js';
import { LEASE_MS } from '../run.js';

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
    await run.lasting(run.dice.between(50, 300));
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
