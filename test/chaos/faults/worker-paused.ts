import { Bounds } from '../bounds.js';
import type { Fault } from '../fault.js';
import type { Event } from '../history/history.js';
import { recoveryTimes } from '../history/recovery.js';
import { LEASE_MS, RECOVERY_MS } from '../run.js';

const SLOTS = 4;

/** A worker is frozen for longer than its lease and goes on afterwards, as if nothing had been: a zombie. */
export const workerPaused: Fault = {
  id: 'G2',
  title: '`SIGSTOP` for longer than the lease, then `SIGCONT`',
  runs: 100,
  short: 3,
  bound: `lost 0; duplicates ≤ ${SLOTS}; stale changes accepted 0; next start ≤ ${Math.round(RECOVERY_MS)} ms`,
  async run(run, stage) {
    const redis = await stage.redis();
    const options = run.options(redis.url, { queueDefaults: { concurrency: SLOTS } });
    const engine = await run.engine(options);
    const [victim] = await run.workers(1, options, { name: 'victim' });
    // Another worker is up already: what is promised is promised of that. One that starts now rests at first.
    await run.workers(1, options, { name: 'peer' });
    await run.enqueue(engine, 4 * SLOTS, () => ({ ms: run.dice.between(20, 300) }));
    await run.lasting(run.dice.between(5, 250));
    const at = run.fault('SIGSTOP', 'victim');
    victim!.signal('SIGSTOP');
    await run.lasting(LEASE_MS + run.dice.between(500, 1500));
    const awake = run.fault('SIGCONT', 'victim');
    victim!.signal('SIGCONT');
    await run.untilEmpty(engine);
    await run.lasting(300); // for the zombie to say what it has to say
    const verdict = await run.verdict(engine);
    const events = run.events();
    const recoveryMs = recoveryTimes(events, 'victim', at);
    const accepted = staleCompletions(events, awake);
    const bounds = new Bounds();
    bounds.judge(verdict, { duplicates: SLOTS, recoveryMs: RECOVERY_MS }, recoveryMs);
    bounds.hold(accepted.length === 0, `stale changes accepted: ${accepted.join(', ')}`);
    return bounds.observed(verdict, recoveryMs, {
      'stale changes accepted': accepted.length,
      'stale changes refused': events.filter((one) => one.e === 'fact' && one.name === 'task.stale').length,
      'late effects refused': events.filter((one) => one.e === 'effect' && one.answer === 'stale').length,
    });
  },
};

/** Tasks that the zombie completed although another had started them before it woke up. */
function staleCompletions(events: readonly Event[], awake: number): string[] {
  const takenOver = new Set(
    events.flatMap((event) =>
      event.e === 'start' && event.by === 'peer' && event.at < awake ? [event.id] : [],
    ),
  );
  return events.flatMap((event) => {
    const completed = event.e === 'fact' && event.name === 'task.completed' && event.by === 'victim';
    return completed && event.at > awake && takenOver.has(event.id!) ? [event.id!] : [];
  });
}
