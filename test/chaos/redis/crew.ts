import { setTimeout as delay } from 'node:timers/promises';
import type { EngineOptions, TaskQueue } from '@taskq/core';
import { waitFor } from '@taskq/testing';
import { type Load, TASK_QUEUE, type Work } from '../actors/actor-config.js';
import type { Actor } from '../actors/actor.js';
import { enqueue } from '../actors/produce.js';
import type { Bounds } from '../bounds.js';
import { type Verdict, verdictOf } from '../history/verdict.js';
import type { Run } from '../run.js';

/** Handlers that each worker runs at once. */
const SLOTS = 4;
const WORKERS = 2;

/** Tasks that may be running at any moment. */
export const IN_FLIGHT = SLOTS * WORKERS;

/** Longest time for what is under way to come to an end when nobody adds to it any more. */
const FINISH_MS = 25_000;

/** How a crew is to work. */
export interface CrewPlan {
  /** How everybody but the judge reaches Redis. */
  readonly options: EngineOptions;
  readonly durability?: Load['durability'];
  readonly insist?: boolean;
  /** @default TASK_QUEUE alone */
  readonly queues?: readonly string[];
}

/**
 * Who is at work before, while and after Redis breaks: two workers, and a producer, that are processes of their own,
 * and a producer in this process whose tasks wait, fail and take longer. Each enqueues a task as soon as the one
 * before was answered, so there are some that were accepted at every moment.
 */
export class Crew {
  private over = false;

  private constructor(
    private readonly run: Run,
    private readonly plan: CrewPlan,
    /** The engine in this process. */
    readonly engine: TaskQueue,
    private readonly far: Actor,
    private near: Promise<unknown>,
    readonly queues: readonly string[],
  ) {}

  static async assemble(run: Run, plan: CrewPlan): Promise<Crew> {
    const { durability, insist = true, queues = [TASK_QUEUE] } = plan;
    const options = { ...plan.options, queueDefaults: { concurrency: SLOTS } };
    const engine = await run.engine({ ...options, worker: { ...options.worker, heartbeatThread: false } });
    const load = { keys: 'far', callers: 3, pauseMs: 15, work: { ms: 5 }, insist, queues };
    const far = run.actor('producer', options, { load: { ...load, ...(durability && { durability }) } });
    await Promise.all([run.workers(WORKERS, options, { queues }), far.until('ready')]);
    const crew = new Crew(run, plan, engine, far, Promise.resolve(), queues);
    crew.near = Promise.all([0, 1, 2].map((caller) => crew.produce(caller)));
    return crew;
  }

  /** No more tasks; waits until those there are have come to an end, and says what it all comes to. */
  async finish(bounds: Bounds, judge: TaskQueue = this.engine): Promise<Verdict> {
    this.over = true;
    this.far.stop();
    const ended = await Promise.race([
      Promise.all([this.near, this.far.ended]).then(() => true),
      delay(FINISH_MS, false),
    ]);
    bounds.hold(ended, 'producers did not come to an end');
    const left = await this.untilEmpty(judge).then(
      () => '',
      (error: unknown) => String(error),
    );
    bounds.hold(left === '', left);
    const dead = await Promise.all(this.queues.map((queue) => deadLetters(judge, queue)));
    return verdictOf(this.run.events(), {
      dead: dead.flat(),
      unfinished: await unfinished(judge, this.queues),
    });
  }

  private async produce(caller: number): Promise<void> {
    const { durability, insist = true } = this.plan;
    for (let i = 0; !this.over; i += 1) {
      const queue = this.queues[i % this.queues.length]!;
      const key = `near-${caller}-${i}`;
      const how = { insist, queue, ...(durability && { durability }) };
      await enqueue(this.engine.producer, this.run.history, key, { ...how, work: this.work(i) });
      await delay(15);
    }
  }

  private work(i: number): Work {
    const { dice } = this.run;
    return {
      ms: dice.between(0, 60),
      ...(i % 5 === 0 && { delayMs: dice.between(100, 1000) }),
      ...(i % 7 === 0 && { fails: 1 }),
    };
  }

  private async untilEmpty(judge: TaskQueue): Promise<void> {
    await waitFor(async () => (await unfinished(judge, this.queues)) === 0, {
      what: 'the queues to be empty',
      timeoutMs: FINISH_MS,
      intervalMs: 20,
    });
  }
}

async function unfinished(judge: TaskQueue, queues: readonly string[]): Promise<number> {
  const all = await Promise.all(queues.map((queue) => judge.inspector.counts(queue)));
  return all.reduce(
    (sum, { ready, active, scheduled }) => sum + ready.high + ready.normal + ready.low + active + scheduled,
    0,
  );
}

async function deadLetters(judge: TaskQueue, queue: string): Promise<string[]> {
  const page = await judge.broker.listDeadLetters(queue, '', 100);
  return page.map((letter) => letter.id);
}
