import { setTimeout as sleep } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { type Broker, LANES } from '@taskq/core';
import { waitFor } from '@taskq/testing';
import { indexedPlaces } from '../support/index-place.js';
import { keysOf } from '../support/keys.js';
import { pendingRows, record } from '../support/snapshot.js';
import type { View, World } from './world.js';

/** Lets time pass: whatever holds a time is written as if it had been so much earlier. */
const PASS_TIME = `
  local ms = tonumber(ARGV[1])
  for lane = 1, 3 do
    local rows = redis.pcall('XPENDING', KEYS[lane], 'workers', '-', '+', 10000)
    for _, row in ipairs(rows.err and {} or rows) do
      redis.call('XCLAIM', KEYS[lane], 'workers', row[2], 0, row[1], 'IDLE', row[3] + ms, 'JUSTID')
    end
  end
  local waiting = redis.call('ZRANGE', KEYS[4], 0, -1, 'WITHSCORES')
  for i = 1, #waiting, 2 do
    redis.call('ZADD', KEYS[4], string.format('%d', waiting[i + 1] - ms), waiting[i])
  end
  for _, field in ipairs({ 'promoterUntil', 'nextSweepAt' }) do
    local at = redis.call('HGET', KEYS[5], field)
    if at then redis.call('HSET', KEYS[5], field, string.format('%d', at - ms)) end
  end
  for i = 6, #KEYS do
    local left = redis.call('PTTL', KEYS[i]) - ms
    if left > 0 then redis.call('PEXPIRE', KEYS[i], left) else redis.call('DEL', KEYS[i]) end
  end`;

/** The broker on Redis: two processes on one queue of a prefix that is this test's. */
export function redisWorld(redis: Redis, brokers: readonly Broker[], prefix: string, queue: string): World {
  const keys = keysOf(prefix, queue);
  const lanes = LANES.map((lane) => keys.lane(lane));
  const all = (): Promise<string[]> => redis.keys(`${keys.base}:*`);
  const flush = async (): Promise<void> => {
    await redis.del('none', ...(await all()));
    await sleep(2); // so that no entry gets the id of one that is gone
  };
  return {
    brokers,
    now: () => Date.now(),
    passTime: async (ms) => {
      const kept = (await all()).filter((key) => /:(dedupe|producer):/.test(key));
      const moved = [...lanes, keys.scheduled, keys.control, ...kept];
      await redis.eval(PASS_TIME, moved.length, ...moved, ms);
    },
    passBlock: async () => {},
    untilWaiting: async () => {
      const waits = async (): Promise<boolean> => !/blocked_clients:0/.test(await redis.info('clients'));
      await waitFor(waits, { what: 'a blocked client', intervalMs: 1 });
    },
    addEntry: async (lane, fields) =>
      void (await redis.xadd(keys.lane(lane), '*', ...Object.entries(fields).flat())),
    dropGroup: async () => {
      for (const key of [...lanes, keys.wake]) await redis.xgroup('DESTROY', key, 'workers').catch(() => 0);
    },
    flush,
    view: async () => viewOf(redis, await all(), keys),
    close: flush,
  };
}

async function viewOf(redis: Redis, all: readonly string[], keys: ReturnType<typeof keysOf>): Promise<View> {
  const now = Date.now();
  const [high, normal, low] = await Promise.all(LANES.map((lane) => viewLane(redis, keys.lane(lane))));
  const [wake, dead, waiting, texts, control] = await Promise.all([
    redis.xrange(keys.wake, '-', '+'),
    redis.xrange(keys.dead, '-', '+'),
    redis.zrange(keys.scheduled, '0', '-1', 'WITHSCORES'),
    redis.hgetall(keys.data),
    redis.hgetall(keys.control),
  ]);
  const left = (at: string | undefined): number | undefined =>
    at === undefined ? undefined : Number(at) - now;
  const scheduled: { id: string; dueIn: number; text: string }[] = [];
  for (let i = 0; i < waiting.length; i += 2) {
    const id = waiting[i]!;
    scheduled.push({ id, dueIn: Number(waiting[i + 1]) - now, text: texts[id] ?? '' });
  }
  return {
    lanes: { high: high!, normal: normal!, low: low! },
    wake: wake.map(([entryId, fields]) => ({ entryId, why: fields[1] ?? '' })),
    scheduled,
    dead: dead.map(([entryId, fields]) => {
      const { raw, ...letter } = record(fields);
      return { entryId, fields: { ...letter, ...(raw && { raw }) } };
    }),
    index: await indexOf(redis, all, keys),
    dedupe: await strings(redis, all, `${keys.base}:dedupe:`, (holder, leftMs) => ({ holder, leftMs })),
    channels: await strings(redis, all, `${keys.base}:producer:`, (text, leftMs) => ({
      record: text.replaceAll(/\b([af])(\d+)\b/g, (_, word: string, times) => words(word, Number(times))),
      leftMs,
    })),
    control: {
      promoter: control.promoter,
      promoterLeftMs: left(control.promoterUntil),
      sweepInMs: left(control.nextSweepAt),
      era: control.era === undefined ? undefined : Number(control.era),
    },
  };
}

async function viewLane(redis: Redis, key: string): Promise<View['lanes']['high']> {
  const entries = await redis.xrange(key, '-', '+');
  const groups = (await redis.xinfo('GROUPS', key).catch(() => [])) as (string | number)[][];
  const group = groups[0] && record(groups[0].map(String));
  return {
    entries: entries.map(([entryId, fields]) => ({ entryId, fields })),
    lastDelivered: group?.['last-delivered-id'],
    pending: group === undefined ? [] : await pendingRows(redis, key),
  };
}

/**
 * The index by task, as a look-up reads it: in buckets of a producer's own ids neighbours may have one place between
 * them, and places where nothing stands any more are left until all of them have ended.
 */
async function indexOf(
  redis: Redis,
  all: readonly string[],
  keys: ReturnType<typeof keysOf>,
): Promise<Record<string, string>> {
  const base = `${keys.base}:index:`;
  const index: Record<string, string> = {};
  for (const key of all.filter((each) => each.startsWith(base))) {
    const bucket = key.slice(base.length);
    const places = await redis.hgetall(key);
    if (!bucket.includes('.')) {
      for (const [field, place] of Object.entries(places)) index[field.slice(1)] = place;
      continue;
    }
    Object.assign(index, await indexedPlaces(redis, keys, key));
  }
  return index;
}

/** One word per task, as they were answered. */
function words(word: string, times: number): string {
  return Array<string>(times).fill(word).join(' ');
}

async function strings<Value>(
  redis: Redis,
  all: readonly string[],
  base: string,
  make: (text: string, leftMs: number) => Value,
): Promise<Record<string, Value>> {
  const found: Record<string, Value> = {};
  for (const key of all.filter((each) => each.startsWith(base))) {
    const [text, leftMs] = await Promise.all([redis.get(key), redis.pttl(key)]);
    if (text !== null) found[key.slice(base.length)] = make(text, leftMs);
  }
  return found;
}
