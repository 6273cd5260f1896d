import { mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { join, relative } from 'node:path';
import { withFileLock } from './file-lock.js';
import { checkUnpacked, findCachedBinary, type RedisBinary, unpackedRoot } from './find-redis-binary.js';
import { ensureCacheFolder } from './project-folder.js';
import { findOnPath, runCommand } from './run-command.js';

/** Holds the whole server on Debian and Ubuntu, and no service: `redis-server` would start one on port 6379. */
const PACKAGE = 'redis-tools';
const STEP_TIMEOUT_MS = 180_000;
const WORK_PREFIX = 'download-';

/**
 * Lets apt fetch redis-tools into the cache folder and unpacks it there. Needs no root and installs nothing; the
 * system's own sources, keys, mirrors and proxies count, and apt verifies the signatures. However many processes
 * ask at once, one downloads and the others wait for it. Answers undefined, with the reason in `tried`, when this
 * system cannot.
 */
export async function fetchRedisWithApt(
  cacheFolder: string,
  tried: string[],
  log: (line: string) => void,
): Promise<RedisBinary | undefined> {
  if (process.env['REDIS_AUTO_DOWNLOAD'] === '0') {
    tried.push('apt: turned off by REDIS_AUTO_DOWNLOAD=0');
    return undefined;
  }
  const aptGet = findOnPath('apt-get');
  const dpkgDeb = findOnPath('dpkg-deb');
  if (process.platform !== 'linux' || aptGet === undefined || dpkgDeb === undefined) {
    tried.push('apt: not on this system');
    return undefined;
  }

  ensureCacheFolder(cacheFolder);
  return withFileLock(join(cacheFolder, 'download.lock'), 2 * STEP_TIMEOUT_MS, async () => {
    const fetchedMeanwhile = await findCachedBinary(cacheFolder);
    if (fetchedMeanwhile !== undefined) return fetchedMeanwhile;
    log(
      `taskq: no Redis found; fetching the Debian package ${PACKAGE} with apt into ` +
        `${relative(process.cwd(), cacheFolder) || '.'} (nothing is installed on the system; REDIS_AUTO_DOWNLOAD=0 turns this off)`,
    );
    const outcome = await download(aptGet, dpkgDeb, cacheFolder);
    if (typeof outcome !== 'string') return outcome;
    tried.push(`apt: ${outcome}`);
    return undefined;
  });
}

/** Downloads and unpacks aside, then renames: a half-finished download can never be taken for a cache. */
async function download(aptGet: string, dpkgDeb: string, cacheFolder: string): Promise<RedisBinary | string> {
  removeLeftovers(cacheFolder);
  const work = mkdtempSync(join(cacheFolder, WORK_PREFIX));
  try {
    const root = join(work, 'root');
    const archives = await fetchArchives(aptGet, work);
    if (typeof archives === 'string') return archives;
    for (const archive of archives) {
      const unpacked = await runCommand(dpkgDeb, ['-x', archive, root], { timeoutMs: STEP_TIMEOUT_MS });
      if (unpacked.failure !== undefined) return `dpkg-deb: ${unpacked.failure}`;
    }
    // The role hangs on the name; Debian's redis-server package adds just this link.
    symlinkSync('redis-check-rdb', join(root, 'usr', 'bin', 'redis-server'));
    const verdict = await checkUnpacked(root, 'apt');
    if (typeof verdict === 'string') return verdict;

    // Whatever is there did not run (we hold the lock and have looked): another distribution's, or damaged.
    rmSync(unpackedRoot(cacheFolder), { recursive: true, force: true });
    renameSync(root, unpackedRoot(cacheFolder));
    return await checkUnpacked(unpackedRoot(cacheFolder), 'apt');
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** Paths of the downloaded packages (redis-tools and what it needs that the system lacks), or why there are none. */
async function fetchArchives(aptGet: string, work: string): Promise<string[] | string> {
  for (const folder of ['root', 'state/lists/partial', 'archives/partial']) {
    mkdirSync(join(work, folder), { recursive: true });
  }
  // Private state and cache folders make it work without root and with empty lists; the system's package states
  // make apt fetch only what is missing here.
  const settings = [
    `Dir::State=${join(work, 'state')}`,
    'Dir::State::status=/var/lib/dpkg/status',
    `Dir::Cache=${work}`,
    `Dir::Cache::archives=${join(work, 'archives')}`,
    `Dir::Log=${work}`,
    'Debug::NoLocking=1',
    'APT::Sandbox::User=',
    'Acquire::Languages=none',
  ].flatMap((setting) => ['-o', setting]);
  const run = (...args: string[]) =>
    runCommand(aptGet, ['-qq', ...settings, ...args], {
      timeoutMs: STEP_TIMEOUT_MS,
      env: { ...process.env, LC_ALL: 'C', DEBIAN_FRONTEND: 'noninteractive' },
    });

  // One broken third-party source fails `update` as a whole; whether redis-tools can be had is for `install` to say.
  const update = await run('update');
  const install = await run('install', '-y', '--no-install-recommends', '--download-only', PACKAGE);
  if (install.failure !== undefined) return `apt-get: ${update.failure ?? install.failure}`;
  const archives = readdirSync(join(work, 'archives')).filter((name) => name.endsWith('.deb'));
  if (archives.length === 0) return `apt-get downloaded nothing for ${PACKAGE}`;
  return archives.map((name) => join(work, 'archives', name));
}

/** What a killed download left behind; we hold the lock, so nobody works in there. */
function removeLeftovers(cacheFolder: string): void {
  for (const name of readdirSync(cacheFolder)) {
    if (name.startsWith(WORK_PREFIX) && !name.endsWith('.lock')) {
      rmSync(join(cacheFolder, name), { recursive: true, force: true });
    }
  }
}
