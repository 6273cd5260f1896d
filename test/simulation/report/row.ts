import { percentile } from '../../chaos/history/recovery.js';
import type { Row } from '../../chaos/laboratory.js';
import type { Sum } from '../campaign.js';

/** What so many seeds come to, as the laboratory writes down its faults. Times are those of the simulation. */
export function rowOf(sum: Sum, seed: number, tookMs: number): Row {
  const { seeds, steps, tasks, starts, duplicates, excused, recoveryMs, failures } = sum;
  const brokenBy = (law: string): number => failures.filter((failure) => failure.law === law).length;
  return {
    fault: 'G26',
    title: 'A simulation of everything: processes, network, clocks and the store, by a seed',
    bound:
      'every law of test/simulation/laws is kept at every step, and everything comes to its end when faults stop (in memory, with times of the simulation)',
    runs: seeds,
    seed,
    lost: brokenBy('one place') + brokenBy('losses') + brokenBy('progress'),
    duplicates,
    duplicateEffects: brokenBy('starts'),
    recoveryMs: {
      p50: Math.round(percentile(recoveryMs, 0.5)),
      p99: Math.round(percentile(recoveryMs, 0.99)),
      max: Math.round(recoveryMs.reduce((longest, ms) => Math.max(longest, ms), 0)),
    },
    counts: { steps, 'tasks answered': tasks, starts, 'losses that were told of': excused },
    command: `npm run simulate -- --seeds ${seeds} --seed ${seed}`,
    broken: failures.map(({ seed: run, law, what }) => ({ run, what: [`${law}: ${what}`] })),
    tookMs: Math.round(tookMs),
  };
}
