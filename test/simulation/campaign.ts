import { Worker } from 'node:worker_threads';
import { addUp, type Counts } from './report/coverage.js';
import type { Batch, Order } from './shard.js';

/** How to run many seeds. */
export interface CampaignOptions {
  /** The program of a shard, bundled. */
  readonly program: string;
  readonly first: number;
  readonly seeds: number;
  readonly parallel: number;
  readonly coverage: boolean;
  readonly said: (sum: Sum) => void;
}

/** A seed that broke a law. */
export interface Failure {
  readonly seed: number;
  readonly law: string;
  readonly what: string;
}

/** What all seeds so far come to. */
export interface Sum {
  seeds: number;
  steps: number;
  tasks: number;
  starts: number;
  /** Starts beyond the first of an attempt. */
  duplicates: number;
  excused: number;
  readonly recoveryMs: number[];
  readonly failures: Failure[];
  readonly counts: Counts;
}

/** Runs so many seeds, in as many threads as asked for. The same seeds come to the same, in however many. */
export async function campaign(options: CampaignOptions): Promise<Sum> {
  const sum: Sum = {
    seeds: 0,
    steps: 0,
    tasks: 0,
    starts: 0,
    duplicates: 0,
    excused: 0,
    recoveryMs: [],
    failures: [],
    counts: {},
  };
  const { program, first, seeds, coverage, said } = options;
  const parallel = Math.min(options.parallel, seeds);
  const shards = Array.from({ length: parallel }, (_, i) => ({
    first: first + i,
    seeds,
    by: parallel,
    coverage,
  }));
  await Promise.all(
    shards.map((order) =>
      shard(program, { ...order, end: first + seeds }, (batch) => {
        add(sum, batch);
        said(sum);
      }),
    ),
  );
  sum.failures.sort((a, b) => a.seed - b.seed);
  return sum;
}

function shard(program: string, order: Order, took: (batch: Batch) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(program, { workerData: order });
    worker.on('message', took);
    worker.on('error', reject);
    worker.on('exit', (code) => (code === 0 ? resolve() : reject(new Error(`a shard ended with ${code}`))));
  });
}

function add(sum: Sum, { outcomes, counts }: Batch): void {
  for (const { seed, broken, steps, tasks, starts, duplicates, excused, recoveryMs } of outcomes) {
    sum.seeds += 1;
    sum.steps += steps;
    sum.tasks += tasks;
    sum.starts += starts;
    sum.duplicates += duplicates;
    sum.excused += excused;
    sum.recoveryMs.push(recoveryMs);
    if (broken) sum.failures.push({ seed, ...broken });
  }
  addUp(sum.counts, counts);
}
