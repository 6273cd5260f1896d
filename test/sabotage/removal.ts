import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** One defence, how to take it away, and the tests that must notice. */
export interface Removal {
  /** Names it on the command line: words with hyphens. */
  readonly name: string;
  /** What the defence is there for, in one sentence: what would go wrong without it. */
  readonly defence: string;
  /** The file that is changed, from the root of the project. */
  readonly file: string;
  /** Stands in the file exactly once, and is replaced by `by`; a line, or part of one. */
  readonly take: string;
  /** What stands there instead. @default nothing */
  readonly by?: string;
  /** Spec files, from the root of the project: at least one test of them must fail. */
  readonly witnesses: readonly string[];
  /** Only tests whose full name matches this are run, for speed. @default all of the files */
  readonly only?: string;
}

/** The text of a file without the defence. @throws Error when the text to take is not there exactly once */
export function without(removal: Removal, text: string): string {
  const { name, file, take, by = '' } = removal;
  const times = text.split(take).length - 1;
  if (times !== 1)
    throw new Error(`${name}: the text to take away stands ${times} times in ${file}, not once`);
  return text.replace(take, () => by);
}

/** What keeps removals from being carried out, a sentence each; none when all fit the project in `root`. */
export function misfits(removals: readonly Removal[], root: string): readonly string[] {
  const names = new Set<string>();
  return removals.flatMap((removal) => {
    const { name, file, witnesses } = removal;
    const missing = [file, ...witnesses].filter((path) => !existsSync(join(root, path)));
    const found = missing.map((path) => `${name}: there is no ${path}`);
    if (names.has(name)) found.push(`${name}: there are two of that name`);
    names.add(name);
    if (missing.includes(file)) return found;
    try {
      without(removal, readFileSync(join(root, file), 'utf8'));
    } catch (error) {
      found.push((error as Error).message);
    }
    return found;
  });
}
