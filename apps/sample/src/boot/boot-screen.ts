import { ConfigurationError, TaskqError } from '@taskq/nestjs';
import { paint } from '../terminal/paint.js';

/** A failure to start that its reader can mend: what is wrong, and what to do. */
interface BootFailure {
  readonly headline: string;
  readonly lines: readonly string[];
  readonly advice: string;
}

/** Node's codes for what a process may not do or have. */
const SYSTEM_FAILURES: Readonly<Record<string, string>> = {
  EADDRINUSE: 'another program listens there: stop it, or set TASKQ_HTTP_PORT (0 takes any free port)',
  EADDRNOTAVAIL: 'this machine has no such address: correct http.host (TASKQ_HTTP_HOST)',
  EACCES: 'this user may not: choose another port (TASKQ_HTTP_PORT) or folder (TASKQ_DATA_FOLDER)',
  EEXIST: 'the data folder is a file: set TASKQ_DATA_FOLDER to a folder that can be written to',
  ENOTDIR: 'the data folder lies in a file: set TASKQ_DATA_FOLDER to a folder that can be written to',
  EROFS: 'the file system is read-only: set TASKQ_DATA_FOLDER to a folder that can be written to',
};

/** What to print when the application does not start: one screen without a stack, unless it is our own mistake. */
export function bootScreen(error: unknown): string {
  const failure = failureOf(error);
  if (!failure) return error instanceof Error ? (error.stack ?? error.message) : String(error);
  return [
    '',
    `  ${paint(['red', 'bold'], `The sample cannot start: ${failure.headline}`, process.stderr)}`,
    '',
    ...failure.lines.map((line) => `    ${line}`),
    '',
    `  ${failure.advice}`,
    '',
  ].join('\n');
}

function failureOf(error: unknown): BootFailure | undefined {
  if (error instanceof ConfigurationError) {
    const { length } = error.problems;
    return {
      headline: length === 1 ? 'a setting is wrong' : `${length} settings are wrong`,
      lines: error.problems.map((problem) => `- ${problem}`),
      advice:
        'Correct config/config.yaml (or the file that TASKQ_CONFIG names) or the variables, and start again.',
    };
  }
  if (error instanceof TaskqError) {
    const advice = error.fix ? `What to do: ${error.fix}.` : 'See docs/ for what this error means.';
    return { headline: error.code, lines: [error.message], advice };
  }
  const { code, message } = error as NodeJS.ErrnoException;
  // The launcher's message is a screen by itself: what was tried, and the command for each system.
  if (code === 'TASKQ_REDIS_SERVER_UNAVAILABLE') {
    return { headline: 'there is no Redis', lines: message.split('\n'), advice: 'Then start again.' };
  }
  const advice = code === undefined ? undefined : SYSTEM_FAILURES[code];
  return advice ? { headline: String(code), lines: [message], advice: `What to do: ${advice}.` } : undefined;
}
