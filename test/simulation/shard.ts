import { parentPort, workerData } from 'node:worker_threads';
import { type Counts, Coverage } from './report/coverage.js';
import { type Outcome, simulate } from './simulate.js';

/** Which seeds a thread runs: every so-many-th. */
export interface Order {
  readonly first: number;
  readonly end: number;
  readonly by: number;
  readonly coverage: boolean;
}

/** What some seeds came to. */
export interface Batch {
  readonly outcomes: readonly (Omit<Outcome, 'broken'> & {
    readonly broken: { readonly law: string; readonly what: string } | undefined;
  })[];
  readonly counts: Counts;
}

/** Seeds of which is told together. */
const BATCH = 50;

// What fails on purpose needs no stack, and there is nothing dearer.
Error.stackTraceLimit = 0;

const { first, end, by, coverage } = workerData as Order;
for (let seed = first; seed < end; seed += BATCH * by) parentPort!.postMessage(await batch(seed));

async function batch(from: number): Promise<Batch> {
  const outcomes: Batch['outcomes'][number][] = [];
  const seen = new Coverage();
  for (let seed = from; seed < Math.min(end, from + BATCH * by); seed += by) {
    const { broken, ...outcome } = await simulate(seed, coverage ? { watch: seen.watch } : {});
    outcomes.push({ ...outcome, broken: broken && { law: broken.law, what: broken.what } });
  }
  return { outcomes, counts: seen.counts };
}
