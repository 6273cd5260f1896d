import type { Redis } from 'ioredis';
import type { Keys } from './keys.js';
import { record } from './snapshot.js';

/**
 * Where the index says that a task of a producer is, if something stands there: `s`, or the letter of its lane or `d`
 * and an entry. Its place of its own comes first, then the run of neighbours it was enqueued with.
 */
export async function indexedPlace(redis: Redis, keys: Keys, id: string): Promise<string | undefined> {
  return (await indexedPlaces(redis, keys, keys.index(id)))[id];
}

/** The same of every task of a bucket. */
export async function indexedPlaces(
  redis: Redis,
  keys: Keys,
  bucket: string,
): Promise<Record<string, string>> {
  const rows = Object.entries(await redis.hgetall(bucket)).filter(([field]) => field !== '#');
  const begin = bucket.slice(`${keys.base}:index:`.length);
  const found: Record<string, string> = {};
  for (const [field, run] of rows.filter(([name]) => name.startsWith('~'))) {
    const [first, last] = run.slice(1).split('~');
    for (const [entryId, fields] of await redis.xrange(laneKey(keys, run), first!, last!)) {
      const id = record(fields).id ?? '';
      if (id.slice(0, -1) === begin && id.slice(-1) >= field.slice(1)) found[id] = run[0]! + entryId;
    }
  }
  for (const [field, place] of rows.filter(([name]) => !name.startsWith('~'))) {
    if (await stands(redis, keys, place, begin + field)) found[begin + field] = place;
    else delete found[begin + field];
  }
  return found;
}

async function stands(redis: Redis, keys: Keys, place: string, id: string): Promise<boolean> {
  if (place === 's') return (await redis.zscore(keys.scheduled, id)) !== null;
  return (await redis.xrange(laneKey(keys, place), place.slice(1), place.slice(1))).length > 0;
}

function laneKey(keys: Keys, place: string): string {
  return { h: keys.high, n: keys.normal, l: keys.low, d: keys.dead }[place[0]!]!;
}
