import type { FigureName } from '../measure/figures.js';
import type { Row } from './rows.js';

/** A figure of one contender over that of another. */
export interface Ratio {
  /** Median over median. */
  readonly value: number;
  /** Least and most of the rounds: the two ran close together in each. */
  readonly least: number;
  readonly most: number;
}

/** `undefined` when either was not measured, or there is nothing to divide by. */
export function ratioOf(row: Row | undefined, base: Row | undefined, name: FigureName): Ratio | undefined {
  const [value, unit] = [row?.[name], base?.[name]];
  if (!row || !base || value === undefined || unit === undefined || unit === 0) return undefined;
  const byRound = row.samples.flatMap((figures, round) => {
    const [mine, other] = [figures[name], base.samples[round]?.[name]];
    return mine === undefined || !other ? [] : [mine / other];
  });
  const all = byRound.length > 0 ? byRound : [value / unit];
  return { value: value / unit, least: Math.min(...all), most: Math.max(...all) };
}

/** `3.12 ×`, with the rounds behind it where they differ. */
export function ratioText({ value, least, most }: Ratio): string {
  const spread = short(least) === short(most) ? '' : ` (${short(least)}–${short(most)})`;
  return `${short(value)} ×${spread}`;
}

function short(value: number): string {
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);
}
