import { existsSync, readdirSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { findOnPath, runCommand } from './run-command.js';

/** A server program that has proved to run here. */
export interface RedisBinary {
  path: string;
  version: string;
  source: 'binary' | 'cache' | 'apt';
  /** Needed by an unpacked package: its libraries are not in the system's folders. */
  libraryPath: string | undefined;
}

const OLDEST_MAJOR = 7;

/**
 * Debian's `*-check-rdb` is the same multi-call program as the server, and all that its tools package installs:
 * started under the name `redis-server` it is a server.
 */
const NAMES_ON_PATH = ['valkey-server', 'redis-server', 'valkey-check-rdb', 'redis-check-rdb'];

/**
 * A usable server on this system: `REDIS_SERVER_BIN`, then PATH. A program that is broken or too old is noted in
 * `tried` and does not stop the search.
 */
export async function findSystemBinary(
  tried: string[],
  log: (line: string) => void,
): Promise<RedisBinary | undefined> {
  const wished = process.env['REDIS_SERVER_BIN'];
  if (wished) {
    const verdict = await checkBinary(resolve(wished), 'binary');
    if (typeof verdict !== 'string') return verdict;
    tried.push(`REDIS_SERVER_BIN: ${verdict}`);
    // Somebody asked for this very program: taking another one must not pass in silence.
    log(`taskq: REDIS_SERVER_BIN is not usable (${verdict}); looking for another Redis`);
  }
  for (const name of NAMES_ON_PATH) {
    const path = findOnPath(name);
    if (path === undefined) continue;
    const verdict = await checkBinary(path, 'binary');
    if (typeof verdict !== 'string') return verdict;
    tried.push(`PATH: ${verdict}`);
  }
  if (tried.length === 0) tried.push('PATH: no valkey-server and no redis-server');
  return undefined;
}

/** Where an unpacked package lies in the cache folder. It appears there whole, by one rename. */
export function unpackedRoot(cacheFolder: string): string {
  return join(cacheFolder, 'root');
}

/** The server that an earlier start downloaded, if it (still) runs on this machine. */
export async function findCachedBinary(
  cacheFolder: string,
  tried: string[] = [],
): Promise<RedisBinary | undefined> {
  const root = unpackedRoot(cacheFolder);
  if (!existsSync(root)) return undefined;
  const verdict = await checkUnpacked(root, 'cache');
  if (typeof verdict !== 'string') return verdict;
  tried.push(`cache: ${verdict}`);
  return undefined;
}

/** The server inside an unpacked redis-tools package, or a line that says why it cannot be used. */
export function checkUnpacked(root: string, source: 'cache' | 'apt'): Promise<RedisBinary | string> {
  return checkBinary(join(root, 'usr', 'bin', 'redis-server'), source, libraryFolders(root));
}

/** Proves a program by running it. Answers with the binary, or with a line that says what is wrong with it. */
async function checkBinary(
  path: string,
  source: RedisBinary['source'],
  libraryPath?: string,
): Promise<RedisBinary | string> {
  const { stdout, failure } = await runCommand(path, ['--version'], {
    timeoutMs: 5_000,
    env: binaryEnvironment(libraryPath),
    // A check-rdb program reads its role from the name it is called by.
    argv0: serverName(path),
  });
  if (failure !== undefined) return `${path} does not run (${failure})`;
  const version = /\bv=(\d+\.\d+\.\d+)/.exec(stdout)?.[1];
  if (version === undefined) return `${path} does not tell a server version`;
  if (Number.parseInt(version, 10) < OLDEST_MAJOR) {
    return `${path} is version ${version}; ${OLDEST_MAJOR}.0 or newer is needed`;
  }
  return { path, version, source, libraryPath };
}

/** The environment a server program needs to find its libraries. */
export function binaryEnvironment(libraryPath: string | undefined): NodeJS.ProcessEnv {
  if (libraryPath === undefined) return process.env;
  const inherited = process.env['LD_LIBRARY_PATH'];
  return { ...process.env, LD_LIBRARY_PATH: inherited ? `${libraryPath}:${inherited}` : libraryPath };
}

/** The name under which a program acts as a server. */
export function serverName(path: string): string {
  return basename(path).replace('check-rdb', 'server');
}

/** `usr/lib/x86_64-linux-gnu`, `usr/lib/arm-linux-gnueabihf` ...: whatever architecture apt fetched. */
function libraryFolders(root: string): string {
  const lib = join(root, 'usr', 'lib');
  const triplets = existsSync(lib) ? readdirSync(lib).filter((name) => name.includes('-linux-gnu')) : [];
  return [...triplets.map((name) => join(lib, name)), lib].join(':');
}
