import { spawn } from 'node:child_process';
import { findOnPath, runCommand } from './run-command.js';

/** What a server is ended with. Only `SIGKILL` ends a frozen one: `SIGTERM` waits until it is thawed. */
export type EndingSignal = 'SIGKILL' | 'SIGTERM';

/** A command, and whether it ends with this process by itself or needs {@link watchOver}. */
export interface BoundCommand {
  command: string;
  args: readonly string[];
  needsWatchdog: boolean;
}

/**
 * Makes a command end together with this process, even when that is killed with SIGKILL and can clean up nothing:
 * through util-linux's `setpriv`, where the kernel sends the signal. (setpriv execs, so the pid stays the server's.)
 */
export async function bindToParent(
  command: string,
  args: readonly string[],
  signal: EndingSignal,
): Promise<BoundCommand> {
  const setpriv = await workingSetpriv();
  if (setpriv === undefined) return { command, args, needsWatchdog: true };
  return {
    command: setpriv,
    args: ['--pdeathsig', shortName(signal), command, ...args],
    needsWatchdog: false,
  };
}

/**
 * The same where there is no setpriv (macOS, busybox): a shell that does nothing but wait for its standard input to
 * end, which the kernel does when this process dies, and then ends the server.
 */
export function watchOver(pid: number, signal: EndingSignal): { release(): void } {
  const script = 'read -r released; [ "$released" = yes ] || kill "-$2" "$1"';
  const watchdog = spawn('/bin/sh', ['-c', script, 'sh', String(pid), shortName(signal)], {
    // Own process group: Ctrl-C must not end the watchdog before the process it watches.
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  watchdog.on('error', () => {});
  watchdog.stdin.on('error', () => {});
  // It must not keep this process alive; it ends with it anyway.
  watchdog.unref();
  (watchdog.stdin as unknown as { unref?(): void }).unref?.();
  return { release: () => void watchdog.stdin.end('yes\n') };
}

/** Not every shell's `kill` knows the name with SIG. */
function shortName(signal: EndingSignal): string {
  return signal.slice('SIG'.length);
}

const verdicts = new Map<string, Promise<boolean>>();

/** busybox has a setpriv without this option, so it is tried once per program found. */
async function workingSetpriv(): Promise<string | undefined> {
  if (process.platform !== 'linux') return undefined;
  const setpriv = findOnPath('setpriv');
  if (setpriv === undefined) return undefined;
  let verdict = verdicts.get(setpriv);
  if (verdict === undefined) {
    verdict = runCommand(setpriv, ['--pdeathsig', 'TERM', '/bin/sh', '-c', ':'], { timeoutMs: 5_000 }).then(
      ({ failure }) => failure === undefined,
    );
    verdicts.set(setpriv, verdict);
  }
  return (await verdict) ? setpriv : undefined;
}
