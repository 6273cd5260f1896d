import { availableParallelism } from 'node:os';
import { Redis } from 'ioredis';
import type { EngineOptions, QueueCounts, TaskQueue } from '@taskq/core';
import { type RedisServer, startRedisServer, waitFor } from '@taskq/testing';
import { TASK_QUEUE } from '../actors/actor-config.js';
import type { Actor } from '../actors/actor.js';
import { steadyMs } from '../history/history.js';
import type { Run } from '../run.js';
import type { Filled, Filling, Order } from './orders.js';
import type { LoadPlan } from './plan.js';
import { MachineWatch } from './machine-watch.js';
import { giveRightOfWay, giveUpRightOfWay, keepOnCore } from './right-of-way.js';

/**
 * With arguments the server is surely our own. Without histograms, of which Redis makes one of 20 KB for each command
 * that it meets, memory shows what the queue takes and nothing else.
 */
const SERVER_ARGS = ['--latency-tracking', 'no'];

/** Longest time for any one step; the largest takes about a minute. */
const STEP_MS = 8 * 60_000;

/** Far beyond what the load puts in: fullness is not what is looked at here. */
const MAX_READY = 10_000_000;

/** Name of the connection that looks. */
export const WATCHER = 'laboratory';

/** Everybody who takes part: a Redis of its own, crowds that hold tasks, one who enqueues, one who looks. */
export class LoadSite {
  /** The longest that counting took since this was last set to 0. */
  slowestCountsMs = 0;

  private constructor(
    readonly run: Run,
    readonly plan: LoadPlan,
    readonly redis: RedisServer,
    readonly admin: Redis,
    /** The engine of this process: it looks, and has nothing else to do. */
    readonly engine: TaskQueue,
    private readonly options: EngineOptions,
    readonly epochMs: number,
    private readonly filler: Actor,
    /** Those that live. */
    readonly crowds: Actor[],
    /** Whether Redis, and this process that looks, go before everybody else on this machine. */
    readonly foremost: boolean,
    readonly machine: MachineWatch,
  ) {}

  static async open(run: Run, plan: LoadPlan): Promise<LoadSite> {
    const redis = await startRedisServer({ mode: 'test', args: SERVER_ARGS });
    run.onEnd(() => redis.stop());
    // Interrupts are mostly taken on the first.
    const core = availableParallelism() - 1;
    const foremost =
      redis.pid !== undefined &&
      keepOnCore(redis.pid, core) &&
      giveRightOfWay(redis.pid) &&
      giveRightOfWay(process.pid);
    run.onEnd(() => giveUpRightOfWay(process.pid));
    const machine = new MachineWatch(foremost ? core : undefined);
    run.onEnd(() => machine.end());
    const admin = new Redis({ ...redis.connection, connectionName: WATCHER });
    admin.on('error', () => undefined);
    run.onEnd(() => admin.disconnect());
    const options = run.options(redis.url, {
      redis: { commandTimeout: '5s' },
      // As many are active as there are slots: what would be held ahead is meant to be ready.
      queueDefaults: { concurrency: plan.slots, prefetch: 0, maxReady: MAX_READY },
      worker: { lease: plan.leaseMs },
      tasks: { timeout: '1h' },
    });
    const engine = await run.engine(options);
    const epochMs = steadyMs();
    const filler = run.actor('filler', options, { name: 'filler', filler: { epochMs } });
    const site = new LoadSite(
      run,
      plan,
      redis,
      admin,
      engine,
      options,
      epochMs,
      filler,
      [],
      foremost,
      machine,
    );
    for (let i = 0; i < plan.processes; i += 1) site.join(`crowd-${i}`);
    await Promise.all([filler, ...site.crowds].map((actor) => actor.until('ready', 60_000)));
    return site;
  }

  /** One more crowd, whose handlers may end. */
  join(name: string): Actor {
    const { consumers } = this.plan;
    const crowd = { consumers, epochMs: this.epochMs, gateOpen: true };
    const actor = this.run.actor('crowd', this.options, { name, crowd });
    this.crowds.push(actor);
    return actor;
  }

  /** Ends a crowd without a word. */
  async kill(victim: Actor): Promise<void> {
    this.crowds.splice(this.crowds.indexOf(victim), 1);
    this.run.fault('kill -9', victim.name);
    victim.signal('SIGKILL');
    await victim.ended;
  }

  /** Lets all handlers end, or none. */
  gate(open: boolean): void {
    const order: Order = { order: 'gate', open };
    for (const crowd of this.crowds) crowd.tell(order);
  }

  /** Lets everybody go home, so that what they have written is complete. */
  async end(): Promise<void> {
    const all = [...this.crowds, this.filler];
    for (const actor of all) actor.stop();
    await Promise.all(all.map((actor) => actor.ended));
  }

  /** Has a part of the tasks enqueued; answers when every one was accepted. */
  async fill(name: string, filling: Filling): Promise<Filled> {
    const order: Order = { order: 'fill', name, ...filling };
    this.filler.tell(order);
    const answer = (await this.filler.until(`filled ${name}`, STEP_MS)) as Filled | { error: string };
    if ('error' in answer) throw new Error(`${name} could not be enqueued: ${answer.error}`);
    return answer;
  }

  /** Counts the queue, and notes how long that took. */
  async counts(): Promise<QueueCounts> {
    const from = performance.now();
    const counts = await this.engine.inspector.counts(TASK_QUEUE);
    this.slowestCountsMs = Math.max(this.slowestCountsMs, performance.now() - from);
    return counts;
  }

  /** Waits until the queue is as it should be; says what it is when that takes too long. */
  async until(what: string, fits: (counts: QueueCounts) => boolean, intervalMs = 200): Promise<void> {
    let last: QueueCounts | undefined;
    const fitting = async (): Promise<boolean> => fits((last = await this.counts()));
    await waitFor(fitting, { what, timeoutMs: STEP_MS, intervalMs }).catch((error: unknown) => {
      throw new Error(`${String(error)}; there are ${JSON.stringify(last)}`);
    });
  }
}

/** Ready tasks of all lanes. */
export function readyOf({ ready }: QueueCounts): number {
  return ready.high + ready.normal + ready.low;
}

/** Tasks that are neither done nor dead. */
export function unfinishedOf(counts: QueueCounts): number {
  return readyOf(counts) + counts.active + counts.scheduled;
}
