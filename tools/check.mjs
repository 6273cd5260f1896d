// Runs the named npm scripts one after the other: a line per step with its time. Stops at the first that fails and
// shows what it printed. The last line counts what passed and failed: tests, and the step that failed if it ran none.
import { spawn } from 'node:child_process';
import { performance } from 'node:perf_hooks';

const steps = process.argv.slice(2);
if (steps.length === 0) throw new Error('usage: node tools/check.mjs <npm script>...');

let running;
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.on(signal, () => {
    running?.kill(signal);
    process.exitCode = 130;
  });
}

function run(step) {
  return new Promise((resolve, reject) => {
    const chunks = [];
    running = spawn('npm', ['run', '--silent', step], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, NO_COLOR: '1', FORCE_COLOR: undefined },
      shell: process.platform === 'win32',
    });
    running.stdout.on('data', (chunk) => chunks.push(chunk));
    running.stderr.on('data', (chunk) => chunks.push(chunk));
    running.on('error', reject);
    running.on('close', (code) => resolve({ ok: code === 0, output: Buffer.concat(chunks).toString() }));
  });
}

/** vitest's last lines: `Tests  1 failed | 12 passed (13)`. */
function countTests(output) {
  const line = /^\s*Tests\s+(.*)$/m.exec(output)?.[1] ?? '';
  const count = (word) => Number(new RegExp(`(\\d+) ${word}`).exec(line)?.[1] ?? 0);
  return { passed: count('passed'), failed: count('failed'), skipped: count('skipped') + count('todo') };
}

const started = performance.now();
const seconds = (since) => `${((performance.now() - since) / 1000).toFixed(1)} s`.padStart(7);
const total = { passed: 0, failed: 0, skipped: 0 };
const width = Math.max(...steps.map((step) => step.length));

for (const step of steps) {
  process.stdout.write(`${step.padEnd(width)}  `);
  const since = performance.now();
  const { ok, output } = await run(step);
  const tests = countTests(output);
  for (const key of Object.keys(total)) total[key] += tests[key];
  const skipped = tests.skipped > 0 ? `, ${tests.skipped} skipped` : '';
  const counted = tests.passed + tests.failed > 0 ? `  ${tests.passed} passed${skipped}` : '';
  process.stdout.write(`${ok ? 'ok    ' : 'FAILED'} ${seconds(since)}${counted}\n`);
  if (!ok) {
    if (tests.failed === 0) total.failed += 1;
    process.stdout.write(`\n${output.trimEnd()}\n\n${step} failed; run it alone with: npm run ${step}\n`);
    process.exitCode ||= 1;
    break;
  }
}

process.stdout.write(
  `${'all'.padEnd(width)}  ${process.exitCode ? 'FAILED' : 'ok    '} ${seconds(started)}\n`,
);
process.stdout.write(`${total.passed} passed, ${total.failed} failed\n`);
