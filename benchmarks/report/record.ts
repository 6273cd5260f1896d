import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import { join } from 'node:path';
import type { BenchCase } from '../cases/bench-case.js';
import { type BenchRecord, documentOf } from './document.js';
import type { Machine } from './machine.js';
import { pictures } from './plots.js';
import { type Row, Rows } from './rows.js';

const FOLDER = 'benchmarks';

/**
 * Takes rows over into the record, each in the place of the last one of its case and contender, and writes document
 * and plots anew. Rows of another machine or other versions are let go: figures of two machines say nothing together.
 */
export function record(rows: readonly Row[], machine: Machine, cases: readonly BenchCase[]): void {
  const file = join(FOLDER, 'results.json');
  const known = existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as BenchRecord) : undefined;
  const merged = mergedRecord(known, { machine, cases: rows }, cases);
  writeFileSync(file, `${JSON.stringify(merged, null, 2)}\n`);
  const all = new Rows(merged.cases);
  const drawn = pictures(all, cases);
  mkdirSync(join(FOLDER, 'plots'), { recursive: true });
  for (const { file: name, svg } of drawn) writeFileSync(join(FOLDER, 'plots', name), svg);
  writeFileSync(join(FOLDER, 'RESULTS.md'), documentOf(merged, { rows: all, cases, pictures: drawn }));
}

/** The newer rows in the places of the older ones, in the order of cases. */
export function mergedRecord(
  known: BenchRecord | undefined,
  { machine, cases: newer }: BenchRecord,
  cases: readonly BenchCase[],
): BenchRecord {
  const older = known && isDeepStrictEqual(known.machine, machine) ? known.cases : [];
  const kept = older.filter(
    (row) => !newer.some((one) => one.case === row.case && one.contender === row.contender),
  );
  return {
    machine,
    cases: cases.flatMap(({ id }) => [...kept, ...newer].filter((row) => row.case === id)),
  };
}
