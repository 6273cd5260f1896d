import type { EngineOptions } from '@taskq/core';
import { Bounds } from '../bounds.js';
import type { Fault } from '../fault.js';
import { RECOVERY_MS } from '../run.js';

const COMMAND_TIMEOUT_MS = 500;
const ENDS = ['reset', 'close', 'hang'] as const;

/** Redis applies an enqueue, and its answer never arrives; meanwhile a worker may have run the task already. */
export const enqueueReplyLost: Fault = {
  id: 'G6',
  title: 'reply lost after enqueue',
  runs: 1000,
  short: 12,
  bound: `lost 0; duplicates 0, enqueued twice 0; answered ≤ ${2 * COMMAND_TIMEOUT_MS} ms (two command timeouts)`,
  async run(run, stage) {
    const redis = await stage.redis();
    const proxy = await run.proxy(redis);
    const direct = await run.engine(run.options(redis.url, quiet()));
    const engine = await run.engine(run.options(proxy.url, quiet()));
    await run.localWorker(direct);
    await run.enqueue(engine, 1); // the script is known from here on
    const count = run.dice.between(1, 30);
    const lose = proxy.dropReply({
      match: { script: 'enqueue' },
      nth: run.dice.between(1, 2),
      end: run.dice.pick(ENDS),
    });
    run.fault('reply of enqueue lost');
    await run.enqueue(engine, count, {}, { insist: false });
    await run.enqueue(engine, count, { ms: 5 }, { insist: false });
    await run.untilEmpty(direct);
    const verdict = await run.verdict(direct);
    const events = run.events();
    const answered = events.flatMap((event) => (event.e === 'accepted' ? [event.tookMs] : []));
    const unknown = events.filter((event) => event.e === 'unknown' || event.e === 'refused');
    const bounds = new Bounds();
    bounds.judge(verdict, { duplicates: 0, recoveryMs: 2 * COMMAND_TIMEOUT_MS }, answered);
    bounds.hold(lose.count > 0, 'no reply was lost');
    bounds.hold(unknown.length === 0, `${unknown.length} calls were not answered`);
    return bounds.observed(verdict, answered, { 'replies lost': lose.count });
  },
};

/** Redis hands entries out, and the answer never arrives: they are ours, and we do not know of them. */
export const readReplyLost: Fault = {
  id: 'G7',
  title: 'reply lost on read',
  runs: 200,
  short: 4,
  bound: `lost 0; duplicates 0; started ≤ ${Math.round(RECOVERY_MS)} ms`,
  async run(run, stage) {
    const redis = await stage.redis();
    const proxy = await run.proxy(redis);
    const direct = await run.engine(run.options(redis.url, quiet()));
    const engine = await run.engine(run.options(proxy.url, quiet()));
    await run.localWorker(engine);
    await run.enqueue(direct, 3);
    await run.untilEmpty(direct);
    const blocking = run.dice.chance(0.5);
    const lose = proxy.dropReply({
      match: blocking ? { link: 'taskq:blocking', command: 'XREADGROUP' } : { script: 'settle' },
      // Only answers that hold entries: losing an empty one harms nobody.
      reply: (reply) => reply.includes('s-'),
      end: run.dice.pick(['reset', 'close'] as const),
    });
    const at = run.fault('reply of a read lost');
    await run.enqueue(direct, run.dice.between(5, 20), { ms: 2 });
    await lose.happened.catch(() => undefined);
    await run.untilEmpty(direct);
    const verdict = await run.verdict(direct);
    const starts = run
      .events()
      .flatMap((event) => (event.e === 'start' && event.at > at ? [event.at - at] : []));
    const slowest = [Math.max(0, ...starts)];
    const bounds = new Bounds();
    bounds.judge(verdict, { duplicates: 0, recoveryMs: RECOVERY_MS }, slowest);
    bounds.hold(lose.count === 1, 'no reply was lost');
    return bounds.observed(verdict, slowest, { [blocking ? 'blocking read' : 'settle']: 1 });
  },
};

function quiet(): EngineOptions {
  return { redis: { commandTimeout: COMMAND_TIMEOUT_MS }, worker: { heartbeatThread: false } };
}
