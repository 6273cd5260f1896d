import { cpus } from 'node:os';
import { type RedisServer, startRedisServer } from '@taskq/testing';
import { Dice } from './dice.js';
import type { Fault, Figure, Observation, Stage } from './fault.js';
import { percentile } from './history/recovery.js';
import { largest } from './report/figures.js';
import { Run } from './run.js';
import type { RemovalFinding } from './report/removals.js';

/** How to run faults. */
export interface LaboratoryOptions {
  readonly program: string;
  readonly seed: number;
  /** Runs at once. */
  readonly parallel: number;
  /** Number of the first run; a single run is replayed by its number. */
  readonly first: number;
  readonly keep: boolean;
  readonly say: (line: string) => void;
}

/** What all runs of a fault come to. */
export interface Row {
  readonly fault: string;
  readonly title: string;
  readonly bound: string;
  readonly runs: number;
  readonly seed: number;
  readonly lost: number;
  readonly duplicates: number;
  readonly duplicateEffects: number;
  readonly recoveryMs: { readonly p50: number; readonly p99: number; readonly max: number };
  readonly counts: Readonly<Record<string, number>>;
  /** The largest of each figure that the runs measured. */
  readonly figures?: readonly Figure[];
  /** Arguments that repeat it, where the usual ones do not. */
  readonly repeat?: string;
  /** What repeats it, where that is no fault of the laboratory. */
  readonly command?: string;
  /** Defences that were taken away, where that was the fault. */
  readonly removals?: readonly RemovalFinding[];
  /** Runs that broke a bound, by number. */
  readonly broken: readonly { readonly run: number; readonly what: readonly string[] }[];
  readonly tookMs: number;
}

/** Runs a fault so many times, several at once, and adds up what was seen. */
export async function investigate(fault: Fault, runs: number, options: LaboratoryOptions): Promise<Row> {
  const from = performance.now();
  const observed = new Map<number, Observation>();
  const parallel = Math.min(fault.parallel ?? options.parallel, runs);
  let next = options.first;
  const last = options.first + runs;
  async function lane(): Promise<void> {
    const stage = new SharedStage();
    try {
      while (next < last) {
        const number = next;
        next += 1;
        observed.set(number, await oneRun(fault, number, stage, options));
        if (observed.size % 50 === 0) options.say(`${fault.id}: ${observed.size} of ${runs} runs`);
      }
    } finally {
      await stage.end();
    }
  }
  await Promise.all(Array.from({ length: parallel }, lane));
  return rowOf(fault, runs, options.seed, observed, performance.now() - from);
}

async function oneRun(
  fault: Fault,
  number: number,
  stage: Stage,
  options: LaboratoryOptions,
): Promise<Observation> {
  const dice = new Dice(options.seed).split(number);
  const name = `${fault.id.toLowerCase()}-${options.seed}-${number}`;
  const { program, say } = options;
  const run = await Run.begin({ name, number, dice, program, say });
  let observation: Observation;
  try {
    observation = await fault.run(run, stage);
  } catch (error) {
    const what = error instanceof Error ? (error.stack ?? error.message) : String(error);
    observation = {
      lost: 0,
      duplicates: 0,
      duplicateEffects: 0,
      recoveryMs: [],
      broken: [`the run failed: ${what}`],
    };
  }
  const keep = options.keep || observation.broken.length > 0;
  await run.end(keep);
  for (const what of observation.broken)
    options.say(`${fault.id} run ${number}: ${what} (history: ${run.folder})`);
  return observation;
}

function rowOf(
  fault: Fault,
  runs: number,
  seed: number,
  observed: ReadonlyMap<number, Observation>,
  tookMs: number,
): Row {
  const all = [...observed.values()];
  const sum = (of: (one: Observation) => number): number => all.reduce((total, one) => total + of(one), 0);
  const recovery = all.flatMap((one) => one.recoveryMs);
  const counts: Record<string, number> = {};
  for (const one of all) {
    for (const [what, count] of Object.entries(one.counts ?? {})) counts[what] = (counts[what] ?? 0) + count;
  }
  const figures = largest(all.flatMap((one) => one.figures ?? []));
  return {
    fault: fault.id,
    title: fault.title,
    bound: fault.bound,
    runs,
    seed,
    lost: sum((one) => one.lost),
    duplicates: sum((one) => one.duplicates),
    duplicateEffects: sum((one) => one.duplicateEffects),
    recoveryMs: {
      p50: Math.round(percentile(recovery, 0.5)),
      p99: Math.round(percentile(recovery, 0.99)),
      max: Math.round(Math.max(0, ...recovery)),
    },
    counts,
    ...(figures.length > 0 && { figures }),
    ...(fault.repeat !== undefined && { repeat: fault.repeat }),
    broken: [...observed]
      .filter(([, one]) => one.broken.length > 0)
      .map(([run, one]) => ({ run, what: one.broken })),
    tookMs: Math.round(tookMs),
  };
}

/** As many runs at once as the machine has cores, and two more: most of a run is waiting. */
export function usualParallel(): number {
  return cpus().length + 2;
}

/** What the runs of one lane share, made when somebody needs it. */
class SharedStage implements Stage {
  private server: Promise<RedisServer> | undefined;
  private readonly closing: (() => unknown)[] = [];

  redis(): Promise<RedisServer> {
    this.server ??= startRedisServer({ mode: 'test' }).then((server) => {
      this.closing.push(() => server.stop());
      return server;
    });
    return this.server;
  }

  onEnd(close: () => unknown): void {
    this.closing.push(close);
  }

  async end(): Promise<void> {
    for (const close of this.closing.splice(0).toReversed()) await close();
  }
}
