import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type EngineOptions, TaskQueue, type TaskWorker } from '@taskq/core';
import { type RedisServer, waitFor } from '@taskq/testing';
import { type ActorConfig, type Load, TASK_QUEUE, type Work } from './actors/actor-config.js';
import { Actor } from './actors/actor.js';
import { chaosHandlers, ENGINE_FACTS, keepFacts } from './actors/handler.js';
import { enqueue } from './actors/produce.js';
import { type Event, HistoryWriter, readHistory, steadyMs } from './history/history.js';
import { Sink, SinkClient } from './history/sink.js';
import { type Verdict, verdictOf } from './history/verdict.js';
import type { Dice } from './dice.js';
import { engineScripts } from './proxy/engine-scripts.js';
import { FaultProxy } from './proxy/fault-proxy.js';

/** The lease of every worker of the laboratory: V of the goals. */
export const LEASE_MS = 1000;

/** Longest time from a death to the next start, when somebody has a free slot: V + V/6 + 1 s. */
export const RECOVERY_MS = LEASE_MS + LEASE_MS / 6 + 1000;

/** What a run was told at its start. */
export interface RunSetting {
  readonly name: string;
  /** Number of the run: with the seed it says everything that chance decides. */
  readonly number: number;
  readonly dice: Dice;
  /** The program of actors, bundled. */
  readonly program: string;
  /** Says how far a long run has got. */
  readonly say: (line: string) => void;
}

/**
 * One run of one fault: its actors, its sink, its history and, at the end, what it comes to. Everything a run opens
 * through it is closed with it.
 */
export class Run {
  readonly dice: Dice;
  readonly number: number;
  readonly history: HistoryWriter;
  readonly folder: string;
  readonly actors: Actor[] = [];
  /** Keys of this run begin with it, and so do all of its keys in Redis. */
  readonly prefix: string;
  private readonly closing: (() => unknown)[] = [];
  private made = 0;
  private passing: SinkClient | undefined;

  private constructor(
    private readonly setting: RunSetting,
    readonly sink: Sink,
    folder: string,
    history: HistoryWriter,
  ) {
    this.dice = setting.dice;
    this.number = setting.number;
    this.folder = folder;
    this.history = history;
    this.prefix = setting.name;
  }

  static async begin(setting: RunSetting): Promise<Run> {
    const folder = mkdtempSync(join(tmpdir(), 'taskq-chaos-'));
    mkdirSync(join(folder, 'history'));
    const history = new HistoryWriter(join(folder, 'history'), 'supervisor');
    const sink = await Sink.listen(
      join(folder, 'sink.sock'),
      new HistoryWriter(join(folder, 'history'), 'sink'),
    );
    return new Run(setting, sink, folder, history);
  }

  /** Options of an engine of this run: a short lease, and waits to match. */
  options(url: string | EngineOptions['redis'], over: EngineOptions = {}): EngineOptions {
    const redis = typeof url === 'string' ? { url } : url;
    return {
      prefix: this.prefix,
      ...over,
      redis: { commandTimeout: '1s', persistence: 'ignore', ...redis, ...over.redis },
      queueDefaults: { concurrency: 4, ...over.queueDefaults },
      worker: { lease: LEASE_MS, abortGrace: '200ms', drainTimeout: '2s', ...over.worker },
    };
  }

  /** Tells whoever waits for it how far the run has got. */
  say(line: string): void {
    this.setting.say(`${this.setting.name}: ${line}`);
  }

  /** Folder of what all processes of the run write. */
  get records(): string {
    return join(this.folder, 'history');
  }

  /** Starts a process; it is ended with the run. */
  actor(
    role: ActorConfig['role'],
    engine: EngineOptions,
    over: Partial<ActorConfig> = {},
    nodeArgs: readonly string[] = [],
  ): Actor {
    const config: ActorConfig = {
      name: `${role}-${(this.made += 1)}`,
      folder: this.records,
      sink: this.sink.path,
      engine,
      role,
      ...over,
    };
    const actor = new Actor(this.setting.program, config, nodeArgs);
    this.actors.push(actor);
    return actor;
  }

  /** Starts workers and waits until all run. */
  async workers(count: number, engine: EngineOptions, over: Partial<ActorConfig> = {}): Promise<Actor[]> {
    const workers = Array.from({ length: count }, () => this.actor('worker', engine, over));
    await Promise.all(workers.map((worker) => worker.until('ready')));
    return workers;
  }

  /** A worker in this process, stopped with the run; its tasks are written down under its name. */
  async localWorker(engine: TaskQueue, name = 'local'): Promise<TaskWorker> {
    const history = new HistoryWriter(this.records, name);
    const sink = new SinkClient(this.sink.path);
    keepFacts(engine.events, history);
    const worker = engine.createWorker(chaosHandlers(history, sink));
    await worker.start();
    this.onEnd(async () => {
      await worker.stop({ drainTimeoutMs: 0 });
      sink.close();
      history.close();
    });
    return worker;
  }

  /** A worker of this process that starts and stops at once. */
  async passingWorker(engine: TaskQueue): Promise<void> {
    this.passing ??= new SinkClient(this.sink.path);
    const worker = engine.createWorker(chaosHandlers(this.history, this.passing));
    await worker.start();
    await worker.stop();
  }

  /** A proxy in front of a server; it is closed with the run. */
  async proxy(server: RedisServer): Promise<FaultProxy> {
    const scripts = engineScripts();
    const proxy = await FaultProxy.start(server.connection, { random: this.dice.random, scripts });
    this.onEnd(() => proxy.close());
    return proxy;
  }

  /** An engine in this process; it is closed with the run. */
  async engine(options: EngineOptions): Promise<TaskQueue> {
    const engine = await TaskQueue.open(options);
    for (const name of ENGINE_FACTS)
      engine.events.on(name, (detail) => this.history.add({ e: 'fact', name, detail }));
    this.onEnd(() => engine.close());
    return engine;
  }

  /** Enqueues tasks from this process and writes it down. */
  async enqueue(
    engine: TaskQueue,
    count: number,
    work: Work | ((i: number) => Work) = {},
    how: Pick<Load, 'durability' | 'insist'> = {},
  ): Promise<void> {
    const first = this.made;
    this.made += count;
    await Promise.all(
      Array.from({ length: count }, (_, i) =>
        enqueue(engine.producer, this.history, `s-${first + i}`, {
          ...how,
          work: typeof work === 'function' ? work(i) : work,
        }),
      ),
    );
  }

  /** Writes down what is done to whom, and answers when, in milliseconds of the steady clock. */
  fault(name: string, target?: string): number {
    this.history.add({ e: 'fault', name, ...(target !== undefined && { target }) });
    return steadyMs();
  }

  /** Waits until the queue holds nothing but dead letters. Rejects with what is left when that takes too long. */
  async untilEmpty(engine: TaskQueue, timeoutMs = 15_000): Promise<void> {
    await waitFor(async () => (await unfinished(engine)) === 0, {
      what: 'the queue to be empty',
      timeoutMs,
      intervalMs: 20,
    });
  }

  events(): Event[] {
    return readHistory(this.records);
  }

  /** What the run comes to. */
  async verdict(engine: TaskQueue): Promise<Verdict> {
    const dead: string[] = [];
    for (let after = ''; ;) {
      const page = await engine.broker.listDeadLetters(TASK_QUEUE, after, 100);
      dead.push(...page.map((letter) => letter.id));
      if (page.length < 100) break;
      after = page.at(-1)!.entryId;
    }
    return verdictOf(this.events(), { dead, unfinished: await unfinished(engine) });
  }

  /** How long a fault lasts: the fault itself, never a wait for its effect. */
  lasting(ms: number): Promise<void> {
    return delay(ms);
  }

  onEnd(close: () => unknown): void {
    this.closing.push(close);
  }

  /** Ends everything, newest first, and removes what was written; `keep` leaves the history for people to read. */
  async end(keep: boolean): Promise<void> {
    await Promise.all(this.actors.map((actor) => actor.close()));
    for (const close of this.closing.toReversed()) await close();
    this.passing?.close();
    await this.sink.close();
    this.history.close();
    if (!keep) rmSync(this.folder, { recursive: true, force: true });
  }
}

async function unfinished(engine: TaskQueue): Promise<number> {
  const { ready, active, scheduled } = await engine.inspector.counts(TASK_QUEUE);
  return ready.high + ready.normal + ready.low + active + scheduled;
}
