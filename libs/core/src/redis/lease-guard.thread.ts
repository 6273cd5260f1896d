import { parentPort, workerData } from 'node:worker_threads';
import { LeaseBoard, sharedMs } from '../broker/lease-guard.js';
import { sleep, systemClock } from '../runtime/clock.js';
import type { GuardThreadData } from './lease-guard.js';
import type { LeaseRenewal } from './lease-renewal.js';

/** Looks at the board so often per heartbeat. */
const LOOKS_PER_BEAT = 4;

/** The process is taken for blocked when it has not renewed its leases for so many heartbeats. */
const BLOCKED_AFTER_BEATS = 1.5;

/**
 * The thread that renews leases while the event loop of its process is held up: a task that computes for long, or a
 * large payload. It only ever speaks for the process, by name and no longer than each task may run, so that a handler
 * that never ends loses its task.
 */
async function guard(data: GuardThreadData): Promise<void> {
  const { memory, queues, heartbeatMs } = data;
  const board = new LeaseBoard(queues, 0, memory);
  let renewal: LeaseRenewal | undefined;
  let renewedAt = Number.NEGATIVE_INFINITY;
  for (;;) {
    await sleep(systemClock, heartbeatMs / LOOKS_PER_BEAT);
    const now = sharedMs();
    const blocked = now - board.lastBeat > heartbeatMs * BLOCKED_AFTER_BEATS;
    if (!blocked || now - renewedAt < heartbeatMs) continue;
    const held = board.held(now);
    if (held.length === 0) continue;
    try {
      renewal ??= await openRenewal(data);
      await renewal.renew(held);
      renewedAt = now;
      board.renewed(now);
    } catch {
      // Failing is nothing new to it: it tries again at its next look.
    }
  }
}

/** A Redis client takes more memory than the rest of the thread, and most processes are never blocked. */
async function openRenewal(data: GuardThreadData): Promise<LeaseRenewal> {
  const { LeaseRenewal: Renewal } = await import('./lease-renewal.js');
  return new Renewal(data);
}

if (parentPort) void guard(workerData as GuardThreadData);
