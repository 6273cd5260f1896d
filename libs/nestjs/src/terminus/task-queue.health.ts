import { Injectable } from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import { type HealthIndicatorResult, HealthIndicatorService } from '@nestjs/terminus';
import { ConfigurationError, type QueueCounts, type TaskQueue } from '@taskq/core';
import { getTaskQueueToken, getTaskWorkerHostToken } from '../task-queue.tokens.js';
import type { TaskWorkerHost } from '../task-worker.host.js';

/** What to look at, and what to call sick. */
export interface TaskQueueHealthOptions {
  /** Name of the connection. @default 'default' */
  connection?: string;
  /** Queues whose backlog is looked at. @default those with a handler here, and those that `forRoot` has options for */
  queues?: readonly string[];
  /** Age of the oldest ready task, in milliseconds, from which the state is `degraded`. @default 60000 */
  backlogAgeMs?: number;
  /** Longest wait for Redis, in milliseconds; then the state is `down`. @default 2000 */
  timeoutMs?: number;
}

/** A worker whose read loop has not come round for this many blocking reads is stalled. */
const STALLED_AFTER_READS = 3;

/**
 * Health of one connection for Terminus: `down` when Redis does not answer or when a worker that should run does not
 * get on, `degraded` when tasks wait too long, else `up`. Terminus 11 knows no `degraded`: there it is `up` with
 * `degraded: true` in the details. Details are numbers and names, never payloads.
 */
@Injectable()
export class TaskQueueHealthIndicator {
  constructor(
    private readonly health: HealthIndicatorService,
    private readonly moduleRef: ModuleRef,
  ) {}

  /**
   * Looks now; rejects for a connection that was not configured, and for nothing else.
   * @param key name of the indicator in the answer
   */
  async check<const Key extends string>(
    key: Key,
    options: TaskQueueHealthOptions = {},
  ): Promise<HealthIndicatorResult<Key>> {
    const session = this.health.check(key);
    const { queue, host } = this.find(options.connection);
    const names = options.queues ?? [...new Set([...host.queues, ...Object.keys(queue.options.queues)])];
    const worker = workerDetail(host);
    let answer: RedisAnswer;
    try {
      answer = await within(options.timeoutMs ?? 2000, askRedis(queue, names));
    } catch (error) {
      return session.down({ reason: `Redis: ${(error as Error).message}`, worker });
    }
    const { pingMs, counts } = answer;
    const details = { redis: { pingMs }, worker, queues: counts };
    const stopped = whyNotWorking(host, queue.options.worker.blockMs);
    if (stopped !== undefined) return session.down({ reason: stopped, ...details });
    const late = names.filter(
      (name) => (counts[name]?.oldestReadyMs ?? 0) > (options.backlogAgeMs ?? 60_000),
    );
    if (late.length === 0) return session.up(details);
    const reason = `tasks wait too long in ${late.map((name) => `"${name}"`).join(', ')}`;
    if (typeof session.degraded === 'function') return session.degraded({ reason, ...details });
    return (session as Pick<typeof session, 'up'>).up({ degraded: true, reason, ...details });
  }

  private find(connection: string | undefined): { queue: TaskQueue; host: TaskWorkerHost } {
    try {
      return {
        queue: this.moduleRef.get(getTaskQueueToken(connection), { strict: false }),
        host: this.moduleRef.get(getTaskWorkerHostToken(connection), { strict: false }),
      };
    } catch (error) {
      const name = connection ?? 'default';
      throw new ConfigurationError('TaskQueueHealthIndicator', [`there is no connection "${name}"`], {
        cause: error,
      });
    }
  }
}

interface RedisAnswer {
  readonly pingMs: number;
  readonly counts: Readonly<Record<string, QueueCounts>>;
}

async function askRedis({ inspector }: TaskQueue, names: readonly string[]): Promise<RedisAnswer> {
  const pingMs = Math.round((await inspector.ping()) * 10) / 10;
  const counts = await Promise.all(names.map(async (name) => [name, await inspector.counts(name)] as const));
  return { pingMs, counts: Object.fromEntries(counts) };
}

function whyNotWorking(host: TaskWorkerHost, blockMs: number): string | undefined {
  if (!host.shouldWork) return undefined;
  const status = host.status();
  if (!status || status.state !== 'running') return `the worker is ${status?.state ?? 'not there'}`;
  if (status.lastProgressMs <= STALLED_AFTER_READS * blockMs) return undefined;
  return `the worker has not read for ${Math.round(status.lastProgressMs)} ms`;
}

/** Nothing when no worker was started: a producer, or one that waits for its `start()`. */
function workerDetail(host: TaskWorkerHost): Record<string, unknown> | undefined {
  const status = host.status();
  if (!status) return undefined;
  const { state, consumer, queues, lastProgressMs } = status;
  return { state, consumer, queues, lastProgressMs: Math.round(lastProgressMs) };
}

async function within<T>(ms: number, answer: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const timeUp = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${ms} ms`)), ms);
  });
  try {
    return await Promise.race([answer, timeUp]);
  } finally {
    clearTimeout(timer);
  }
}
