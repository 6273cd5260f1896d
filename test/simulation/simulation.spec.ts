import { createHash } from 'node:crypto';
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { simulate } from './simulate.js';
import { lineOf } from './report/trace.js';

const SEEDS = 20;
const ROOT = join(import.meta.dirname, '../..');

/** Everything that happens in so many seeds, as one number. */
async function hashHere(): Promise<string> {
  const hash = createHash('sha256');
  for (let seed = 0; seed < SEEDS; seed += 1)
    await simulate(seed, { watch: (fact, ms) => hash.update(`${lineOf(fact, ms)}\n`) });
  return hash.digest('hex');
}

/** The same in another process, without what the program says about seeds. */
async function hashElsewhere(): Promise<string> {
  const program = spawn(process.execPath, ['tools/simulate.mjs', '--seeds', String(SEEDS), '--trace'], {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let text = '';
  for await (const chunk of program.stdout.setEncoding('utf8')) text += String(chunk);
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('seed '));
  return createHash('sha256')
    .update(lines.map((line) => `${line}\n`).join(''))
    .digest('hex');
}

describe('a seed', () => {
  it('comes to the same, to the letter, in every run and in every process', async () => {
    const first = await hashHere();

    expect(await hashHere()).toBe(first);
    expect(await hashElsewhere()).toBe(first);
  }, 120_000);

  it('comes to something else than another', async () => {
    const steps = await Promise.all([1, 2, 3].map(async (seed) => (await simulate(seed)).steps));

    expect(new Set(steps).size).toBe(3);
  });
});
