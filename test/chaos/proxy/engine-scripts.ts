import { readFileSync } from 'node:fs';

/** From the folder of the project, where every test and the laboratory run. */
const GENERATED = 'libs/core/src/redis/scripts.generated.ts';

/** Names of the engine's scripts by their hash: what {@link FaultProxy.start} takes as `scripts`. */
export function engineScripts(): ReadonlyMap<string, string> {
  const source = readFileSync(GENERATED, 'utf8');
  const found = source.matchAll(/name: '([^']+)',\s+sha1: '([0-9a-f]{40})'/g);
  return new Map([...found].map(([, name, sha1]) => [sha1!, name!]));
}
