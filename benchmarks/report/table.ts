import type { BenchCase } from '../cases/bench-case.js';
import { CONTENDER_NAMES } from '../contenders/contender.js';
import { type FigureName, FIGURES, figureText } from '../measure/figures.js';
import { ratioOf, ratioText } from './ratios.js';
import type { Row, Rows } from './rows.js';

/** Figures whose ratios are shown. */
const COMPARED: readonly FigureName[] = ['tasksPerSecond', 'cpuMicros', 'p50Ms', 'p99Ms', 'bytesPerTask'];

/** What is less is left out of a profile. */
const LEAST_SHARE = 0.01;

/** The rows of a case as a table for people: ratios first, then figures with the least and most of the rounds. */
export function table({ id, figures, against = 'bullmq' }: BenchCase, rows: Rows): string {
  const present = CONTENDER_NAMES.flatMap((name) => rows.row(id, name) ?? []);
  // Where the usual one was not measured, the first is what others are compared with.
  const base = rows.row(id, against) ?? present[0];
  const shown = figures.filter((name) => present.some((row) => row[name] !== undefined));
  const compared = present.length > 1 && base ? shown.filter((name) => COMPARED.includes(name)) : [];
  const head = [
    'contender',
    ...compared.map((name) => `${FIGURES[name].label}, × ${base?.contender}`),
    ...shown.map((name) => withUnit(name)),
  ];
  const lines = present.map((row) => [
    row.contender,
    ...compared.map((name) => {
      const ratio = row === base ? undefined : ratioOf(row, base, name);
      return ratio ? ratioText(ratio) : row === base ? '1' : '–';
    }),
    ...shown.map((name) => cell(row, name)),
  ]);
  return [head, head.map((_, i) => (i === 0 ? '---' : '--:')), ...lines]
    .map((cells) => `| ${cells.join(' | ')} |`)
    .join('\n');
}

function withUnit(name: FigureName): string {
  const { label, unit } = FIGURES[name];
  return unit === '' || unit.startsWith('/') ? label : `${label}, ${unit}`;
}

function cell(row: Row, name: FigureName): string {
  const [value, spread] = [row[name], row.spread[name]];
  if (value === undefined) return '–';
  const text = figureText(name, value, 'bare');
  const ends = spread?.map((end) => figureText(name, end, 'bare')) ?? [];
  return row.rounds < 2 || ends[0] === ends[1] ? text : `${text} (${ends.join('–')})`;
}

/** Whose code took the time of a contender's process, as a sentence; nothing where no profile was taken. */
export function profileText({ contender, profile = [] }: Row): string | undefined {
  const parts = profile
    .filter(({ share }) => share >= LEAST_SHARE)
    .map(({ whose, share }) => `${whose} ${Math.round(share * 100)} %`);
  return parts.length === 0
    ? undefined
    : `where the time of ${contender}'s process goes, by a profile: ${parts.join(', ')}`;
}
