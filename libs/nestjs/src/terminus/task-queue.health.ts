import { Injectable } from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import { type HealthIndicatorResult, HealthIndicatorService } from '@nestjs/terminus';
import {
  ConfigurationError,
  type KnownLoss,
  type QueueCounts,
  type RedisBroker,
  type TaskQueue,
} from '@taskq/core';
import { getTaskQueueToken, getTaskWorkerHostToken } from '../task-queue.tokens.js';
import type { TaskWorkerHost } from '../task-worker.host.js';
import { judgeHealth } from './health-verdict.js';

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
  /**
   * For how long after this process learnt that Redis had lost data the state is `degraded`, in milliseconds. 0: it does
   * not show. @default 300000
   */
  dataLossMs?: number;
  /**
   * Whether the state is `down` then instead: for a check that wakes people, not for one that takes processes out of
   * service, since it does so to all of them at once. @default false
   */
  failOnDataLoss?: boolean;
}

const DEFAULTS = { backlogAgeMs: 60_000, timeoutMs: 2000, dataLossMs: 300_000 };

/**
 * Health of one connection for Terminus: `down` when Redis does not answer, when a worker that should run does not get
 * on, or when all its slots are taken by handlers that do not end; `degraded` when that is so in one of its queues, when
 * tasks wait too long, for a while after Redis lost data, of which the details say what, and while the server is one
 * that the options refuse at a start; else `up`. Terminus 11 knows no `degraded`: there it is `up` with
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
    const { backlogAgeMs, timeoutMs, dataLossMs } = { ...DEFAULTS, ...options };
    const losses = recentLosses(queue, dataLossMs);
    const unfit = unfitServers(queue);
    const known = {
      worker: workerDetail(host),
      ...(unfit.length > 0 && { unfit }),
      ...(losses.length > 0 && { dataLoss: losses.map(lossDetail) }),
    };
    let answer: RedisAnswer;
    try {
      answer = await within(timeoutMs, askRedis(queue, names));
    } catch (error) {
      return session.down({ reason: `Redis: ${(error as Error).message}`, ...known });
    }
    const { pingMs, counts } = answer;
    const { state, reasons } = judgeHealth({
      shouldWork: host.shouldWork,
      worker: host.status(),
      blockMs: queue.options.worker.blockMs,
      late: names.filter((name) => (counts[name]?.oldestReadyMs ?? 0) > backlogAgeMs),
      losses,
      unfit,
      failOnDataLoss: options.failOnDataLoss ?? false,
    });
    const details = { redis: { pingMs }, ...known, queues: counts };
    if (state === 'up') return session.up(details);
    const told = { reason: reasons.join('; '), ...details };
    if (state === 'down') return session.down(told);
    if (typeof session.degraded === 'function') return session.degraded(told);
    return (session as Pick<typeof session, 'up'>).up({ degraded: true, ...told });
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

/** The last loss of each queue, where that is not longer ago. */
function recentLosses({ losses }: TaskQueue, withinMs: number): readonly KnownLoss[] {
  return losses.lastOfEach.filter(({ at }) => Date.now() - at < withinMs);
}

/** A broker of somebody's own, as in a test, may have no servers. */
function unfitServers({ broker }: TaskQueue): readonly string[] {
  return (broker as Partial<RedisBroker>).unfit ?? [];
}

/** What was lost, from where to where, and what could be done about it. */
function lossDetail({ queue, at, how, ranges, reoffered, forgotten }: KnownLoss): object {
  return { queue, at: new Date(at).toISOString(), how, ranges, reoffered, forgotten };
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
