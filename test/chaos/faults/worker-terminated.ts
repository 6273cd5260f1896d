import { CRASH_POINTS } from '../actors/actor-config.js';
import { Bounds } from '../bounds.js';
import type { Fault } from '../fault.js';
import { type Event, steadyMs } from '../history/history.js';

/** The first ten points: the phases of a worker's life. */
const PHASES = CRASH_POINTS.slice(0, 10);

/** How soon a peer starts what was handed back. */
const HAND_OVER_MS = 1000;

/** A worker is told to stop, twice, in each phase of its life; every other run has tasks that outlast its patience. */
export const workerTerminated: Fault = {
  id: 'G5',
  title: '`SIGTERM` in 10 phases, twice each time',
  runs: 200,
  short: 10,
  bound: `lost 0; duplicates 0 when the grace is longer than the task; a peer starts ≤ ${HAND_OVER_MS} ms`,
  async run(run, stage) {
    const redis = await stage.redis();
    const patient = Math.floor(run.number / PHASES.length) % 2 === 0;
    const options = run.options(redis.url, {
      worker: patient ? { drainTimeout: '5s' } : { drainTimeout: '700ms', abortGrace: '100ms' },
    });
    const engine = await run.engine(options);
    const point = PHASES[run.number % PHASES.length]!;
    const early = point === 'before-start' || point === 'before-extend' || point === 'before-fetch';
    const crash = { point, nth: early ? 1 : run.dice.between(1, 3), signal: 'SIGTERM' as const };
    const victim = run.actor('worker', options, { name: 'victim', crash });
    if (point !== 'before-start') await victim.until('ready').catch(() => undefined);
    // The victim has some of them before anybody else is there.
    const ms = patient ? run.dice.between(50, 400) : 1500;
    await run.enqueue(engine, 6, { ms });
    // With room for everything: it is the hand-over that is measured.
    await run.workers(1, { ...options, queueDefaults: { concurrency: 16 } }, { name: 'peer' });
    const peerAt = steadyMs();
    await run.enqueue(engine, 6, { ms: patient ? ms : 50 });
    await Promise.race([victim.until('passed', 2500).catch(() => undefined), victim.ended]);
    const reached = victim.heard('passed').length > 0;
    if (!reached) {
      run.fault('SIGTERM', 'victim');
      victim.signal('SIGTERM');
    }
    await run.lasting(run.dice.between(1, 300));
    run.fault('SIGTERM again', 'victim');
    victim.signal('SIGTERM');
    const exit = await Promise.race([victim.ended, run.lasting(8000).then(() => 'nothing')]);
    await run.untilEmpty(engine);
    const verdict = await run.verdict(engine);
    const recoveryMs = handOvers(run.events(), peerAt);
    const bounds = new Bounds();
    // A signal in the last moment of a process, when it has nothing left to do, ends it by itself.
    const stopped = victim.heard('stopped').length > 0;
    bounds.hold(
      exit === 0 || (exit === 'SIGTERM' && stopped),
      `the victim ended with ${exit}: ${victim.errors}`,
    );
    bounds.judge(verdict, { duplicates: patient ? 0 : 4, recoveryMs: HAND_OVER_MS }, recoveryMs);
    return bounds.observed(verdict, recoveryMs, { [reached ? `told at ${point}` : 'told later']: 1 });
  },
};

/**
 * From the word that a task was handed back to its next start, by whomever. What was handed back before the peer was
 * there counts from then: until then there was nobody who could start it.
 */
function handOvers(events: readonly Event[], peerAt: number): number[] {
  return events.flatMap((event) => {
    if (event.e !== 'fact' || event.name !== 'task.released') return [];
    const next = events.find(
      (one) => one.e === 'start' && one.id === event.id && one.by !== event.by && one.at > event.at - 50,
    );
    return next ? [Math.max(0, next.at - Math.max(event.at, peerAt))] : [];
  });
}
