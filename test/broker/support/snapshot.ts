import type { Redis } from 'ioredis';

/** One row of a group's pending list. */
export interface PendingRow {
  readonly entryId: string;
  readonly consumer: string;
  readonly idleMs: number;
  readonly deliveries: number;
}

/** Pending list of a stream's group `workers`. */
export async function pendingRows(redis: Redis, key: string): Promise<PendingRow[]> {
  const rows = (await redis.xpending(key, 'workers', '-', '+', 100_000)) as [
    string,
    string,
    number,
    number,
  ][];
  return rows.map(([entryId, consumer, idleMs, deliveries]) => ({ entryId, consumer, idleMs, deliveries }));
}

/** Names and values in turn as an object. */
export function record(fields: readonly string[]): Record<string, string> {
  const entries: [string, string][] = [];
  for (let i = 0; i + 1 < fields.length; i += 2) entries.push([fields[i]!, fields[i + 1]!]);
  return Object.fromEntries(entries);
}

/** Every key of a prefix, sorted. */
export async function keyNames(redis: Redis, prefix: string): Promise<string[]> {
  const found = new Set<string>();
  let cursor = '0';
  do {
    const [next, keys] = await redis.scan(cursor, 'MATCH', `${prefix}:*`, 'COUNT', 1000);
    for (const key of keys) found.add(key);
    cursor = next;
  } while (cursor !== '0');
  return [...found].toSorted();
}

/** What a prefix holds: entries, groups, pending lists (without idle times), hashes, sets and strings. */
export async function snapshot(redis: Redis, prefix: string): Promise<Record<string, unknown>> {
  const all: Record<string, unknown> = {};
  for (const key of await keyNames(redis, prefix)) all[key] = await content(redis, key);
  return all;
}

async function content(redis: Redis, key: string): Promise<unknown> {
  const type = await redis.type(key);
  switch (type) {
    case 'stream':
      return { entries: await redis.xrange(key, '-', '+'), groups: await groups(redis, key) };
    case 'hash':
      return redis.hgetall(key);
    case 'zset':
      return redis.zrange(key, '0', '-1', 'WITHSCORES');
    case 'string':
      return redis.get(key);
    default:
      throw new Error(`${key} is a ${type}`);
  }
}

async function groups(redis: Redis, key: string): Promise<unknown[]> {
  const rows = (await redis.xinfo('GROUPS', key)) as (string | number)[][];
  return Promise.all(
    rows.map(async (row) => {
      const info = record(row.map(String));
      const pending = (await pendingRows(redis, key)).map((p) => [p.entryId, p.consumer, p.deliveries]);
      return { name: info.name, lastDelivered: info['last-delivered-id'], pending };
    }),
  );
}
