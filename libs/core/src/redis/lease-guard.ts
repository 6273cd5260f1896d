import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import type { GuardRequest, LeaseGuard } from '../broker/lease-guard.js';
import type { ResolvedEngineOptions } from '../policy/engine-options.js';

/** What the thread is told. All of it can be copied to another thread. */
export interface GuardThreadData {
  readonly memory: SharedArrayBuffer;
  readonly queues: readonly string[];
  readonly consumer: string;
  readonly heartbeatMs: number;
  readonly options: ResolvedEngineOptions;
}

/**
 * Starts the thread that renews leases while the event loop is held up. It opens a connection only when it has to.
 * Where there is no such thread (its file was left out of a bundle, TLS options hold a function) it says so, and
 * leases depend on the event loop.
 */
export function guardByThread(request: GuardRequest, options: ResolvedEngineOptions): LeaseGuard | undefined {
  if (!options.worker.heartbeatThread) return undefined;
  const { board, consumer, heartbeatMs, warn } = request;
  const giveUp = (why: string): undefined => {
    warn(`leases are not renewed while the event loop is blocked: ${why}`);
    return undefined;
  };
  const file = new URL('./lease-guard.thread.js', import.meta.url);
  if (!existsSync(file)) return giveUp(`${fileURLToPath(file)} is missing`);
  const { redis, prefix } = options;
  const workerData: GuardThreadData = {
    memory: board.memory,
    queues: board.queues,
    consumer,
    heartbeatMs,
    // Retry functions of tasks cannot be copied, and are not needed there.
    options: { ...options, redis, prefix, tasks: { ...options.tasks, retryDelay: undefined } },
  };
  try {
    const thread = new Worker(file, { workerData, name: 'taskq lease guard' });
    thread.on('error', (error) => giveUp(error.message));
    thread.unref();
    return { stop: async () => void (await thread.terminate()) };
  } catch (error) {
    return giveUp((error as Error).message);
  }
}
