import { setTimeout as delay } from 'node:timers/promises';
import type { Redis } from 'ioredis';

/** How often memory is looked at, and for how long at most. */
const LOOK_MS = 250;
const LONGEST_MS = 60_000;

/** Bytes that Redis has asked its allocator for: `used_memory`. Not what the allocator keeps in hand, which is its own affair. */
export async function usedMemory(admin: Redis): Promise<number> {
  return Number(/^used_memory:(\d+)/m.exec(await admin.info('memory'))?.[1]);
}

/**
 * The least that memory comes down to when nobody has anything to do: buffers of connections and tables that have become
 * too large are given back by and by. It has come down when it has not shrunk for `steadyMs`.
 */
export async function settledMemory(admin: Redis, steadyMs: number): Promise<number> {
  await admin.slowlog('RESET');
  const over = performance.now() + LONGEST_MS;
  let least = Number.POSITIVE_INFINITY;
  let leastAt = performance.now();
  while (performance.now() < Math.min(over, leastAt + steadyMs)) {
    const used = await usedMemory(admin);
    if (used < least - 1024) leastAt = performance.now();
    least = Math.min(least, used);
    await delay(LOOK_MS);
  }
  return least;
}
