import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

/**
 * Gives a process the right of way over all others, but not to its children: on a machine with fewer cores than the
 * load has processes, a command during which Redis had to wait for a core would look slow, and so would an inspection
 * whose answer waited for one. All its threads: one that frees memory in the background holds locks that the others
 * wait for. Answers whether the system let us.
 */
export function giveRightOfWay(pid: number): boolean {
  const args = ['--fifo', '--reset-on-fork', '--all-tasks', '--pid', '1', String(pid)];
  return spawnSync('chrt', args).status === 0;
}

/**
 * Keeps the first thread of a process on one core, so that somebody on the same core notices when it stands still.
 * Answers whether the system let us.
 */
export function keepOnCore(pid: number, core: number): boolean {
  return spawnSync('taskset', ['--cpu-list', '--pid', String(core), String(pid)]).status === 0;
}

/** Makes it a process like all others again. */
export function giveUpRightOfWay(pid: number): void {
  spawnSync('chrt', ['--other', '--all-tasks', '--pid', '0', String(pid)]);
}

/** What /proc/stat counts in. */
const JIFFY_MS = 10;
/** Place of "steal" in its first line: for how long the machine's own cores were somebody else's. */
const STEAL = 8;

/**
 * For how long, in milliseconds and since it began, a process has waited for a core though it had work, and the whole
 * machine for its own. Linux tells; elsewhere it is 0.
 */
export function waitedForCore(pid: number): number {
  try {
    const [, waitedNs = '0'] = readFileSync(`/proc/${pid}/schedstat`, 'utf8').split(' ');
    const [cpu = ''] = readFileSync('/proc/stat', 'utf8').split('\n', 1);
    return Number(waitedNs) / 1e6 + Number(cpu.split(/\s+/)[STEAL] ?? 0) * JIFFY_MS;
  } catch {
    return 0;
  }
}
