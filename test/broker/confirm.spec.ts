import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { QUEUE } from './support/keys.js';
import { enqueue, newTask } from './support/tasks.js';
import { useRedis } from './support/world.js';

// What is asked before a wait for a disk or for replicas: whether the groups are known, on the connection that waits.
const world = useRedis();
const TTL_MS = 15 * 60_000;

function confirm(records: readonly string[], sequences: readonly number[]): Promise<unknown> {
  const script = readFileSync('libs/core/src/redis/scripts/confirm.lua', 'utf8');
  return world().redis.eval(script, records.length, ...records, TTL_MS, ...sequences);
}

/** Sends a group, and answers the key of its record. */
async function sent(channel: string, sequence: number): Promise<string> {
  const { broker, prefix } = world();
  await enqueue(broker, [newTask()], { channel, sequence });
  return `${prefix}:{${QUEUE}}:producer:${channel}`;
}

describe('a group to be confirmed', () => {
  it('is known by its own sequence: an older or newer one of its channel confirms nothing', async () => {
    const [one, two] = [await sent('one', 7), await sent('two', 12)];

    expect(await confirm([one, two], [7, 12])).toEqual([1, 1]);
    expect(await confirm([one, two, one, `${one}x`], [6, 1, 77, 7])).toEqual([0, 0, 0, 0]);
  });

  it('is written anew, so that a wait on this connection covers what others wrote; an unknown one is not', async () => {
    const { redis } = world();
    const [known, unknown] = [await sent('one', 7), await sent('two', 12)];
    for (const record of [known, unknown]) await redis.pexpire(record, 5000);
    await confirm([known, unknown], [7, 11]);

    expect(await redis.pttl(known)).toBeGreaterThan(TTL_MS - 60_000);
    expect(await redis.pttl(unknown)).toBeLessThanOrEqual(5000);
  });
});
