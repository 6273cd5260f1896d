import type { ContenderName } from '../contenders/contender.js';
import type { FigureName, Figures } from '../measure/figures.js';
import type { ProfileShare } from '../measure/profile-shares.js';
import { median } from '../measure/percentiles.js';

/** What all trials of a case with one contender come to: the median of every figure. */
export interface Row extends Figures {
  readonly case: string;
  readonly contender: ContenderName;
  /** Trials that answered. */
  readonly rounds: number;
  /** Tasks of the windows of all of them. */
  readonly tasks: number;
  /** Least and most of each figure. */
  readonly spread: Readonly<Partial<Record<FigureName, readonly [number, number]>>>;
  /** The figures of each trial, in the order of rounds. */
  readonly samples: readonly Figures[];
  readonly note?: string;
  /** Of one more trial: whose code took the time of its process. */
  readonly profile?: readonly ProfileShare[];
  /** What went wrong in each trial that did not answer. */
  readonly failed?: readonly string[];
}

/** One trial: what it found, or what went wrong. */
export type Outcome =
  { readonly figures: Figures; readonly tasks: number; readonly note?: string } | { readonly error: string };

/** Adds trials of one case and contender up. */
export function rowOf(id: string, contender: ContenderName, outcomes: readonly Outcome[]): Row {
  const answered = outcomes.filter((outcome) => 'figures' in outcome);
  const failed = outcomes.filter((outcome) => 'error' in outcome).map(({ error }) => error);
  const samples = answered.map(({ figures }) => figures);
  const names = [...new Set(samples.flatMap((figures) => Object.keys(figures) as FigureName[]))];
  const valuesOf = (name: FigureName): number[] => samples.flatMap((figures) => figures[name] ?? []);
  const note = answered.find((outcome) => outcome.note !== undefined)?.note;
  return {
    ...{ case: id, contender },
    ...Object.fromEntries(names.map((name) => [name, rounded(median(valuesOf(name)))])),
    rounds: samples.length,
    tasks: answered.reduce((sum, { tasks }) => sum + tasks, 0),
    spread: Object.fromEntries(
      names.map((name) => [
        name,
        [rounded(Math.min(...valuesOf(name))), rounded(Math.max(...valuesOf(name)))],
      ]),
    ),
    samples: samples.map(
      (figures) =>
        Object.fromEntries(Object.entries(figures).map(([name, value]) => [name, rounded(value)])) as Figures,
    ),
    ...(note !== undefined && { note }),
    ...(failed.length > 0 && { failed }),
  };
}

/** Five digits say more than was measured. */
function rounded(value: number): number {
  return Number(value.toPrecision(5));
}

/** Rows to look figures up in. */
export class Rows {
  constructor(readonly all: readonly Row[]) {}

  row(id: string, contender: ContenderName): Row | undefined {
    return this.all.find((row) => row.case === id && row.contender === contender);
  }

  figure(id: string, contender: ContenderName, name: FigureName): number | undefined {
    return this.row(id, contender)?.[name];
  }
}
