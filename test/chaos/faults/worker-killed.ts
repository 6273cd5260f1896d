import { CRASH_POINTS } from '../actors/actor-config.js';
import { Bounds } from '../bounds.js';
import type { Fault } from '../fault.js';
import { recoveryTimes } from '../history/recovery.js';
import { RECOVERY_MS, type Run } from '../run.js';

const SLOTS = 4;

/** A worker dies at a named point, mid-way between itself and Redis; another lives on. */
export const workerKilled: Fault = {
  id: 'G1',
  title: 'worker `kill -9` at 12 named points',
  runs: 600,
  short: 12,
  bound: `lost 0; duplicates ≤ ${SLOTS} in flight; next start ≤ ${Math.round(RECOVERY_MS)} ms`,
  async run(run, stage) {
    const redis = await stage.redis();
    const options = run.options(redis.url, { queueDefaults: { concurrency: SLOTS } });
    const engine = await run.engine(options);
    const point = CRASH_POINTS[run.number % CRASH_POINTS.length]!;
    const once = point === 'before-start' || point === 'before-extend' || point.startsWith('after-re');
    const crash = { point, nth: once ? 1 : run.dice.between(1, 3) };
    const victim = run.actor('worker', options, { name: 'victim', crash });
    if (point !== 'before-start') await victim.until('ready').catch(() => undefined);
    if (point === 'after-reclaim') await leaveTasksBehind(run, options, engine);
    await run.workers(1, options, { name: 'peer' });
    // Long enough to see a heartbeat, and few enough to leave slots free for what is to be recovered.
    const [count, longest] = point === 'before-extend' ? [6, 900] : [24, 120];
    await run.enqueue(engine, count, (i) => ({
      ms: run.dice.between(longest / 2, longest),
      ...(i % 3 === 0 && { delayMs: run.dice.between(1, 300) }),
    }));
    await Promise.race([victim.ended, run.lasting(2500)]);
    const reached = !victim.running;
    if (!reached) {
      run.fault('kill -9', 'victim');
      victim.signal('SIGKILL');
      await victim.ended;
    }
    await run.untilEmpty(engine);
    const verdict = await run.verdict(engine);
    const recoveryMs = recoveryTimes(run.events(), 'victim', victim.endedAt!);
    const bounds = new Bounds();
    const deaths = point === 'after-reclaim' ? 2 : 1;
    bounds.judge(verdict, { duplicates: deaths * SLOTS, recoveryMs: RECOVERY_MS }, recoveryMs);
    return bounds.observed(verdict, recoveryMs, { [reached ? `died at ${point}` : 'died later']: 1 });
  },
};

/** Leaves tasks behind whose worker is dead, so that there is something to reclaim. */
async function leaveTasksBehind(
  run: Run,
  options: Parameters<Run['actor']>[1],
  engine: Parameters<Run['enqueue']>[0],
): Promise<void> {
  const first = run.actor('worker', options, {
    name: 'first',
    crash: { point: 'handler-start', nth: SLOTS },
  });
  await first.until('ready').catch(() => undefined);
  await run.enqueue(engine, 8, { ms: 100 });
  await Promise.race([first.ended, run.lasting(2500)]);
  first.signal('SIGKILL');
}
