import { fork } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { basename, dirname, resolve } from 'node:path';
import type { Findings } from '../cases/bench-case.js';
import type { TrialAnswer, TrialOrder } from './trial-order.js';

/** How a process of a trial is started. */
export interface TrialStart {
  readonly program: string;
  readonly deadlineMs: number;
  /** Where to write what the processor did, without the ending; not at all when it is not said. */
  readonly profile?: string | undefined;
}

/**
 * Runs one trial in a process of its own, and waits for its end.
 * @throws Error with what went wrong: the trial's own error, its end without an answer, or the deadline, at which it is
 * killed
 */
export async function runTrial(
  order: TrialOrder,
  { program, deadlineMs, profile }: TrialStart,
): Promise<Findings> {
  const child = fork(program, [JSON.stringify(order)], {
    // Standard output is the report's.
    stdio: ['ignore', 2, 2, 'ipc'],
    execArgv: profile === undefined ? [] : profiled(resolve(profile)),
  });
  let answer: TrialAnswer | undefined;
  child.on('message', (message) => (answer = message as TrialAnswer));
  let hangs = false;
  const deadline = setTimeout(() => {
    hangs = true;
    child.kill('SIGKILL');
  }, deadlineMs);
  const code = await new Promise<number | string | null>((done) =>
    child.once('close', (status, signal) => done(status ?? signal)),
  );
  clearTimeout(deadline);
  if (hangs) throw new Error(`killed: not done after ${deadlineMs / 1000} s`);
  if (answer === undefined) throw new Error(`ended with ${code} without an answer`);
  if ('error' in answer) throw new Error(answer.error);
  return answer.findings;
}

function profiled(file: string): string[] {
  mkdirSync(dirname(file), { recursive: true });
  return ['--cpu-prof', `--cpu-prof-dir=${dirname(file)}`, `--cpu-prof-name=${basename(file)}.cpuprofile`];
}
