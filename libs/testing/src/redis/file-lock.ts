import { randomUUID } from 'node:crypto';
import { linkSync, readFileSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';

/** A holder shows that it lives by touching its file this often ... */
const HEARTBEAT_MS = 1_000;
/** ... and counts as dead after this long without, for instance on another machine that shares the folder. */
const SILENT_MS = 15_000;
const POLL_MS = 25;

/**
 * Runs `work` while holding the lock file, so that one process at a time does it; the others wait. A lock whose
 * holder died is taken over. Rejects with an Error when the lock is not free within `timeoutMs`.
 */
export async function withFileLock<T>(file: string, timeoutMs: number, work: () => Promise<T>): Promise<T> {
  const token = JSON.stringify({ pid: process.pid, host: hostname(), id: randomUUID() });
  await acquire(file, token, timeoutMs);
  const heartbeat = setInterval(() => touch(file), HEARTBEAT_MS).unref();
  try {
    return await work();
  } finally {
    clearInterval(heartbeat);
    if (contentOf(file) === token) rmSync(file, { force: true });
  }
}

async function acquire(file: string, token: string, timeoutMs: number): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  while (!create(file, token)) {
    const holder = contentOf(file);
    if (holder !== undefined && isStale(file, holder)) takeAway(file, holder);
    else if (Date.now() > deadline) throw new Error(`${file} stayed locked for ${timeoutMs / 1000} s`);
    else await sleep(POLL_MS);
  }
}

function create(file: string, token: string): boolean {
  try {
    writeFileSync(file, token, { flag: 'wx' });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

function isStale(file: string, holder: string): boolean {
  try {
    if (Date.now() - statSync(file).mtimeMs > SILENT_MS) return true;
    const { pid, host } = JSON.parse(holder) as { pid: number; host: string };
    return host === hostname() && !isAlive(pid);
  } catch {
    // Gone meanwhile, or not written to its end yet: look again.
    return false;
  }
}

/**
 * Removes a dead holder's file. Between our look and our rename another waiter may have done the same and locked
 * anew: then we hold a living file in our hands and put it back.
 */
function takeAway(file: string, deadHolder: string): void {
  const aside = `${file}.${randomUUID()}`;
  try {
    renameSync(file, aside);
    if (contentOf(aside) !== deadHolder) linkSync(aside, file);
  } catch {
    // Another waiter was faster; the next round sees how things stand.
  }
  rmSync(aside, { force: true });
}

/** Whether a process with this id exists on this host, also one of another user. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function contentOf(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}

function touch(file: string): void {
  try {
    utimesSync(file, new Date(), new Date());
  } catch {
    // Taken away by somebody who thought us dead (a suspended laptop): nothing to keep alive.
  }
}
