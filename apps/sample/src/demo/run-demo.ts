import { setTimeout as sleep } from 'node:timers/promises';
import { ApiCaller } from './api-caller.js';
import { checkLedger, type Verdict } from './check-ledger.js';
import type { Evidence, KilledWorker, Repeats } from './evidence.js';
import { readEffects } from './effects.js';
import { handOverTimes, runningOn } from './hand-over.js';
import { makeImages } from './images.js';
import { demoInput, type DemoInput, type DemoSize, webhook } from './inputs.js';
import { readMovies } from './movies.js';
import { Progress } from './progress.js';
import type { SampleProcess } from './sample-process.js';
import { SLOTS, type Stage } from './stage.js';
import { SLOW_EVENT } from './webhook-receiver.js';

/** How a run is done. */
export interface DemoPlan extends DemoSize {
  /** How long the input takes to be sent: about as fast as two workers get on with it. */
  readonly feedMs: number;
}

const LOOK_MS = 20;
const SLOW_WEBHOOKS = 4;
/** Tasks that the victim of kill -9 must be running: a kill that hits nobody proves nothing. */
const BUSY = 5;
const MOST_SLOW_ROUNDS = 10;
/** Longest wait for anything that should happen soon. */
const PATIENCE_MS = 30_000;

/** One run: sends the input, kills and stops workers meanwhile, and compares what everybody says of it. */
export class DemoRun {
  private readonly killed: KilledWorker[] = [];
  private readonly progress = new Progress();
  private caller!: ApiCaller;
  /** Why waiting for anything has become pointless. */
  private failure: unknown;

  constructor(
    private readonly stage: Stage,
    private readonly plan: DemoPlan,
    private readonly ending: AbortSignal,
  ) {}

  async run(): Promise<Verdict> {
    const { stage, progress } = this;
    progress.say(`Redis: ${stage.redisName}; webhook receiver: ${stage.receiver.url}`);
    const [images, first, second] = await this.boot();
    const input = demoInput(readMovies(), images, stage.receiver.url, this.plan);
    const sending = this.send(input);
    sending.catch((error: unknown) => (this.failure ??= error)); // awaited below, after what happens meanwhile
    await this.killHalfWay(second, input);
    const handOver = await this.stopGently(first);
    const repeats = await sending;
    await this.untilSettled();
    progress.say('Every task has ended. Asking Redis what it thinks, then stopping.');
    const queues = await this.caller.states();
    await stage.stopProcesses();
    progress.clear();
    return checkLedger(this.evidence({ ...repeats, handOverMs: handOver(), queues, mustDie: input.mustDie }));
  }

  private async boot(): Promise<[readonly string[], SampleProcess, SampleProcess]> {
    const { stage } = this;
    const api = stage.start('api', 'main.api.js');
    const first = stage.start('worker-1', 'main.worker.js');
    const second = stage.start('worker-2', 'main.worker.js');
    const [images, url] = await this.orEnd(
      Promise.all([makeImages(stage.dataFolder), api.url, first.url, second.url]),
    );
    this.caller = new ApiCaller(url, stage.ledger);
    this.progress.say(`API: ${url}, and two workers with ${SLOTS} slots each`);
    return [images, first, second];
  }

  /** Sends everything at an even pace, then some of it again. */
  private async send({
    requests,
    repeats,
    conflicts,
  }: DemoInput): Promise<Record<'duplicates' | 'conflicts', Repeats>> {
    const started = performance.now();
    for (const [n, request] of requests.entries()) {
      const due = started + (n / requests.length) * this.plan.feedMs;
      await sleep(Math.max(0, due - performance.now()), undefined, { signal: this.ending });
      await this.caller.send(request);
    }
    return {
      duplicates: await this.caller.repeat(repeats, 'duplicate'),
      conflicts: await this.caller.repeat(conflicts, 'conflict'),
    };
  }

  /** kill -9 for a worker in the middle of its work, and another in its place. */
  private async killHalfWay(victim: SampleProcess, { requests }: DemoInput): Promise<void> {
    const { ledger } = this.stage;
    const half = requests.reduce((sum, { tasks }) => sum + tasks, 0) / 2;
    await this.until('half of the tasks', () => ledger.endedCount >= half);
    await this.until('the worker to be busy', () => runningOn(ledger.read(), victim.pid).length >= BUSY);
    victim.signal('SIGKILL');
    await victim.ended;
    const running = runningOn(ledger.read(), victim.pid).length;
    this.killed.push({ pid: victim.pid, slots: SLOTS });
    this.progress.say(`kill -9 ${victim.name} with ${running} tasks running; starting worker-3`);
    const next = this.stage.start('worker-3', 'main.worker.js');
    await this.orEnd(next.url);
    this.progress.say('worker-3 has started');
  }

  /** SIGTERM for a worker with tasks that it cannot finish in time. Answers how to find out when they went on. */
  private async stopGently(worker: SampleProcess): Promise<() => readonly number[]> {
    const { ledger } = this.stage;
    await this.giveSlowWork(worker);
    const signalledAt = Date.now();
    worker.signal('SIGTERM');
    await this.orEnd(worker.ended);
    this.progress.say(`SIGTERM ${worker.name}: gone after ${Date.now() - signalledAt} ms`);
    return () => handOverTimes(ledger.read(), worker.pid, signalledAt);
  }

  /** Which worker gets a task is up to Redis, so some are sent until this one has its share. */
  private async giveSlowWork(worker: SampleProcess): Promise<void> {
    const { ledger, receiver } = this.stage;
    for (let round = 0; round < MOST_SLOW_ROUNDS; round += 1) {
      const ids = new Set<string>();
      for (let n = 0; n < SLOW_WEBHOOKS; n += 1) {
        const request = webhook(`slow-${round}-${n}`, SLOW_EVENT, receiver.url);
        for (const { id } of await this.caller.send(request)) ids.add(id);
      }
      const started = () => ledger.read().filter(({ fact, id }) => fact === 'started' && ids.has(id));
      const hasOne = () => started().some(({ pid }) => pid === worker.pid);
      await this.until('slow webhooks to start', () => hasOne() || started().length >= ids.size);
      if (hasOne()) return;
    }
    throw new Error(`${worker.name} was given no slow webhook in ${MOST_SLOW_ROUNDS} rounds`);
  }

  /** Until every accepted task has an end, and what a killed worker may have ended without a word is out of Redis. */
  private async untilSettled(): Promise<void> {
    const { ledger } = this.stage;
    const bound = this.killed.length * SLOTS;
    await this.until('tasks to end', () => ledger.accepted.length - ledger.endedCount <= bound);
    await this.until('the queues to be empty', async () => {
      const missing = ledger.accepted.length - ledger.endedCount;
      return missing === 0 || (await this.caller.unfinished()) === 0;
    });
  }

  private evidence(
    known: Pick<Evidence, 'queues' | 'duplicates' | 'conflicts' | 'handOverMs' | 'mustDie'>,
  ): Evidence {
    const { ledger, dataFolder, receiver } = this.stage;
    const effects = readEffects(dataFolder, receiver.takenKeys);
    return { accepted: ledger.accepted, facts: ledger.read(), killed: this.killed, effects, ...known };
  }

  /** Looks again and again, and shows how far everything is. */
  private async until(what: string, fact: () => boolean | Promise<boolean>): Promise<void> {
    const deadline = performance.now() + PATIENCE_MS;
    while (!(await fact())) {
      if (this.failure) throw this.failure as Error;
      if (performance.now() > deadline)
        throw new Error(`waited ${PATIENCE_MS / 1000} s for ${what}, in vain`);
      await sleep(LOOK_MS, undefined, { signal: this.ending });
      const { movies, thumbnails, webhooks } = this.plan;
      const { accepted, endedCount } = this.stage.ledger;
      this.progress.update(endedCount, Math.max(accepted.length, movies + thumbnails + webhooks));
    }
  }

  /** Waits, but not past the end of the demo. */
  private async orEnd<T>(waiting: Promise<T>): Promise<T> {
    let onAbort: (() => void) | undefined;
    const aborted = new Promise<never>((_resolve, reject) => {
      onAbort = () => reject(this.ending.reason as Error);
      this.ending.addEventListener('abort', onAbort, { once: true });
    });
    try {
      return await Promise.race([waiting, aborted]);
    } finally {
      if (onAbort) this.ending.removeEventListener('abort', onAbort);
    }
  }
}
