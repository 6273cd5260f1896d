import { accessSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join, resolve } from 'node:path';
import { vi } from 'vitest';

/** Where the project keeps its downloaded server; shared, so that the tests download once. */
export const SHARED_CACHE = resolve('.cache/redis');

/** Whether this machine can fetch a server by itself. */
export const hasApt = existsSync('/usr/bin/apt-get') && existsSync('/usr/bin/dpkg-deb');

/** Folders of one spec file, removed by `removeAll()`. */
export class TestFolders {
  private readonly made: string[] = [];

  make(): string {
    const folder = mkdtempSync(join(tmpdir(), 'tq-'));
    this.made.push(folder);
    return folder;
  }

  /** A cache folder of its own that has the shared one's server, if that has been downloaded. */
  makeCache(): string {
    const folder = this.make();
    if (existsSync(join(SHARED_CACHE, 'root'))) symlinkSync(join(SHARED_CACHE, 'root'), join(folder, 'root'));
    return folder;
  }

  /** A folder for PATH with every program of this machine, except those that `without` names. */
  makePath(without: RegExp): string {
    const folder = join(this.make(), 'bin');
    mkdirSync(folder);
    for (const source of (process.env['PATH'] ?? '').split(delimiter).filter(isReadable)) {
      for (const name of readdirSync(source)) {
        if (!without.test(name) && !existsSync(join(folder, name)))
          linkIfNew(join(source, name), join(folder, name));
      }
    }
    return folder;
  }

  removeAll(): void {
    for (const folder of this.made.splice(0)) rmSync(folder, { recursive: true, force: true });
  }
}

export const REDIS_PROGRAMS = /^(redis|valkey)-/;
export const REDIS_AND_DOCKER = /^((redis|valkey)-|docker$)/;

/** Takes away every variable that steers the launcher, so that the developer's shell does not decide the test. */
export function forgetRedisVariables(): void {
  const names = [
    'REDIS_URL',
    'TEST_REDIS_URL',
    'TEST_REDIS_FORCE',
    'REDIS_SERVER_BIN',
    'REDIS_AUTO_DOWNLOAD',
  ];
  for (const name of names) vi.stubEnv(name, undefined);
}

function isReadable(folder: string): boolean {
  try {
    accessSync(folder);
    return true;
  } catch {
    return false;
  }
}

function linkIfNew(target: string, link: string): void {
  try {
    symlinkSync(target, link);
  } catch {
    // Named on PATH twice, through a broken link: the first one counts.
  }
}
