import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runTrial } from '../../benchmarks/run/trial-process.js';

const order = { case: 'process-1', contender: 'taskq', host: '127.0.0.1', port: 1, seconds: 1 } as const;

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'taskq-trial-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Runs a trial whose program is this code. */
function trial(code: string, deadlineMs = 10_000): ReturnType<typeof runTrial> {
  const program = join(folder, `${Math.random()}.mjs`);
  writeFileSync(program, code);
  return runTrial(order, { program, deadlineMs });
}

describe('the process of a trial', () => {
  it('is given its order and answers with what it found', async () => {
    const findings = await trial(
      `const { case: id } = JSON.parse(process.argv[2]);
       process.send({ findings: { figures: {}, tasks: 1, note: id } });`,
    );
    expect(findings).toEqual({ figures: {}, tasks: 1, note: 'process-1' });
  });

  it('that hangs is killed at its deadline', async () => {
    await expect(trial('setInterval(() => undefined, 1000);', 500)).rejects.toThrow(
      'killed: not done after 0.5 s',
    );
  });

  it('that ends without an answer has failed', async () => {
    await expect(trial('process.exit(3);')).rejects.toThrow('ended with 3 without an answer');
  });

  it('that says what went wrong has failed with it', async () => {
    await expect(trial(`process.send({ error: '99 tasks were done, 100 were enqueued' });`)).rejects.toThrow(
      '99 tasks were done, 100 were enqueued',
    );
  });
});
