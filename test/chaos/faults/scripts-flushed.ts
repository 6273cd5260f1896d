import { Redis } from 'ioredis';
import { Bounds } from '../bounds.js';
import type { Fault } from '../fault.js';

/** Redis forgets every script, again and again, under load. */
export const scriptsFlushed: Fault = {
  id: 'G18',
  title: '`SCRIPT FLUSH` every 100 ms',
  runs: 30,
  short: 1,
  bound: 'lost 0; duplicates 0; no call fails, no worker complains',
  async run(run, stage) {
    const redis = await stage.redis();
    const admin = new Redis(redis.url);
    run.onEnd(() => admin.disconnect());
    const options = run.options(redis.url);
    const engine = await run.engine(options);
    await run.workers(2, options);
    run.fault('SCRIPT FLUSH');
    const flushing = setInterval(() => void admin.script('FLUSH').catch(() => undefined), 100);
    run.onEnd(() => clearInterval(flushing));
    for (let batch = 0; batch < 20; batch += 1) {
      await run.enqueue(engine, 10, (i) => ({
        ms: run.dice.between(0, 60),
        ...(i % 5 === 0 && { delayMs: run.dice.between(1, 200) }),
        ...(i % 7 === 0 && { fails: 1 }),
      }));
      await run.lasting(100);
    }
    await run.untilEmpty(engine);
    const verdict = await run.verdict(engine);
    const events = run.events();
    const failed = events.filter((event) => event.e === 'refused' || event.e === 'unknown').length;
    const complaints = events.filter((event) => event.e === 'fact' && event.name === 'log').length;
    const bounds = new Bounds();
    bounds.judge(verdict, { duplicates: 0 });
    bounds.hold(failed === 0, `${failed} calls failed`);
    bounds.hold(complaints === 0, `${complaints} complaints`);
    return bounds.observed(verdict);
  },
};
