import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { isAlive } from './file-lock.js';
import { pingRedis } from './redis-ping.js';

export const SOCKET_NAME = 'r.sock';

/** A socket's path is limited by the kernel (sun_path); with a longer one Redis ends at once. */
const LONGEST_SOCKET_PATH = 107;
const PREFIX = 'taskq-redis-';
const OWNER_NAME = 'owner.json';
/** Younger folders are left alone: their server may be about to start. */
const ABANDONED_AFTER_MS = 60_000;

/** A private folder whose name is short enough for a socket in it, wherever the temporary folder was put. */
export async function makeServerHome(): Promise<string> {
  const fits = Buffer.byteLength(join(tmpdir(), `${PREFIX}XXXXXX`, SOCKET_NAME)) <= LONGEST_SOCKET_PATH;
  const place = fits ? tmpdir() : '/tmp';
  sweeping ??= removeAbandoned(place);
  await sweeping;
  const home = mkdtempSync(join(place, PREFIX));
  if (homes.size === 0) process.on('exit', removeAll);
  homes.add(home);
  writeFileSync(join(home, OWNER_NAME), JSON.stringify({ pid: process.pid, host: hostname() }));
  return home;
}

/** Removes a folder that {@link makeServerHome} made. Those left over are removed on the process's `exit`. */
export function removeServerHome(home: string): void {
  homes.delete(home);
  if (homes.size === 0) process.off('exit', removeAll);
  remove(home);
}

/** One listener on the process's `exit` for all of them: Node warns about the eleventh. */
const homes = new Set<string>();

function removeAll(): void {
  homes.forEach(remove);
}

/** A server that was killed this moment may still be writing, and its folder not stay empty at the first try. */
function remove(home: string): void {
  rmSync(home, { recursive: true, force: true, maxRetries: 3 });
}

/** Once per process. */
let sweeping: Promise<void> | undefined;

/**
 * Removes what processes killed with SIGKILL could not: folders whose owner, on this host, is gone and on whose
 * socket nobody answers (seen from a container, a living owner may look gone).
 */
async function removeAbandoned(place: string): Promise<void> {
  for (const name of readdirSync(place).filter((entry) => entry.startsWith(PREFIX))) {
    const folder = join(place, name);
    if (!looksAbandoned(folder)) continue;
    if ((await pingRedis({ path: join(folder, SOCKET_NAME) }, 500)) !== 'silent') continue;
    rmSync(folder, { recursive: true, force: true });
  }
}

function looksAbandoned(folder: string): boolean {
  try {
    const file = join(folder, OWNER_NAME);
    const { pid, host } = JSON.parse(readFileSync(file, 'utf8')) as { pid: number; host: string };
    return host === hostname() && !isAlive(pid) && Date.now() - statSync(file).mtimeMs > ABANDONED_AFTER_MS;
  } catch {
    // Another user's, or removed by its owner just now.
    return false;
  }
}
