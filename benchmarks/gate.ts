import type { Row } from './report/rows.js';
import { Rows } from './report/rows.js';

/**
 * What taskq may cost over the bare commands: processor time per task of Node and Redis, as a multiple of what the
 * ceiling costs in the same run. The only place for these numbers.
 */
export const GATE_BOUNDS: readonly GateBound[] = [
  { case: 'enqueue-100', atMost: 1.4 },
  { case: 'process-100', atMost: 2 },
];

/** Trials of each side. */
export const GATE_ROUNDS = 2;

export interface GateBound {
  readonly case: string;
  readonly atMost: number;
}

/** How one bound was kept. */
export interface GateFinding extends GateBound {
  /** `undefined` when a side was not measured; then the bound is not kept. */
  readonly ratio: number | undefined;
  readonly kept: boolean;
}

/** Holds rows against bounds. */
export function judge(rows: readonly Row[], bounds: readonly GateBound[]): readonly GateFinding[] {
  const all = new Rows(rows);
  return bounds.map((bound) => {
    const [mine, least] = [
      all.figure(bound.case, 'taskq', 'cpuMicros'),
      all.figure(bound.case, 'ceiling', 'cpuMicros'),
    ];
    const ratio = mine === undefined || !least ? undefined : mine / least;
    return { ...bound, ratio, kept: ratio !== undefined && ratio <= bound.atMost };
  });
}

/** A finding in one line. */
export function gateText({ case: id, atMost, ratio, kept }: GateFinding): string {
  const cost = ratio === undefined ? 'was not measured' : `costs ${ratio.toFixed(2)} × the ceiling`;
  return `${kept ? 'kept  ' : 'BROKEN'} ${id} ${cost}, at most ${atMost} × allowed`;
}
