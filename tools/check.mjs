// Runs the named npm scripts: a line per step with its time. Begins no more after one that fails, and shows what that
// printed. The last line counts what passed and failed: tests, and the step that failed if it ran none.
import { spawn } from 'node:child_process';
import { performance } from 'node:perf_hooks';

const steps = process.argv.slice(2);
if (steps.length === 0) throw new Error('usage: node tools/check.mjs <npm script>...');

const running = new Set();
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.on(signal, () => {
    for (const child of running) child.kill(signal);
    process.exitCode = 130;
  });
}

function run(step) {
  return new Promise((resolve, reject) => {
    const chunks = [];
    const child = spawn('npm', ['run', '--silent', step], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, NO_COLOR: '1', FORCE_COLOR: undefined },
      shell: process.platform === 'win32',
    });
    running.add(child);
    child.stdout.on('data', (chunk) => chunks.push(chunk));
    child.stderr.on('data', (chunk) => chunks.push(chunk));
    child.on('error', reject);
    child.on('close', (code) => {
      running.delete(child);
      resolve({ ok: code === 0, output: Buffer.concat(chunks).toString() });
    });
  });
}

/** vitest's last lines: `Tests  1 failed | 12 passed (13)`. */
function countTests(output) {
  const line = /^\s*Tests\s+(.*)$/m.exec(output)?.[1] ?? '';
  const count = (word) => Number(new RegExp(`(\\d+) ${word}`).exec(line)?.[1] ?? 0);
  return { passed: count('passed'), failed: count('failed'), skipped: count('skipped') + count('todo') };
}

/** Steps that need what others make, or all of the machine: these run when those before them are done. */
const ALONE = new Set(['build', 'pkg:check', 'test:integration', 'test:chaos', 'bench:gate']);
const LANES = 2;

const started = performance.now();
const seconds = (since) => `${((performance.now() - since) / 1000).toFixed(1)} s`.padStart(7);
const total = { passed: 0, failed: 0, skipped: 0 };
const width = Math.max(...steps.map((step) => step.length));

async function check(step) {
  const since = performance.now();
  const { ok, output } = await run(step);
  const tests = countTests(output);
  for (const key of Object.keys(total)) total[key] += tests[key];
  const skipped = tests.skipped > 0 ? `, ${tests.skipped} skipped` : '';
  const counted = tests.passed + tests.failed > 0 ? `  ${tests.passed} passed${skipped}` : '';
  process.stdout.write(`${step.padEnd(width)}  ${ok ? 'ok    ' : 'FAILED'} ${seconds(since)}${counted}\n`);
  if (ok) return;
  if (tests.failed === 0) total.failed += 1;
  process.stdout.write(`\n${output.trimEnd()}\n\n${step} failed; run it alone with: npm run ${step}\n`);
  process.exitCode ||= 1;
}

/** Runs steps that do not need each other, two at a time; after a failure none is begun. */
async function checkTogether(group) {
  const waiting = [...group];
  const lane = async () => {
    while (waiting.length > 0 && !process.exitCode) await check(waiting.shift());
  };
  await Promise.all(Array.from({ length: LANES }, lane));
}

let group = [];
for (const step of steps) {
  if (!ALONE.has(step)) {
    group.push(step);
    continue;
  }
  await checkTogether(group);
  await checkTogether([step]);
  group = [];
}
await checkTogether(group);

process.stdout.write(
  `${'all'.padEnd(width)}  ${process.exitCode ? 'FAILED' : 'ok    '} ${seconds(started)}\n`,
);
process.stdout.write(`${total.passed} passed, ${total.failed} failed\n`);
