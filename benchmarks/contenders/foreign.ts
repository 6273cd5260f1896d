import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';

/** Where the packages that taskq is measured against are installed, seen from the root of the project. */
export const FOREIGN_FOLDER = 'benchmarks/contenders';

/**
 * Loads a package from the contenders' own tree, so that each finds the Redis client that it was released with, and
 * so that neither the compiler nor the tests need them to be installed. The caller says what it takes it for.
 * @throws Error when they are not installed; the runner sees to that before the first trial
 */
export function loadForeign(name: string): unknown {
  return createRequire(join(resolve(FOREIGN_FOLDER), 'package.json'))(name);
}
