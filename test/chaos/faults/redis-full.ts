import { BrokerError } from '@taskq/core';
import { Redis } from 'ioredis';
import { startRedisServer } from '@taskq/testing';
import { Bounds } from '../bounds.js';
import type { Fault } from '../fault.js';

const ROOM_BYTES = 6 * 1024 * 1024;

/** Redis reaches `maxmemory` under load; workers, started only then, drain it while it is still full. */
export const redisFull: Fault = {
  id: 'G16',
  title: '`maxmemory` reached, then drained by workers alone',
  runs: 30,
  short: 1,
  bound: 'lost 0; duplicates 0; refused calls say OOM; empty while still at maxmemory',
  async run(run) {
    const redis = await startRedisServer({ mode: 'test' });
    run.onEnd(() => redis.stop());
    const admin = new Redis(redis.url);
    run.onEnd(() => admin.disconnect());
    const options = run.options(redis.url);
    const engine = await run.engine(options);
    await run.enqueue(engine, 1); // whatever is made once is made
    const used = Number(/used_memory:(\d+)/.exec(await admin.info('memory'))?.[1]);
    await admin.config('SET', 'maxmemory', String(used + ROOM_BYTES));
    run.fault('maxmemory');
    let refusals = 0;
    const fill = 'x'.repeat(run.dice.between(200, 4000));
    for (let batch = 0; batch < 400 && refusals === 0; batch += 1) {
      const before = refused(run.events()).length;
      await run.enqueue(engine, 100, (i) => ({ ms: 0, fill, ...(i % 50 === 0 && { fails: 1 }) }));
      refusals = refused(run.events()).length - before;
    }
    const reasons = new Set(refused(run.events()));
    await run.workers(2, options);
    await run.untilEmpty(engine, 60_000);
    const stillFull = Number(
      await admin.config('GET', 'maxmemory').then((reply) => Object.values(reply as object).at(-1)),
    );
    const verdict = await run.verdict(engine);
    const bounds = new Bounds();
    bounds.judge(verdict, { duplicates: 0 });
    bounds.hold(refusals > 0, 'memory never ran out');
    bounds.hold([...reasons].join() === `${BrokerError.code} OOM`, `refused with ${[...reasons].join()}`);
    bounds.hold(stillFull > 0, 'maxmemory was lifted');
    return bounds.observed(verdict, [], { 'tasks accepted': verdict.accepted, 'calls refused': refusals });
  },
};

function refused(events: readonly { readonly e: string; readonly reason?: string }[]): string[] {
  return events.flatMap((event) => (event.e === 'refused' ? [event.reason!] : []));
}
