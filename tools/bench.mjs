// Runs the benchmark (benchmarks) from the sources as they are now: `npm run bench -- --help`.
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { bundle } from './bundle.mjs';

const { folder, remove } = await bundle({ main: 'benchmarks/main.ts', trial: 'benchmarks/trial.main.ts' });
const child = spawn(
  process.execPath,
  ['--enable-source-maps', join(folder, 'main.js'), join(folder, 'trial.js'), ...process.argv.slice(2)],
  { stdio: 'inherit' },
);
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child.kill(signal));
child.on('close', (code, signal) => {
  remove();
  process.exitCode = code ?? (signal ? 1 : 0);
});
