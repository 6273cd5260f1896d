import type { TaskQueue, TaskWorker } from '@taskq/core';
import { Bounds } from '../bounds.js';
import type { Fault } from '../fault.js';
import { steadyMs } from '../history/history.js';

const LINKS = ['taskq:blocking', 'taskq:commands', 'taskq:maintenance'] as const;
const RECOVERY_MS = 8000;
const RED_MS = 6000;
const SLOTS = 4;

/** The other end of a connection is gone without a word: bytes vanish, the socket stays open, new ones work. */
export const halfOpen: Fault = {
  id: 'G8',
  title: 'half-open connections',
  runs: 200,
  short: 4,
  bound: `lost 0; duplicates ≤ ${SLOTS} in flight; works again ≤ ${RECOVERY_MS} ms, or health is red ≤ ${RED_MS} ms`,
  parallel: 8,
  async run(run, stage) {
    const redis = await stage.redis();
    const proxy = await run.proxy(redis);
    const direct = await run.engine(run.options(redis.url, { worker: { heartbeatThread: false } }));
    // Timeouts as they are by default: the bound is theirs.
    const engine = await run.engine(
      run.options(
        { url: proxy.url, commandTimeout: '5s' },
        { queueDefaults: { concurrency: SLOTS }, worker: { heartbeatThread: false } },
      ),
    );
    const worker = await run.localWorker(engine);
    await run.enqueue(engine, 4);
    await run.untilEmpty(direct);
    const busy = run.dice.chance(0.5);
    if (busy) await run.enqueue(direct, 2, { ms: run.dice.between(100, 600) });
    const chosen = run.dice.pick([...LINKS.map((link) => [link]), [...LINKS]]);
    const direction = run.dice.pick(['both', 'toClient', 'toServer'] as const);
    const holes = chosen.map((link) => proxy.blackHole({ link, direction, openOnly: true }));
    const at = run.fault(`half open: ${chosen.join(' ')} ${direction}`);
    const red = firstRed(engine, worker, at + RECOVERY_MS);
    await Promise.all([
      run.enqueue(direct, 4, { ms: 5 }), // for whoever reads
      run.enqueue(engine, 4, { ms: 5 }), // by whoever commands
    ]);
    await run.untilEmpty(direct, 12_000);
    const recoveredMs = steadyMs() - at;
    const redMs = await red;
    const verdict = await run.verdict(direct);
    const bounds = new Bounds();
    bounds.judge(verdict, { duplicates: SLOTS, recoveryMs: RECOVERY_MS }, [recoveredMs]);
    bounds.hold(
      holes.every((hole) => hole.links > 0),
      'a link was not open',
    );
    const soonEnough = recoveredMs <= RED_MS || redMs <= RED_MS;
    bounds.hold(soonEnough, `health was red after ${redMs} ms`);
    return bounds.observed(verdict, [recoveredMs], { [`${chosen.length > 1 ? 'all' : chosen[0]}`]: 1 });
  },
};

/** When health turned red, by the rules of the health indicator; infinite if it did not before `until`. */
async function firstRed(engine: TaskQueue, worker: TaskWorker, until: number): Promise<number> {
  const from = steadyMs();
  while (steadyMs() < until) {
    const answered = await Promise.race([
      engine.broker.ping().then(
        () => true,
        () => false,
      ),
      new Promise<boolean>((resolve) => setTimeout(resolve, 2000, false)),
    ]);
    if (!answered || worker.status().lastProgressMs > 3 * 2000) return steadyMs() - from;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return Number.POSITIVE_INFINITY;
}
