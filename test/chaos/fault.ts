import type { RedisServer } from '@taskq/testing';
import type { Run } from './run.js';

/** A quantity that a run measured. */
export interface Figure {
  readonly name: string;
  readonly value: number;
  /** `ms`, `×`, `MiB`; nothing for a plain count. */
  readonly unit: string;
  /** What it was that took so long, or was so large. */
  readonly which?: string;
  /** What it must not exceed, where that is promised. */
  readonly bound?: number;
}

/** What one run of a fault showed. Times are milliseconds. */
export interface Observation {
  readonly lost: number;
  readonly duplicates: number;
  readonly duplicateEffects: number;
  /** Times from the fault to whatever the goal calls recovery; none where it has no such bound. */
  readonly recoveryMs: readonly number[];
  /** What broke a bound, in one sentence each. Empty: the run kept them all. */
  readonly broken: readonly string[];
  /** Counts that are worth a line in the report, such as how many changes by stale workers were refused. */
  readonly counts?: Readonly<Record<string, number>>;
  /** Quantities; of several runs the report shows the largest of each name. */
  readonly figures?: readonly Figure[];
}

/** What a group of runs of one fault shares: things that are dear to start and that the fault does not hurt. */
export interface Stage {
  /** A private Redis for runs that do not break it. */
  redis(): Promise<RedisServer>;
  onEnd(close: () => unknown): void;
}

/** A fault, how it is injected, and what must hold. */
export interface Fault {
  /** `G1`; with a letter for a variant: `G10-durable`. */
  readonly id: string;
  readonly title: string;
  /** Runs that the goal asks for, and those of the short lane. */
  readonly runs: number;
  readonly short: number;
  /** What is promised, in words, for the report. */
  readonly bound: string;
  /** Runs at once; fewer where a run needs the machine for itself. */
  readonly parallel?: number;
  /** Arguments that repeat it, where those of every fault do not say enough. */
  readonly repeat?: string;
  run(run: Run, stage: Stage): Promise<Observation>;
}
