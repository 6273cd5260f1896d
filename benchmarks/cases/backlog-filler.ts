import { setTimeout as delay } from 'node:timers/promises';
import type { Rig } from '../contenders/contender.js';
import { payloadsOf, type PayloadSize } from '../payload.js';

/** Tasks of one call, and calls at once. */
const CALL = 1000;
const CALLS = 4;

/** Fills a queue with so many tasks, in the way of the contender that is meant for many. */
export async function fill(rig: Rig, total: number, size: PayloadSize = 'small'): Promise<void> {
  let next = 0;
  const caller = async (): Promise<void> => {
    while (next < total) {
      const first = next;
      next = Math.min(total, first + CALL);
      await rig.enqueueMany(payloadsOf(first, next - first, size));
    }
  };
  await Promise.all(Array.from({ length: CALLS }, caller));
}

/**
 * Waits until every task is settled: the handler has ended before that. The runner's deadline ends it when tasks are
 * left for good.
 */
export async function settled(rig: Rig): Promise<void> {
  while ((await rig.left()) > 0) await delay(10);
}
