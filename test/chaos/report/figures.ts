import type { Figure } from '../fault.js';

/** A figure in words: `slowest command 3.1 ms (enqueue)`. */
export function figureText({ name, value, unit, which }: Figure): string {
  return `${name} ${numberText(value)}${unit && ` ${unit}`}${which === undefined ? '' : ` (${which})`}`;
}

/** Of figures with the same name the largest: what several runs come to. In the order in which they first came. */
export function largest(figures: readonly Figure[]): readonly Figure[] {
  const byName = new Map<string, Figure>();
  for (const figure of figures) {
    const known = byName.get(figure.name);
    if (!known || figure.value > known.value) byName.set(figure.name, figure);
  }
  return [...byName.values()];
}

/** Figures as a table for people. */
export function figureTable(figures: readonly Figure[]): string {
  return [
    '| figure | value | at most | which |',
    '| --- | --: | --: | --- |',
    ...figures.map(({ name, value, unit, bound, which = '' }) => {
      const most = bound === undefined ? '' : withUnit(bound, unit);
      return `| ${name} | ${withUnit(value, unit)} | ${most} | ${which} |`;
    }),
  ].join('\n');
}

function withUnit(value: number, unit: string): string {
  return unit === '' ? numberText(value) : `${numberText(value)} ${unit}`;
}

/** Three figures of a small number, all of a large one. */
function numberText(value: number): string {
  return Number.isInteger(value) || value >= 1000
    ? Math.round(value).toLocaleString('en')
    : String(Number(value.toPrecision(3)));
}
