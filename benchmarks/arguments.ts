import { parseArgs } from 'node:util';
import type { BenchCase } from './cases/bench-case.js';
import { CONTENDER_NAMES, type ContenderName } from './contenders/contender.js';

export const HELP = `Measures taskq and others, side by side, on a private Redis.

  npm run bench                            every case (about 12 minutes)
  npm run bench:quick                      three cases, three contenders (a minute)
  npm run bench:gate                       what taskq costs over bare commands, against a bound
  npm run bench -- --case process-100 --contender taskq,bullmq

  --case A,B          these cases; "process" names its variants, too
  --contender A,B     these contenders
  --rounds N          so many trials of each contender in each case
  --tasks N           so many tasks in each window, instead of what fits in its time
  --quick             the short list, with shorter windows
  --gate              ends with 1 when taskq costs too much over the ceiling, twice in a row
  --bound N           with --gate: this bound instead of those in benchmarks/gate.ts
  --json FILE         writes one entry per case and contender
  --record            takes the figures over into benchmarks/results.json and RESULTS.md
  --profile PREFIX    writes a processor profile per trial, PREFIX-case-contender-round.cpuprofile
  --list              says which cases and contenders there are
  --help

Ends with 0, with 1 when a trial failed or the gate is broken, with 2 when the arguments are wrong.`;

/** Arguments that cannot be meant. */
export class UsageError extends Error {}

/** What the command line wants. */
export interface Wishes {
  readonly cases: readonly BenchCase[];
  readonly contenders: readonly ContenderName[];
  readonly rounds: number | undefined;
  readonly tasks: number | undefined;
  readonly quick: boolean;
  readonly gate: boolean;
  readonly bound: number | undefined;
  readonly json: string | undefined;
  readonly record: boolean;
  readonly profile: string | undefined;
  readonly list: boolean;
  readonly help: boolean;
}

const QUICK = {
  cases: ['enqueue-100', 'process-1', 'process-100'],
  contenders: ['taskq', 'bullmq', 'ceiling'],
};

/**
 * Reads the command line.
 * @throws UsageError or an error of `parseArgs`: a line that says what is wrong
 */
export function wishesOf(args: readonly string[], cases: readonly BenchCase[]): Wishes {
  const { values } = parseArgs({
    args: [...args],
    options: {
      case: { type: 'string' },
      contender: { type: 'string' },
      rounds: { type: 'string' },
      tasks: { type: 'string' },
      quick: { type: 'boolean', default: false },
      gate: { type: 'boolean', default: false },
      bound: { type: 'string' },
      json: { type: 'string' },
      record: { type: 'boolean', default: false },
      profile: { type: 'string' },
      list: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  const { gate, quick, record } = values;
  if (gate && (values.case ?? values.contender) !== undefined)
    throw new UsageError('--gate has its own cases and contenders: leave --case and --contender out');
  if (values.bound !== undefined && !gate) throw new UsageError('--bound is of use only beside --gate');
  if (record && (gate || quick || values.tasks !== undefined))
    throw new UsageError('--record is for whole measurements: leave --quick, --gate and --tasks out');
  const short = quick ? QUICK : undefined;
  return {
    cases: chosenCases(values.case?.split(',') ?? short?.cases, cases),
    contenders: chosenContenders(values.contender?.split(',') ?? short?.contenders),
    rounds: countOf('rounds', values.rounds),
    tasks: countOf('tasks', values.tasks),
    bound: boundOf(values.bound),
    ...{
      quick,
      gate,
      record,
      json: values.json,
      profile: values.profile,
      list: values.list,
      help: values.help,
    },
  };
}

/** Cases by name; the first part of a name, up to a dash, names all that begin with it. */
function chosenCases(wanted: readonly string[] | undefined, all: readonly BenchCase[]): readonly BenchCase[] {
  if (wanted === undefined) return all;
  const found = wanted.flatMap((name) => {
    const exact = all.filter(({ id }) => id === name);
    const named = exact.length > 0 ? exact : all.filter(({ id }) => id.startsWith(`${name}-`));
    if (named.length === 0) throw new UsageError(`there is no case "${name}"; --list says which there are`);
    return named;
  });
  return all.filter((one) => found.includes(one));
}

function chosenContenders(wanted: readonly string[] | undefined): readonly ContenderName[] {
  if (wanted === undefined) return CONTENDER_NAMES;
  for (const name of wanted) {
    if (!CONTENDER_NAMES.some((known) => known === name))
      throw new UsageError(`there is no contender "${name}"; there are ${CONTENDER_NAMES.join(', ')}`);
  }
  return CONTENDER_NAMES.filter((name) => wanted.includes(name));
}

function countOf(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (!/^[1-9]\d{0,8}$/.test(text))
    throw new UsageError(`--${name} must be a whole number from 1, not "${text}"`);
  return Number(text);
}

function boundOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const bound = Number(text);
  if (text === '' || !(bound >= 0)) throw new UsageError(`--bound must be a number from 0, not "${text}"`);
  return bound;
}
