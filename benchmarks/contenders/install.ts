import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { FOREIGN_FOLDER } from './foreign.js';

/** Versions of the packages that taskq is measured against: exact, from their manifest. */
export function foreignVersions(): Readonly<Record<string, string>> {
  const manifest = JSON.parse(readFileSync(join(FOREIGN_FOLDER, 'package.json'), 'utf8')) as {
    dependencies: Record<string, string>;
  };
  return manifest.dependencies;
}

/**
 * Installs what the lock file of the contenders says, unless it was installed already. They are no dependency of the
 * project, so its own install does not know them.
 * @throws Error when npm fails; what it says is printed
 */
export function installForeign(say: (line: string) => void): void {
  const lock = readFileSync(join(FOREIGN_FOLDER, 'package-lock.json'), 'utf8');
  const stamp = join(FOREIGN_FOLDER, 'node_modules', '.installed-lock.json');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === lock) return;
  say('installing what taskq is measured against (npm ci in benchmarks/contenders; once)');
  const { status } = spawnSync(
    'npm',
    ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'],
    {
      cwd: FOREIGN_FOLDER,
      // Standard output is the report's.
      stdio: ['ignore', 2, 2],
      shell: process.platform === 'win32',
    },
  );
  if (status !== 0)
    throw new Error('npm ci failed in benchmarks/contenders; taskq and the ceiling need none of it');
  writeFileSync(stamp, lock);
}
