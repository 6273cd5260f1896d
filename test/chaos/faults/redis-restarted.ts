import { startRedisServer, waitFor } from '@taskq/testing';
import { Bounds } from '../bounds.js';
import type { Fault, Observation } from '../fault.js';
import { steadyMs } from '../history/history.js';
import { Crew, IN_FLIGHT } from '../redis/crew.js';
import { AT_WORK_MS, backAtWork, holdNotRefused, toldOfLosses } from '../redis/findings.js';
import type { Run } from '../run.js';

const BOUND = `lost 0; duplicates ≤ ${IN_FLIGHT} in flight; at work again ≤ load time + ${AT_WORK_MS} ms`;

/** Redis is told to end, and is back with its data after a while. */
export const redisRestarted: Fault = {
  id: 'G10',
  title: 'Redis restarted, `appendfsync always`, 0.1–3 s down',
  runs: 50,
  short: 1,
  bound: BOUND,
  run: (run) => restarted(run, 'accepted'),
};

export const redisRestartedDurable: Fault = {
  id: 'G10-durable',
  title: 'the same, each task enqueued as `durable`',
  runs: 50,
  short: 1,
  bound: BOUND,
  run: (run) => restarted(run, 'durable'),
};

async function restarted(run: Run, durability: 'accepted' | 'durable'): Promise<Observation> {
  const { dice } = run;
  const args = ['--appendonly', 'yes', '--appendfsync', 'always'];
  const redis = await startRedisServer({ mode: 'test', args });
  run.onEnd(() => redis.stop());
  // Nothing may be lost: so nothing is offered again that could hide a loss.
  const crew = await Crew.assemble(run, {
    options: run.options(redis.url, { producer: { reofferWindow: 0 } }),
    durability,
  });
  await run.lasting(dice.between(400, 900));
  run.fault('SIGTERM Redis');
  process.kill(redis.pid!, 'SIGTERM');
  await waitFor(() => redis.pid === undefined, { what: 'Redis to end' });
  await run.lasting(dice.between(100, 3000));
  const booting = steadyMs();
  await redis.restart();
  const answered = run.fault('Redis answers');
  await run.lasting(dice.between(800, 1300));
  const bounds = new Bounds();
  const verdict = await crew.finish(bounds);
  const events = run.events();
  const { completed, accepted } = backAtWork(events, answered);
  const recoveryMs = [completed];
  bounds.judge(verdict, { duplicates: IN_FLIGHT, recoveryMs: AT_WORK_MS }, recoveryMs);
  bounds.hold(accepted <= AT_WORK_MS, `the next call was answered after ${Math.round(accepted)} ms`);
  holdNotRefused(bounds, events);
  const told = toldOfLosses(events, 0).length;
  bounds.hold(told === 0, `${told} losses were told of, and there was none`);
  return bounds.observed(verdict, recoveryMs, {
    'tasks accepted': verdict.accepted,
    'ms to load': Math.round(answered - booting),
  });
}
