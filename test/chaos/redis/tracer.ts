import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { waitFor } from '@taskq/testing';

/** How long a tracer may take to take hold of a process. */
const ATTACH_MS = 5000;

/**
 * strace on a running process, where there is one and the system lets us: what the kernel was really asked to do, and
 * a disk that is slower than the one of this machine. Where there is none, nothing depends on it.
 */
export class Tracer {
  private constructor(
    private readonly child: ChildProcess,
    private readonly file: string,
    private readonly ended: Promise<void>,
  ) {}

  /**
   * Takes hold of a process and all of its threads until either ends; nothing when that cannot be done. It writes to
   * `file`. `slowSyncMs`: each fdatasync takes so much longer.
   */
  static async attach(
    pid: number,
    file: string,
    { slowSyncMs }: { readonly slowSyncMs?: number } = {},
  ): Promise<Tracer | undefined> {
    const slow =
      slowSyncMs === undefined ? [] : ['-e', `inject=fdatasync:delay_exit=${Math.round(slowSyncMs * 1000)}`];
    const args = [
      '-f',
      '-p',
      String(pid),
      '-y',
      '-s',
      '0',
      '-e',
      'trace=write,fdatasync',
      ...slow,
      '-o',
      file,
    ];
    const child = spawn('strace', args, { stdio: ['ignore', 'ignore', 'pipe'] });
    let said = '';
    child.stderr.on('data', (bytes) => (said += String(bytes)));
    const ended = new Promise<void>((resolve) => {
      child.once('close', () => resolve());
      child.once('error', () => resolve());
    });
    let over = false;
    void ended.then(() => (over = true));
    const attached = (): boolean => /attached/.test(said);
    await waitFor(() => attached() || over, { what: 'strace to attach', timeoutMs: ATTACH_MS }).catch(
      () => undefined,
    );
    if (attached() && !over) return new Tracer(child, file, ended);
    child.kill('SIGKILL');
    return undefined;
  }

  /**
   * Up to which byte a file was surely on disk when the process ended: what had been written before the last
   * fdatasync began that was seen to end. `from`: its size when the tracer took hold.
   */
  async synced(path: string, from: number): Promise<number> {
    await this.ended;
    return syncedUpTo(readFileSync(this.file, 'utf8'), path, from);
  }

  /** Lets go; what it holds lives on. */
  async end(): Promise<void> {
    this.child.kill('SIGTERM');
    await this.ended;
  }
}

/** Reads what strace wrote; a function of its arguments alone. */
export function syncedUpTo(trace: string, path: string, from: number): number {
  let written = from;
  let synced = from;
  /** By thread: whether its unfinished call is about the file, and what had been written when it began. */
  const syncing = new Map<string, number>();
  const writing = new Set<string>();
  for (const line of trace.split('\n')) {
    const match = /^(\d+)\s+(?:<\.\.\. (\w+) resumed>|(\w+)\(\d+<([^>]*)>)/.exec(line);
    if (!match) continue;
    const [, thread = '', resumed, call = resumed, file] = match;
    if (resumed === undefined && file !== path) continue;
    const unfinished = line.endsWith('<unfinished ...>');
    const result = Number(/= (-?\d+)/.exec(line)?.[1] ?? Number.NaN);
    if (call === 'write') {
      if (unfinished) writing.add(thread);
      else if ((resumed === undefined || writing.delete(thread)) && result > 0) written += result;
    } else if (call === 'fdatasync') {
      if (unfinished) syncing.set(thread, written);
      else if (result === 0)
        synced = Math.max(synced, resumed === undefined ? written : (syncing.get(thread) ?? 0));
      if (!unfinished) syncing.delete(thread);
    }
  }
  return synced;
}
