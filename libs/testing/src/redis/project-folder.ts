import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** The folder the launcher may write to in this project: `<project root>/.cache/redis`. */
export function defaultCacheFolder(): string {
  return join(findProjectRoot(process.cwd()), '.cache', 'redis');
}

/**
 * Nearest folder upward whose package.json has `workspaces` (a package inside a monorepo shares one cache), else
 * the nearest with a package.json, else the start itself.
 */
export function findProjectRoot(start: string): string {
  let nearestPackage: string | undefined;
  for (let folder = start; ; folder = dirname(folder)) {
    const manifest = join(folder, 'package.json');
    if (existsSync(manifest)) {
      if (hasWorkspaces(manifest)) return folder;
      nearestPackage ??= folder;
    }
    if (dirname(folder) === folder) return nearestPackage ?? start;
  }
}

/** Makes the cache folder; it ignores itself, because a user's project may not have `.cache/` in its .gitignore. */
export function ensureCacheFolder(folder: string): void {
  mkdirSync(folder, { recursive: true });
  const ignore = join(folder, '.gitignore');
  if (!existsSync(ignore)) writeFileSync(ignore, '*\n');
}

function hasWorkspaces(manifest: string): boolean {
  try {
    return (JSON.parse(readFileSync(manifest, 'utf8')) as { workspaces?: unknown }).workspaces !== undefined;
  } catch {
    // A package.json that is being written or is broken is not ours to report here.
    return false;
  }
}
