import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { durationMs } from '@taskq/core';
import type { Fault } from './fault.js';
import { faults } from './faults/faults.js';
import { investigate, type Row, usualParallel } from './laboratory.js';
import { load } from './load/load.js';
import { FULL_LOAD, SHORT_LOAD } from './load/plan.js';
import { nemesis } from './nemesis/nemesis.js';
import { record } from './report/document.js';
import { figureText } from './report/figures.js';
import { machine } from './report/machine.js';
import { table } from './report/table.js';

const HELP = `Breaks taskq on purpose and counts what is lost.

  npm run chaos                          every fault, a few runs each
  npm run chaos -- --fault G6            one fault; a comma between several, G10 names its variants, too
  npm run chaos -- --full                as many runs as docs/reliability-results.md shows

  --nemesis 180s random faults for so long
  --runs N       so many runs of each fault
  --seed N       what chance decides by (default 42); the same seed gives the same faults
  --first N      number of the first run (default 0): --first 17 --runs 1 replays run 17
  --parallel N   runs at once (default: cores + 2)
  --json FILE    writes one row per fault
  --record       takes the rows over into docs/reliability-results.md
  --keep         keeps the history of every run, not only of those that broke a bound
  --list         says which faults there are
  --help

Ends with 0 when every bound was kept, 1 when one was broken, 2 when the arguments are wrong.`;

/** The command line of the laboratory. The first argument is the program of actors. */
async function main([program, ...args]: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      fault: { type: 'string' },
      nemesis: { type: 'string' },
      full: { type: 'boolean', default: false },
      runs: { type: 'string' },
      seed: { type: 'string', default: '42' },
      first: { type: 'string', default: '0' },
      parallel: { type: 'string', default: String(usualParallel()) },
      json: { type: 'string' },
      record: { type: 'boolean', default: false },
      keep: { type: 'boolean', default: false },
      list: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    console.log(HELP);
    return 0;
  }
  const chosen = values.nemesis === undefined ? chosenFaults(values) : [nemesis(lengthOf(values.nemesis))];
  if (values.list) {
    for (const fault of chosen) console.log(`${fault.id.padEnd(16)} ${fault.title}; ${fault.bound}`);
    return 0;
  }
  const options = {
    program: program!,
    seed: count('seed', values.seed),
    first: count('first', values.first),
    parallel: Math.max(1, count('parallel', values.parallel)),
    keep: values.keep,
    say: (line: string) => console.error(line),
  };
  const rows: Row[] = [];
  for (const fault of chosen) {
    const runs = values.runs ? count('runs', values.runs) : values.full ? fault.runs : fault.short;
    rows.push(await investigate(fault, runs, options));
    console.log(table([rows.at(-1)!], { head: rows.length === 1 }));
    console.error(countsOf(rows.at(-1)!));
    for (const figure of rows.at(-1)!.figures ?? []) console.error(`  ${figureText(figure)}`);
  }
  if (values.json)
    writeFileSync(values.json, `${JSON.stringify({ machine: await machine(), rows }, null, 2)}\n`);
  if (values.record) record(rows, await machine(), [...faults.map((fault) => fault.id), 'LOAD', 'G25']);
  return rows.some((row) => row.broken.length > 0) ? 1 : 0;
}

/** What else was counted, in one line. */
function countsOf({ fault, counts, tookMs }: Row): string {
  const said = Object.entries(counts).map(([what, times]) => `${what} ${times}`);
  return `${fault} took ${Math.round(tookMs / 1000)} s; ${said.join(', ')}`;
}

function chosenFaults({ fault: wanted, full }: { fault?: string; full: boolean }): readonly Fault[] {
  const all = [...faults, load(full ? FULL_LOAD : SHORT_LOAD), nemesis(full ? 60_000 : 10_000)];
  if (wanted === undefined) return all;
  return wanted.split(',').flatMap((id) => {
    const found = all.filter((fault) => fault.id === id || fault.id.startsWith(`${id}-`));
    if (found.length === 0) throw new UsageError(`there is no fault "${id}"; --list says which there are`);
    return found;
  });
}

function lengthOf(text: string): number {
  const ms = durationMs(text);
  if (ms === undefined || ms < 1000)
    throw new UsageError(`--nemesis must be a duration such as 180s, not "${text}"`);
  return ms;
}

function count(name: string, text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new UsageError(`--${name} must be a whole number, not "${text}"`);
  return Number(text);
}

class UsageError extends Error {}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  const wrong =
    error instanceof UsageError || String((error as { code?: string }).code).startsWith('ERR_PARSE_ARGS');
  console.error(wrong ? (error as Error).message : error);
  process.exitCode = wrong ? 2 : 1;
}
