import { Bounds } from '../bounds.js';
import type { Fault } from '../fault.js';
import type { Event } from '../history/history.js';

const HOUR_MS = 3_600_000;
const DUE_ERROR_MS = 1000;

/** The wall clocks of producers and workers are an hour off, some ahead, some behind. */
export const clocksShifted: Fault = {
  id: 'G20',
  title: 'clocks of processes off by ±1 h',
  runs: 30,
  short: 2,
  bound: `lost 0; duplicates 0; due error ≤ ${DUE_ERROR_MS} ms, never early`,
  async run(run, stage) {
    const redis = await stage.redis();
    const options = run.options(redis.url);
    const engine = await run.engine(options);
    const shift = (): number => run.dice.pick([-HOUR_MS, HOUR_MS]);
    await run.workers(1, options, { clockShiftMs: HOUR_MS });
    await run.workers(1, options, { clockShiftMs: -HOUR_MS });
    const delayMs = run.dice.between(200, 1500);
    const producers = [0, 1].map((i) =>
      run.actor('producer', options, {
        clockShiftMs: shift(),
        load: { keys: `p${i}`, count: 20, callers: 2, pauseMs: 20, work: { ms: 5, delayMs, fails: i } },
      }),
    );
    await Promise.all(producers.map((producer) => producer.until('produced')));
    await run.untilEmpty(engine);
    const verdict = await run.verdict(engine);
    const errors = dueErrors(run.events(), delayMs);
    const bounds = new Bounds();
    bounds.judge(verdict, { duplicates: 0, recoveryMs: DUE_ERROR_MS }, errors);
    bounds.hold(verdict.accepted === 40, `${verdict.accepted} of 40 accepted`);
    bounds.hold(Math.min(...errors) >= -5, `started ${-Math.min(...errors)} ms early`);
    return bounds.observed(verdict, errors);
  },
};

/** How late each task started for the first time, against its delay from the moment the call was answered. */
function dueErrors(events: readonly Event[], delayMs: number): number[] {
  const accepted = new Map<string, number>();
  const errors: number[] = [];
  for (const event of events) {
    if (event.e === 'accepted') accepted.set(event.key, event.at - event.tookMs);
    if (event.e === 'start' && event.attempt === 1)
      errors.push(event.at - accepted.get(event.key)! - delayMs);
  }
  return errors;
}
