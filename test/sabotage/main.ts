import { writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { recordFindings } from './report.js';
import { misfits } from './removal.js';
import { removals } from './removals/removals.js';
import { type Finding, sabotage } from './sabotage.js';

const HELP = `Takes defences away, one at a time, each in a copy of the project, and looks whether a test notices.

  npm run sabotage                     all of them
  npm run sabotage -- --only NAME      one, or several with a comma between

  --parallel N   at once (default: the number of cores)
  --json FILE    writes what became of each
  --record       takes them over into docs/reliability-results.md; not together with --only
  --check        only looks whether every text to take away is still there, and every test
  --list         says which there are
  --help

Ends with 0 when every removal was noticed, 1 when one was not, 2 when the arguments are wrong.`;

async function main(args: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      only: { type: 'string' },
      parallel: { type: 'string', default: String(cpus().length) },
      json: { type: 'string' },
      record: { type: 'boolean', default: false },
      check: { type: 'boolean', default: false },
      list: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    console.log(HELP);
    return 0;
  }
  const chosen = values.only === undefined ? removals : values.only.split(',').map(named);
  if (values.list) {
    for (const { name, defence } of chosen) console.log(`${name}: ${defence}`);
    return 0;
  }
  const problems = misfits(chosen, process.cwd());
  if (problems.length > 0) {
    console.error(problems.join('\n'));
    return 1;
  }
  if (values.check) {
    console.log(`${chosen.length} removals fit the code`);
    return 0;
  }
  if (!/^[1-9]\d?$/.test(values.parallel)) throw new UsageError('--parallel must be a number from 1 to 99');
  if (values.record && values.only !== undefined)
    throw new UsageError('--record takes all of them: leave --only out');
  const from = performance.now();
  const findings = await sabotage(chosen, {
    root: process.cwd(),
    parallel: Number(values.parallel),
    tell: (finding) => console.log(lineOf(finding)),
  });
  if (values.json) writeFileSync(values.json, `${JSON.stringify({ findings }, null, 2)}\n`);
  if (values.record) await recordFindings(findings, performance.now() - from);
  const caught = findings.filter(({ verdict }) => verdict === 'caught').length;
  console.log(`\n${caught} of ${findings.length} caught`);
  return caught === findings.length ? 0 : 1;
}

function lineOf({ verdict, name, said, tookMs }: Finding): string {
  const seconds = `${(tookMs / 1000).toFixed(0)} s`.padStart(5);
  return `${verdict.padEnd(8)} ${seconds}  ${name}: ${said}`;
}

function named(name: string) {
  const found = removals.find((removal) => removal.name === name);
  if (!found) throw new UsageError(`there is no removal "${name}"; --list says which there are`);
  return found;
}

class UsageError extends Error {}

// Leaving this way removes the copies.
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(130));
try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  const wrong =
    error instanceof UsageError || String((error as { code?: string }).code).startsWith('ERR_PARSE_ARGS');
  console.error(wrong ? (error as Error).message : error);
  process.exitCode = wrong ? 2 : 1;
}
