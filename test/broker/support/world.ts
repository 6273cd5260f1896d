import { randomBytes } from 'node:crypto';
import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, beforeEach, expect } from 'vitest';
import { type EngineOptions, RedisBroker, resolveEngineOptions } from '@taskq/core';
import { type RedisServer, startRedisServer } from '@taskq/testing';
import { type Keys, keysOf, QUEUE } from './keys.js';
import { keyNames, type PendingRow, pendingRows, snapshot } from './snapshot.js';

/** What a test of the Redis broker works with. All of it is new for every test except the server. */
export interface World {
  readonly server: RedisServer;
  /** A plain client beside the broker's own, for seeding and reading. */
  readonly redis: Redis;
  /** Breaks every connection of others than `redis`. */
  readonly breakLinks: () => Promise<unknown>;
  readonly prefix: string;
  readonly keys: Keys;
  readonly broker: RedisBroker;
  /** Another broker on the same prefix, as in another process. */
  readonly connect: (options?: Partial<EngineOptions>) => Promise<RedisBroker>;
  /** Everything the prefix holds; two equal ones mean that nothing was changed. */
  readonly snapshot: () => Promise<Record<string, unknown>>;
  readonly keyNames: () => Promise<string[]>;
  readonly pending: (key: string) => Promise<PendingRow[]>;
  /** The server's clock, in milliseconds. */
  readonly now: () => Promise<number>;
  /** Makes entries of a pending list look untouched for `idleMs`, their delivery counts as they are. */
  readonly age: (key: string, idleMs: number) => Promise<void>;
}

/** One private server for the file; a prefix, brokers and their end for each test. `ensure`: the queue exists. */
export function useRedis({ ensure = true }: { ensure?: boolean } = {}): () => World {
  let server: RedisServer;
  let redis: Redis;
  let world: World;
  const brokers: RedisBroker[] = [];

  beforeAll(async () => {
    server = await startRedisServer();
    redis = new Redis(server.url);
  });
  afterAll(async () => {
    redis.disconnect();
    await server.stop();
  });

  beforeEach(async () => {
    const prefix = `t${randomBytes(6).toString('hex')}`;
    const connect = async (options: Partial<EngineOptions> = {}): Promise<RedisBroker> => {
      const resolved = resolveEngineOptions({
        prefix,
        ...options,
        redis: { url: server.url, ...options.redis },
      });
      const broker = await RedisBroker.connect(resolved, { random: Math.random, warn: () => {} });
      brokers.push(broker);
      return broker;
    };
    const broker = await connect();
    world = { server, redis, prefix, keys: keysOf(prefix), broker, connect, ...facts(redis, prefix) };
    if (ensure) await broker.ensureQueue(QUEUE);
  });
  afterEach(async () => {
    await Promise.all(brokers.splice(0).map((broker) => broker.close()));
    // Whatever a test did: every key belongs to a queue and says so in its hash tag.
    for (const key of await keyNames(redis, world.prefix)) expect(key).toMatch(/^[^{}]+:\{[^{}]+\}:/);
  });
  return () => world;
}

function facts(redis: Redis, prefix: string) {
  return {
    breakLinks: () => redis.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes'),
    snapshot: () => snapshot(redis, prefix),
    keyNames: () => keyNames(redis, prefix),
    pending: (key: string) => pendingRows(redis, key),
    now: async () => {
      const [seconds, micros] = await redis.time();
      return Number(seconds) * 1000 + Math.floor(Number(micros) / 1000);
    },
    age: async (key: string, idleMs: number) => {
      const rows = await pendingRows(redis, key);
      const pipeline = redis.pipeline();
      for (const row of rows) {
        pipeline.xclaim(key, 'workers', row.consumer, 0, row.entryId, 'IDLE', idleMs, 'JUSTID');
      }
      await pipeline.exec();
    },
  };
}
