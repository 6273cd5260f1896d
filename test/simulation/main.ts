import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { machine } from '../chaos/report/machine.js';
import { record } from '../chaos/report/document.js';
import { table } from '../chaos/report/table.js';
import { campaign, type Failure, type Sum } from './campaign.js';
import { coverageTable, missing } from './report/coverage.js';
import { rowOf } from './report/row.js';
import { lineOf } from './report/trace.js';
import { simulate } from './simulate.js';

const HELP = `Runs the engine in a simulation of everything around it, with faults that a seed decides.

  npm run simulate                          1,000 seeds
  npm run simulate -- --seeds 100000        as many as docs/reliability-results.md shows
  npm run simulate -- --seed 12345 --trace  one seed, and everything that happens in it

  --seeds N      so many seeds (default 1000; 1 with --trace)
  --seed N       the first seed (default 0); the same seed comes to the same, step by step
  --parallel N   threads (default 1)
  --coverage     counts how often each fault and each branch of the engine came about; none may be 0
  --json FILE    writes the row
  --record       takes the row over into docs/reliability-results.md
  --trace        prints what happens
  --help

Ends with 0 when every law was kept, 1 when one was broken, 2 when the arguments are wrong.`;

/** Failures that are told of at length. */
const SHOWN = 3;

/** Lines of a trace that are shown of a failure. */
const LAST_LINES = 25;

/** The command line of the simulation. The first argument is the program of a shard. */
async function main([program, ...args]: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      seeds: { type: 'string' },
      seed: { type: 'string', default: '0' },
      parallel: { type: 'string', default: '1' },
      coverage: { type: 'boolean', default: false },
      json: { type: 'string' },
      record: { type: 'boolean', default: false },
      trace: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    console.log(HELP);
    return 0;
  }
  const first = count('seed', values.seed, 0);
  const seeds = count('seeds', values.seeds ?? (values.trace ? '1' : '1000'), 1);
  const parallel = count('parallel', values.parallel, 1);
  const { coverage } = values;
  if (values.trace) return trace(first, seeds);

  const from = performance.now();
  const sum = await campaign({ program: program!, first, seeds, parallel, coverage, said: progress(seeds) });
  const row = rowOf(sum, first, performance.now() - from);
  for (const failure of sum.failures.slice(0, SHOWN)) console.log(await story(failure));
  if (coverage) console.log(`${coverageTable(sum.counts)}\n`);
  console.log(table([row], { head: true }));
  console.log(summary(sum, row.tookMs, parallel));
  if (values.json) writeFileSync(values.json, `${JSON.stringify({ rows: [row] }, null, 2)}\n`);
  if (values.record) record([row], await machine(), []);
  const never = coverage ? missing(sum.counts) : [];
  if (never.length > 0) console.log(`never came about: ${never.join(', ')}`);
  return sum.failures.length + never.length > 0 ? 1 : 0;
}

async function trace(first: number, seeds: number): Promise<number> {
  let failed = 0;
  for (let seed = first; seed < first + seeds; seed += 1) {
    const { broken } = await simulate(seed, { watch: (fact, ms) => console.log(lineOf(fact, ms)) });
    console.log(broken ? `seed ${seed} broke a law: ${broken.message}` : `seed ${seed} kept every law`);
    if (broken) failed += 1;
  }
  return failed > 0 ? 1 : 0;
}

/** What happened before a law was broken, and how to see it all. */
async function story({ seed, law, what }: Failure): Promise<string> {
  const lines: string[] = [];
  await simulate(seed, { watch: (fact, ms) => lines.push(lineOf(fact, ms)) });
  return [
    `seed ${seed} broke the law of ${law}: ${what}`,
    ...lines.slice(-LAST_LINES).map((line) => line.slice(0, 300)),
    `replay: npm run simulate -- --seed ${seed} --trace`,
    '',
  ].join('\n');
}

function progress(seeds: number): (sum: Sum) => void {
  let said = 0;
  return ({ seeds: done, failures }) => {
    if (done - said < Math.max(1000, seeds / 20)) return;
    said = done;
    console.error(`${done} of ${seeds} seeds, ${failures.length} broke a law`);
  };
}

function summary(
  { seeds, steps, tasks, starts, excused, failures }: Sum,
  tookMs: number,
  parallel: number,
): string {
  const perSecond = Math.round(seeds / (tookMs / 1000) / parallel);
  const broken = failures.length === 0 ? 'none broke a law' : `${failures.length} broke a law`;
  const others = failures.slice(SHOWN).map(({ seed, law }) => `${seed} (${law})`);
  return [
    `${seeds} seeds: ${broken}; ${steps} steps, ${tasks} tasks, ${starts} starts, ${excused} losses that were told of`,
    `${Math.round(tookMs / 1000)} s, ${perSecond} seeds a second and thread`,
    ...(others.length > 0 ? [`others that broke a law: ${others.slice(0, 50).join(', ')}`] : []),
  ].join('\n');
}

function count(name: string, text: string, least: number): number {
  if (/^\d{1,9}$/.test(text) && Number(text) >= least) return Number(text);
  throw new UsageError(`--${name} must be a whole number from ${least} on, not "${text}"`);
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
