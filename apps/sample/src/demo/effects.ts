import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Movie } from '../catalogue/movie.js';
import { SIZES } from './inputs.js';
import { readLines } from './ledger-files.js';

/**
 * How often each task did what it is for, from what it left behind: lines of the catalogue, files of thumbnails (a
 * set of sizes is one effect), and keys that the receiver of webhooks acted on.
 */
export function readEffects(dataFolder: string, takenKeys: Iterable<string>): ReadonlyMap<string, number> {
  const effects = new Map<string, number>();
  const add = (id: string): void => void effects.set(id, (effects.get(id) ?? 0) + 1);
  for (const file of filesIn(join(dataFolder, 'catalogue'))) {
    for (const { id } of readLines<Movie>(readFileSync(file, 'utf8'))) add(id);
  }
  for (const id of thumbnailTasks(filesIn(join(dataFolder, 'thumbnails')))) add(id);
  for (const key of takenKeys) add(key);
  return effects;
}

/** Tasks all of whose thumbnails are there. */
function thumbnailTasks(files: readonly string[]): readonly string[] {
  const made = new Map<string, number>();
  for (const file of files) {
    const id = /([^/\\]+)-\d+\.webp$/.exec(file)?.[1];
    if (id !== undefined) made.set(id, (made.get(id) ?? 0) + 1);
  }
  return [...made].filter(([, count]) => count === SIZES.length).map(([id]) => id);
}

function filesIn(folder: string): readonly string[] {
  return existsSync(folder) ? readdirSync(folder).map((name) => join(folder, name)) : [];
}
