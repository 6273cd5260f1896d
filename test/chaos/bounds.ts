import type { Figure, Observation } from './fault.js';
import type { Verdict } from './history/verdict.js';
import { figureText } from './report/figures.js';

/** What a run promised. What is left out is not promised. */
export interface Promised {
  /** @default 0 */
  readonly lost?: number;
  readonly duplicates?: number;
  readonly recoveryMs?: number;
}

/** Collects what was promised and not kept. */
export class Bounds {
  readonly broken: string[] = [];
  readonly figures: Figure[] = [];

  /** @param what in words, for whoever reads the report */
  hold(kept: boolean, what: string): void {
    if (!kept) this.broken.push(what);
  }

  /** Keeps a figure for the report, and holds it against its bound if it has one. */
  measure(figure: Figure): void {
    this.figures.push(figure);
    const { bound = Number.POSITIVE_INFINITY, value } = figure;
    this.hold(value <= bound, `${figureText(figure)}, at most ${bound} promised`);
  }

  /** Holds a verdict against what was promised, and against what is promised always. */
  judge(verdict: Verdict, promised: Promised, recoveryMs: readonly number[] = []): void {
    const { lost = 0, duplicates = Number.POSITIVE_INFINITY } = promised;
    this.hold(
      verdict.lost.length <= lost,
      `lost ${verdict.lost.length}: ${verdict.lost.slice(0, 5).join(', ')}`,
    );
    this.hold(verdict.duplicates <= duplicates, `${verdict.duplicates} duplicates, ${duplicates} promised`);
    this.hold(verdict.duplicateEffects === 0, `${verdict.duplicateEffects} effects twice`);
    this.hold(verdict.enqueuedTwice.length === 0, `enqueued twice: ${verdict.enqueuedTwice.join(', ')}`);
    this.hold(verdict.unexpected.length === 0, `unexpected: ${verdict.unexpected.join(', ')}`);
    this.hold(verdict.unfinished === 0, `${verdict.unfinished} tasks are left`);
    const slowest = Math.round(Math.max(0, ...recoveryMs));
    const longest = promised.recoveryMs ?? Number.POSITIVE_INFINITY;
    this.hold(slowest <= longest, `recovered after ${slowest} ms, ${Math.round(longest)} promised`);
  }

  /** What the run showed, as the laboratory adds it up. */
  observed(
    verdict: Verdict,
    recoveryMs: readonly number[] = [],
    counts: Readonly<Record<string, number>> = {},
  ): Observation {
    return {
      lost: verdict.lost.length,
      duplicates: verdict.duplicates,
      duplicateEffects: verdict.duplicateEffects,
      recoveryMs,
      broken: this.broken,
      counts,
      figures: this.figures,
    };
  }
}
