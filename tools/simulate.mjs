// Runs the simulation (test/simulation) from the sources as they are now: `npm run simulate -- --help`.
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { bundle } from './bundle.mjs';

const { folder, remove } = await bundle({
  main: 'test/simulation/main.ts',
  shard: 'test/simulation/shard.ts',
});
const child = spawn(
  process.execPath,
  ['--enable-source-maps', join(folder, 'main.js'), join(folder, 'shard.js'), ...process.argv.slice(2)],
  { stdio: 'inherit' },
);
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child.kill(signal));
child.on('close', (code, signal) => {
  remove();
  process.exitCode = code ?? (signal ? 1 : 0);
});
