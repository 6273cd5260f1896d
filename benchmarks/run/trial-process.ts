import { fork } from 'node:child_process';
import { mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
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
  const profiles = profile === undefined ? undefined : resolve(`${profile}.threads`);
  const child = fork(program, [JSON.stringify(order)], {
    // Standard output is the report's.
    stdio: ['ignore', 2, 2, 'ipc'],
    execArgv: profiles === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profiles}`],
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
  if (profiles !== undefined) keepMainThread(profiles, child.pid!, `${profile}.cpuprofile`);
  if (hangs) throw new Error(`killed: not done after ${deadlineMs / 1000} s`);
  if (answer === undefined) throw new Error(`ended with ${code} without an answer`);
  if ('error' in answer) throw new Error(answer.error);
  return answer.findings;
}

/** V8 writes a profile for each thread of each process, named by when, process, thread (0 is the main one) and number. */
function keepMainThread(folder: string, pid: number, file: string): void {
  mkdirSync(folder, { recursive: true });
  const main = readdirSync(folder).find((name) => name.includes(`.${pid}.0.`));
  if (main !== undefined) renameSync(join(folder, main), file);
  rmSync(folder, { recursive: true });
}
