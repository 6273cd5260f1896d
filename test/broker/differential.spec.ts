import { inspect } from 'node:util';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RedisBroker, resolveEngineOptions } from '@taskq/core';
import { type RedisServer, startRedisServer } from '@taskq/testing';
import type { Call } from './differential/calls.js';
import { generate } from './differential/generate.js';
import { memoryWorld } from './differential/memory-world.js';
import { redisWorld } from './differential/redis-world.js';
import { compare, type Difference, shorten, type Worlds } from './differential/run.js';

// Random calls, the same on Redis and on the broker in memory. DIFFERENTIAL=seed,count looks at others.
const [FIRST_SEED = 1, SEQUENCES = 400] = (process.env.DIFFERENTIAL ?? '')
  .split(',')
  .filter(Boolean)
  .map(Number);
const CALLS = 40;
const BLOCKS = 10;

const PREFIX = 'differential';

let server: RedisServer;
let redis: Redis;
let brokers: readonly RedisBroker[];
beforeAll(async () => {
  server = await startRedisServer();
  redis = new Redis(server.url);
  await redis.config('SET', 'hz', '500'); // a read that finds nothing ends within 2 ms
  const options = resolveEngineOptions({ redis: { url: server.url }, prefix: PREFIX });
  const connect = () => RedisBroker.connect(options, { random: Math.random, warn: () => {} });
  brokers = [await connect(), await connect()];
});
afterAll(async () => {
  for (const broker of brokers) await broker.close();
  redis.disconnect();
  await server.stop();
});

const worlds: Worlds = (queue) => [redisWorld(redis, brokers, PREFIX, queue), memoryWorld(queue)];

async function report(seed: number, calls: readonly Call[], first: Difference): Promise<string> {
  const fewest = await shorten(worlds, calls);
  const found = (await compare(worlds, fewest)) ?? first;
  return [
    `seed ${seed}: ${found.what} differs after the last of these calls:`,
    ...fewest.map((call) => JSON.stringify(call)),
    `Redis:  ${inspect(found.answers[0], { depth: 9, breakLength: 110 })}`,
    `memory: ${inspect(found.answers[1], { depth: 9, breakLength: 110 })}`,
  ].join('\n');
}

/** The first sequence of a block that is not answered alike; nothing when all are. */
async function firstDifference(block: number): Promise<string | undefined> {
  for (let seed = FIRST_SEED + block; seed < FIRST_SEED + SEQUENCES; seed += BLOCKS) {
    const calls = generate(seed, CALLS);
    const found = await compare(worlds, calls);
    if (found) return report(seed, calls, found);
  }
  return undefined;
}

describe(`${SEQUENCES} sequences of ${CALLS} calls`, () => {
  it.each(Array.from({ length: BLOCKS }, (_, block) => block))(
    'are answered alike by both brokers, and leave the same behind (%i)',
    { timeout: 120_000 },
    async (block) => {
      expect((await firstDifference(block)) ?? '').toBe('');
    },
  );
});
