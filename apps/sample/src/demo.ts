import { type DemoPlan, DemoRun } from './demo/run-demo.js';
import { Stage } from './demo/stage.js';
import { summary } from './demo/summary.js';

const HELP = `Usage: npm run demo [-- options]

Runs the sample application on real data: an API, two workers and a receiver of webhooks that fails a fifth of the
time. Kills one worker with kill -9 half-way, stops another with SIGTERM, and checks what Redis says against a ledger
that every process keeps for itself. Starts a private Redis unless REDIS_URL names one.

Options:
  --quick      a small part of the input
  --help, -h   this text

Exit codes: 0 everybody agrees, 1 somebody does not or something failed, 2 unknown option, 130 stopped by Ctrl-C.
`;

/** All films of the data set: more than there are. */
const FULL: DemoPlan = { movies: 3201, thumbnails: 24, webhooks: 60, feedMs: 9000 };
const QUICK: DemoPlan = { movies: 800, thumbnails: 12, webhooks: 20, feedMs: 2500 };

process.exitCode = await main(process.argv.slice(2));

async function main(args: readonly string[]): Promise<number> {
  if (args.includes('--help') || args.includes('-h')) {
    console.log(HELP);
    return 0;
  }
  const unknown = args.find((arg) => arg !== '--quick');
  if (unknown !== undefined) {
    console.error(`Unknown option: ${unknown}\nSee npm run demo -- --help`);
    return 2;
  }
  return demo(args.includes('--quick') ? QUICK : FULL);
}

async function demo(plan: DemoPlan): Promise<number> {
  const ending = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => ending.abort());
  const started = performance.now();
  let stage: Stage | undefined;
  let ok = false;
  try {
    stage = await Stage.open();
    const verdict = await new DemoRun(stage, plan, ending.signal).run();
    console.log(summary(verdict, { redis: stage.redisName, tookMs: performance.now() - started }));
    ok = verdict.ok;
  } catch (error) {
    if (!ending.signal.aborted) console.error(`\nThe demo failed: ${(error as Error).message}`);
  } finally {
    await stage?.close({ keepFiles: !ok && !ending.signal.aborted });
  }
  if (ending.signal.aborted) return 130;
  if (!ok && stage) console.error(`Logs and ledger: ${stage.home}`);
  return ok ? 0 : 1;
}
