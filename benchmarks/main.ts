import { writeFileSync } from 'node:fs';
import { HELP, UsageError, type Wishes, wishesOf } from './arguments.js';
import type { BenchCase } from './cases/bench-case.js';
import { cases } from './cases/cases.js';
import type { ContenderName } from './contenders/contender.js';
import { contenderNamed, contenders } from './contenders/contenders.js';
import { installForeign } from './contenders/install.js';
import { GATE_BOUNDS, GATE_ROUNDS, gateText, judge } from './gate.js';
import { machine } from './report/machine.js';
import { record } from './report/record.js';
import { goals } from './goals.js';
import { type Row, Rows } from './report/rows.js';
import { goalTable } from './report/document.js';
import { profileText, table } from './report/table.js';
import { type BenchOptions, runCase } from './run/bench.js';
import { Servers } from './run/servers.js';

/** Windows of the short list and of the gate, beside those of a whole run. */
const SHORT = 0.6;
/** Trials of each contender in the short list. */
const SHORT_ROUNDS = 2;

/** The command line of the benchmark. The first argument is the program of trials. */
async function main([program, ...args]: readonly string[]): Promise<number> {
  const wishes = wishesOf(args, cases);
  if (wishes.help) console.log(HELP);
  else if (wishes.list) list();
  else return measure(program!, wishes);
  return 0;
}

function list(): void {
  for (const { id, title, contenders: names } of cases)
    console.log(`${id.padEnd(18)} ${title}: ${names.join(', ')}`);
  console.log();
  for (const { name, settings } of contenders) console.log(`${name.padEnd(18)} ${settings}`);
}

async function measure(program: string, wishes: Wishes): Promise<number> {
  const servers = new Servers();
  const { quick, gate, tasks, profile } = wishes;
  const rounds = wishes.rounds ?? (gate ? GATE_ROUNDS : quick ? SHORT_ROUNDS : undefined);
  const options: BenchOptions = {
    ...{ program, servers, rounds, tasks, profile },
    seconds: quick || gate ? SHORT : 1,
    profiles: !quick && !gate && profile === undefined,
    say: (line) => console.error(line),
  };
  try {
    const { rows, kept } = gate ? await holdGate(wishes, options) : await compare(wishes, options);
    const facts = machine(await servers.version());
    if (wishes.json)
      writeFileSync(wishes.json, `${JSON.stringify({ machine: facts, cases: rows }, null, 2)}\n`);
    if (wishes.record) record(rows, facts, cases);
    const failed = rows.filter((row) => row.failed);
    for (const row of failed) console.log(`FAILED ${row.case} ${row.contender}: ${row.failed!.join('; ')}`);
    return kept && failed.length === 0 ? 0 : 1;
  } finally {
    await servers.stop();
  }
}

interface Measured {
  readonly rows: readonly Row[];
  /** Whether every bound was kept. */
  readonly kept: boolean;
}

async function compare(wishes: Wishes, options: BenchOptions): Promise<Measured> {
  const plan = wishes.cases
    .map((asked) => ({ asked, who: asked.contenders.filter((name) => wishes.contenders.includes(name)) }))
    .filter(({ who }) => who.length > 0);
  if (plan.length === 0)
    throw new UsageError('none of these contenders is in these cases; --list says who is');
  if (plan.some(({ who }) => who.some((name) => contenderNamed(name).foreign))) installForeign(options.say);
  const rows: Row[] = [];
  for (const { asked, who } of plan) rows.push(...(await show(asked, who, options)));
  const measured = goals.filter((goal) => goal.reached(new Rows(rows)) !== undefined);
  if (measured.length > 0) console.log(`\n${goalTable(measured, new Rows(rows))}`);
  return { rows, kept: true };
}

/** Runs a case and prints its table. */
async function show(
  asked: BenchCase,
  who: readonly ContenderName[],
  options: BenchOptions,
): Promise<readonly Row[]> {
  const rows = await runCase(asked, who, options);
  console.log(`\n${asked.id}: ${asked.title}\n\n${table(asked, new Rows(rows))}`);
  for (const row of rows) {
    if (row.note) console.log(`${row.contender}: ${row.note}`);
    const profile = profileText(row);
    if (profile !== undefined) console.log(profile);
  }
  return rows;
}

/** Measures what the gate is about; once more when a bound is broken, since a busy machine breaks any. */
async function holdGate({ bound }: Wishes, options: BenchOptions): Promise<Measured> {
  const bounds = GATE_BOUNDS.map((one) => ({ ...one, atMost: bound ?? one.atMost }));
  for (let attempt = 1; ; attempt += 1) {
    const rows: Row[] = [];
    for (const { case: id } of bounds)
      rows.push(
        ...(await show(
          cases.find((one) => one.id === id)!,
          ['taskq', 'ceiling'],
          options,
        )),
      );
    const findings = judge(rows, bounds);
    console.log(`\n${findings.map(gateText).join('\n')}`);
    const kept = findings.every((finding) => finding.kept);
    if (kept || attempt === 2) return { rows, kept };
    console.error('a bound is broken: measuring once more');
  }
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  const wrong =
    error instanceof UsageError || String((error as { code?: string }).code).startsWith('ERR_PARSE_ARGS');
  console.error(wrong ? (error as Error).message : error);
  process.exitCode = wrong ? 2 : 1;
}
