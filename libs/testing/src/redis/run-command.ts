import { spawn } from 'node:child_process';
import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** How a short command ended. `failure` is undefined on exit 0, else one line that says why. */
export interface CommandOutcome {
  stdout: string;
  failure: string | undefined;
}

/**
 * Runs a command to its end, without a shell. Never rejects: a missing program or a timeout is a `failure` too.
 * (`execFile` would be shorter, but it drops `argv0`.)
 */
export function runCommand(
  command: string,
  args: readonly string[],
  options: { timeoutMs: number; env?: NodeJS.ProcessEnv; argv0?: string },
): Promise<CommandOutcome> {
  return new Promise((resolve) => {
    const { timeoutMs, ...settings } = options;
    const child = spawn(command, args, { ...settings, stdio: ['ignore', 'pipe', 'pipe'] });
    let stdout = '';
    let stderr = '';
    let tooLate = false;
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => (stdout += chunk));
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => (stderr += chunk));
    const timer = setTimeout(() => {
      tooLate = true;
      child.kill('SIGKILL');
      // A grandchild may hold the pipes open; the answer does not wait for it.
      child.stdout.destroy();
      child.stderr.destroy();
    }, timeoutMs);

    const end = (ended: string | undefined): void => {
      clearTimeout(timer);
      const said = lastLine(stderr) ?? lastLine(stdout);
      resolve({ stdout, failure: ended === undefined || said === undefined ? ended : `${ended}: ${said}` });
    };
    child.once('error', (error) => end(error.message));
    child.once('close', (code, signal) => {
      if (tooLate) end(`no answer in ${timeoutMs / 1000} s`);
      else if (signal !== null) end(`ended by ${signal}`);
      else end(code === 0 ? undefined : `exit code ${code}`);
    });
  });
}

/** The first executable file of this name on PATH, as an absolute path. */
export function findOnPath(name: string): string | undefined {
  for (const folder of (process.env['PATH'] ?? '').split(delimiter)) {
    if (folder === '') continue;
    const candidate = join(folder, name);
    if (isExecutable(candidate)) return candidate;
  }
  return undefined;
}

export function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

function lastLine(text: string): string | undefined {
  return text.trim().split('\n').at(-1)?.trim() || undefined;
}
