import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import {
  type ContractOptions,
  type EngineOptions,
  type HandlerDefinition,
  HandlerRegistry,
  type PayloadClass,
  type StandardSchema,
  TaskQueue,
  type TaskQueueParts,
  type TaskWorker,
} from '@taskq/core';
import { type RedisServer, startRedisServer, type StartRedisOptions, waitFor } from '@taskq/testing';
import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest';
import { Facts } from './facts.js';
import { LeakWatch } from './leak-watch.js';

/** Queue of every test that does not name one. */
export const QUEUE = 'default';

/** How many partitions {@link QUEUE} has in this run: whatever holds for a queue must hold for one that is split. */
const PARTITIONS = Number(process.env['TASKQ_TEST_PARTITIONS'] ?? 1);

/**
 * Skips what only holds for a queue that is not split: a test that looks at its keys or its script calls, at the order of
 * all its tasks, or at a single slot.
 */
export const SPLIT = PARTITIONS > 1;

/** Lanes of {@link QUEUE} as written in architecture §5; never asked of the code. */
export const LANE_KEYS = { high: ':tasks:high', normal: ':tasks', low: ':tasks:low' } as const;

/** Kinds of handles that a test must not leave behind; timers are watched one by one. */
const HANDLES = /^(TCP|Pipe|Process|GetAddrInfo|TLS)/;

interface Closable {
  close(): Promise<void> | void;
}

/** A private Redis for one file, a prefix for each test, and everything that a test opened. */
export class Lab {
  server!: RedisServer;
  /** A connection of the test's own: what it sees and writes goes past the engine. */
  admin!: Redis;
  /** First part of every key of this test. */
  prefix = '';
  /** What {@link QUEUE} is kept under, known once an engine is open. */
  private parts: readonly string[] = [QUEUE];
  private engines: TaskQueue[] = [];
  private workers: TaskWorker[] = [];
  private others: Closable[] = [];
  private handlesBefore: Readonly<Record<string, number>> = {};
  private readonly leaks = new LeakWatch();

  /** An engine on this file's Redis, with the prefix of this test. Short lease and grace unless told otherwise. */
  async open(options: EngineOptions = {}, parts: TaskQueueParts = {}): Promise<TaskQueue> {
    const engine = await TaskQueue.open(this.options(options), parts);
    this.engines.push(engine);
    this.parts = engine.inspector.partitions(QUEUE);
    return engine;
  }

  /** What {@link open} opens with. */
  options(options: EngineOptions = {}): EngineOptions {
    return {
      prefix: this.prefix,
      ...options,
      ...(SPLIT && { queues: split(options) }),
      redis: { url: this.server.url, ...options.redis },
      // The thread is a compiled file, which sources that run as they are do not have; see lease-guard.spec.
      worker: {
        lease: '1s',
        abortGrace: '200ms',
        drainTimeout: '2s',
        heartbeatThread: false,
        ...options.worker,
      },
    };
  }

  /** A started worker with these handlers. */
  async work(engine: TaskQueue, ...handlers: readonly HandlerDefinition[]): Promise<TaskWorker> {
    const worker = this.worker(engine, ...handlers);
    await worker.start();
    return worker;
  }

  /** A worker that is not started. */
  worker(engine: TaskQueue, ...handlers: readonly HandlerDefinition[]): TaskWorker {
    const registry = new HandlerRegistry();
    for (const definition of handlers) registry.add(definition);
    const worker = engine.createWorker(registry);
    this.workers.push(worker);
    return worker;
  }

  /** Closes this, too, when the test is over. */
  track<T extends Closable>(thing: T): T {
    this.others.push(thing);
    return thing;
  }

  /** A key of the queue, or of its first part: `key(':tasks')`. */
  key(suffix: string, queue = QUEUE): string {
    return `${this.prefix}:{${queue === QUEUE ? this.parts[0] : queue}}${suffix}`;
  }

  /** The same key of each part of {@link QUEUE}. */
  keys(suffix: string): string[] {
    return this.parts.map((part) => `${this.prefix}:{${part}}${suffix}`);
  }

  /** Payloads that stand on a lane, parsed, in order; part by part. */
  async payloads(lane: keyof typeof LANE_KEYS = 'normal', queue = QUEUE): Promise<unknown[]> {
    const keys = queue === QUEUE ? this.keys(LANE_KEYS[lane]) : [this.key(LANE_KEYS[lane], queue)];
    const entries = await Promise.all(keys.map((key) => this.admin.xrange(key, '-', '+')));
    return entries.flat().map(([, fields]) => JSON.parse(fields[fields.indexOf('payload') + 1]!) as unknown);
  }

  /** Waits until the queue holds nothing: nothing ready, active or scheduled. */
  async untilEmpty(engine: TaskQueue, timeoutMs = 5000, queue = QUEUE): Promise<void> {
    await waitFor(
      async () => {
        const { ready, active, scheduled } = await engine.inspector.counts(queue);
        return ready.high + ready.normal + ready.low + active + scheduled === 0;
      },
      { what: 'the queue to be empty', timeoutMs },
    );
  }

  /** How often each command was called, by what `INFO commandstats` says. */
  async calls(command: string): Promise<number> {
    const info = await this.admin.info('commandstats');
    return Number(new RegExp(`cmdstat_${command}:calls=(\\d+)`).exec(info)?.[1] ?? 0);
  }

  async begin(): Promise<void> {
    this.prefix = `t${randomBytes(5).toString('hex')}`;
    this.handlesBefore = handles();
    this.leaks.start();
  }

  /** Ends everything in the right order and fails when something outlives that. */
  async end(): Promise<void> {
    const workers = this.workers.splice(0);
    const engines = this.engines.splice(0);
    const others = this.others.splice(0).toReversed();
    await Promise.all(
      workers
        .filter((worker) => worker.status().state !== 'stopped')
        .map((worker) => worker.stop({ drainTimeoutMs: 0 })),
    );
    await Promise.all(engines.map((engine) => engine.close()));
    for (const other of others) await other.close();
    const left = {
      workers: workers.filter((worker) => worker.status().state !== 'stopped').length,
      connections: await settledTo(() => this.connectionsLeft(), 0),
      handles: await settledTo(() => this.handlesLeft(), ''),
      timers: await settledTo(() => this.leaks.left(), ''),
    };
    this.leaks.stop();
    if (Object.values(left).some(Boolean)) throw new Error(`the test left behind: ${JSON.stringify(left)}`);
  }

  private async connectionsLeft(): Promise<number> {
    const list = String(await this.admin.client('LIST'));
    return list.split('\n').filter((line) => line.includes('name=taskq:')).length;
  }

  private handlesLeft(): string {
    const now = handles();
    const more = Object.entries(now).filter(([kind, count]) => count > (this.handlesBefore[kind] ?? 0));
    return more.map(([kind, count]) => `${count - (this.handlesBefore[kind] ?? 0)} ${kind}`).join(', ');
  }
}

/** The queues of an engine, {@link QUEUE} in partitions. */
function split({ queues, queueDefaults }: EngineOptions): EngineOptions['queues'] {
  const own = queues?.[QUEUE];
  const concurrency = Math.max(PARTITIONS, own?.concurrency ?? queueDefaults?.concurrency ?? 10);
  return { ...queues, [QUEUE]: { ...own, concurrency, partitions: PARTITIONS } };
}

/** Starts a private Redis for the file and watches over each of its tests. */
export function lab(server: StartRedisOptions = {}): Lab {
  const here = new Lab();
  beforeAll(async () => {
    here.server = await startRedisServer(server);
    here.admin = new Redis(here.server.url, { maxRetriesPerRequest: null });
    here.admin.on('error', () => undefined);
    await here.admin.ping();
  });
  beforeEach(() => here.begin());
  afterEach(() => here.end());
  afterAll(async () => {
    here.admin?.disconnect();
    await here.server?.stop();
  });
  return here;
}

/** A handler of {@link QUEUE} that fails fast to the next attempt unless its options say otherwise. */
export function handler(
  type: string,
  run: HandlerDefinition['run'],
  options: ContractOptions & { payload?: StandardSchema<unknown, unknown> | PayloadClass } = {},
): HandlerDefinition {
  const { payload, ...rest } = options;
  return {
    type,
    run,
    where: `test ${type}`,
    options: { backoff: { base: 10, max: 20 }, ...rest },
    payload,
  };
}

/** Everything an engine announces from now on. */
export function watch(engine: TaskQueue): Facts {
  return new Facts(engine.events);
}

/** A promise and its handles. */
export function gate<T = void>(): { open: (value: T) => void; passed: Promise<T> } {
  let open!: (value: T) => void;
  const passed = new Promise<T>((resolve) => {
    open = resolve;
  });
  return { open, passed };
}

/** What a call that must reject rejects with. */
export async function rejection(call: Promise<unknown>): Promise<Error & Record<string, unknown>> {
  try {
    await call;
  } catch (error) {
    return error as Error & Record<string, unknown>;
  }
  throw new Error('the call was expected to reject and did not');
}

/** How long a fault lasts: the fault itself, never a wait for its effect. */
export function lasting(ms: number): Promise<void> {
  return delay(ms);
}

/** Numbers from 0. */
export function range(length: number): number[] {
  return Array.from({ length }, (_, i) => i);
}

/** Answers what is seen once it is `wanted`, else what was seen last: sockets take their time to close. */
async function settledTo<T>(look: () => T | Promise<T>, wanted: T): Promise<T> {
  const deadline = performance.now() + 2500;
  for (;;) {
    const seen = await look();
    if (seen === wanted || performance.now() > deadline) return seen;
    await delay(10);
  }
}

function handles(): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const kind of process.getActiveResourcesInfo()) {
    if (HANDLES.test(kind)) counts[kind] = (counts[kind] ?? 0) + 1;
  }
  return counts;
}
