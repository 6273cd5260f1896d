import { Bounds } from '../bounds.js';
import type { Fault } from '../fault.js';
import { LEASE_MS } from '../run.js';

/** A task holds its worker's event loop up for ten leases: nothing in that process runs but the lease thread. */
export const loopBlocked: Fault = {
  id: 'G3',
  title: 'event loop blocked for ten leases',
  runs: 50,
  short: 2,
  bound: 'lost 0; duplicates 0',
  async run(run, stage) {
    const redis = await stage.redis();
    const options = run.options(redis.url);
    const engine = await run.engine(options);
    const [busy] = await run.workers(1, options, { name: 'busy' });
    await run.enqueue(engine, 3, { ms: run.dice.between(50, 400) });
    run.fault('block', 'busy');
    await run.enqueue(engine, 1, { blockMs: 10 * LEASE_MS });
    await run.lasting(run.dice.between(20, 200));
    await run.workers(1, options, { name: 'idle' });
    await run.enqueue(engine, 4, { ms: 20 });
    await run.untilEmpty(engine, 10 * LEASE_MS + 8000);
    const verdict = await run.verdict(engine);
    const bounds = new Bounds();
    bounds.hold(busy!.running, `the blocked worker died: ${busy!.errors}`);
    bounds.judge(verdict, { duplicates: 0 });
    return bounds.observed(verdict);
  },
};
