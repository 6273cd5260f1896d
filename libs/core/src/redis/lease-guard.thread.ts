import { parentPort, workerData } from 'node:worker_threads';
import { type BoardedLease, LeaseBoard, sharedMs } from '../broker/lease-guard.js';
import { sleep, systemClock } from '../runtime/clock.js';
import { Calls } from './calls.js';
import type { GuardThreadData } from './lease-guard.js';
import { queueKeys } from './keys.js';
import { leaseArgs } from './requests.js';
import { openLinks } from './open-links.js';
import { scripts } from './scripts.generated.js';

/** Looks at the board so often per heartbeat. */
const LOOKS_PER_BEAT = 4;

/** The process is taken for blocked when it has not renewed its leases for so many heartbeats. */
const BLOCKED_AFTER_BEATS = 1.5;

/** Leases renewed by one script call. */
const PAGE = 100;

/**
 * The thread that renews leases while the event loop of its process is held up: a task that computes for long, or a
 * large payload. It only ever speaks for the process, by name and no longer than each task may run, so that a handler
 * that never ends loses its task.
 */
async function guard({ memory, queues, consumer, heartbeatMs, options }: GuardThreadData): Promise<void> {
  const board = new LeaseBoard(queues, 0, memory);
  let calls: Calls | undefined;
  let renewedAt = Number.NEGATIVE_INFINITY;
  for (;;) {
    await sleep(systemClock, heartbeatMs / LOOKS_PER_BEAT);
    const now = sharedMs();
    const blocked = now - board.lastBeat > heartbeatMs * BLOCKED_AFTER_BEATS;
    if (!blocked || now - renewedAt < heartbeatMs) continue;
    const held = board.held(now);
    if (held.length === 0) continue;
    calls ??= new Calls(openLinks(options.redis, Math.random));
    // Failing is nothing new to it: it tries again at its next look.
    const renewed = await renew(calls, options.prefix, consumer, held).catch(() => false);
    if (renewed) renewedAt = now;
  }
}

async function renew(
  calls: Calls,
  prefix: string,
  consumer: string,
  held: readonly BoardedLease[],
): Promise<boolean> {
  for (const queue of new Set(held.map((lease) => lease.queue))) {
    const leases = held.filter((lease) => lease.queue === queue);
    for (let i = 0; i < leases.length; i += PAGE) {
      const args = [consumer, ...leaseArgs(leases.slice(i, i + PAGE))];
      await calls.run('maintenance', queue, scripts.extend, queueKeys(prefix, queue).laneList, args);
    }
  }
  return true;
}

if (parentPort) void guard(workerData as GuardThreadData);
