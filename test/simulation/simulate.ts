import type { StoreView } from '@taskq/testing';
import { Book } from './book.js';
import type { Fact } from './facts.js';
import { LawBroken, type Scene } from './laws/law.js';
import { laws } from './laws/laws.js';
import { planOf } from './seed/plan.js';
import { Timeline } from './world/timeline.js';
import { type Tamper, World } from './world/world.js';

/** What one seed came to. */
export interface Outcome {
  readonly seed: number;
  /** The law that was broken, and how; nothing when all were kept. */
  readonly broken: LawBroken | undefined;
  readonly steps: number;
  /** From the end of faults until everything was done, in milliseconds of the simulation. */
  readonly recoveryMs: number;
  /** Accepted tasks that came to no end, since their producer had ended, or said that it could not offer them again. */
  readonly excused: number;
  readonly starts: number;
  /** Starts beyond the first of an attempt. */
  readonly duplicates: number;
  /** Calls of users that were answered. */
  readonly tasks: number;
}

export interface SimulationOptions {
  readonly tamper?: Tamper;
  /** Told of every fact, with the time. */
  readonly watch?: (fact: Fact, ms: number) => void;
}

/** What is still under way when faults end is done after so long, and so much more for each task. */
const BOUND_MS = { all: 60_000, task: 20_000 };

/** When faults end, calls under way have this long beyond the longest wait of a producer to come to their end. */
const EBB_MS = 500;

/** Then everybody meets the store anew, and has this long to find out what was lost. */
const LOOK_MS = 1000;

/** Runs one seed. Answers the same, step by step, for the same seed. */
export async function simulate(seed: number, options: SimulationOptions = {}): Promise<Outcome> {
  return new Simulation(seed, options).run();
}

class Simulation {
  private readonly timeline = new Timeline();
  private readonly book = new Book();
  private readonly plan;
  private readonly laws = laws();
  private readonly world: World;
  private broken: LawBroken | undefined;
  /** The store has changed since the laws last looked at it. */
  private changed = false;
  private starts = 0;
  private readonly attempts = new Set<string>();
  private tasks = 0;

  constructor(
    private readonly seed: number,
    private readonly options: SimulationOptions,
  ) {
    this.plan = planOf(seed);
    const ledger = {
      page: () => this.book.page(),
      wentBack: (page: ReturnType<Book['page']>) => {
        this.laws.losses.lost((queue, id) => page.get(queue)?.tasks.has(id) ?? false);
        this.book.goBackTo(page);
        this.changed = true;
      },
      lostEverything: () => {
        this.laws.losses.lost(() => false);
        this.book.loseEverything();
        this.changed = true;
      },
      lostLeases: (queue: string) => {
        this.book.loseLeases(queue);
        this.changed = true;
      },
      foreign: (queue: string, id: string) => {
        this.book.foreign(queue, id);
        this.changed = true;
      },
    };
    this.world = new World(this.plan, this.timeline, (fact) => this.witness(fact), ledger, options.tamper);
  }

  async run(): Promise<Outcome> {
    let recoveryMs = 0;
    try {
      this.world.begin();
      const { stormMs } = this.plan;
      await this.until(() => this.timeline.now >= stormMs);
      this.world.calm();
      recoveryMs = (await this.settle()) - stormMs;
      await this.close();
    } catch (error) {
      if (!(error instanceof LawBroken)) throw error;
      this.broken ??= error;
    }
    const { seed, broken, starts, tasks } = this;
    const { steps } = this.timeline;
    const { excused } = this.laws.losses;
    const duplicates = starts - this.attempts.size;
    return { seed, broken, steps, recoveryMs, excused, starts, duplicates, tasks };
  }

  /** Lets everything come to its end; answers when it had. */
  private async settle(): Promise<number> {
    const from = this.timeline.now;
    const longest = Math.max(0, ...this.plan.calls.map(({ options }) => (options.delay as number) ?? 0));
    const boundMs = BOUND_MS.all + longest + this.world.setBackMs + this.book.unfinished * BOUND_MS.task;
    const ebbMs = (this.plan.engine.producer!.timeout as number) + EBB_MS;
    this.timeline.at(from + ebbMs, () => this.world.meetAnew());
    let doneAt = from;
    await this.until(() => {
      const { now } = this.timeline;
      if (this.book.unfinished > 0 || this.world.asking > 0) doneAt = now;
      if (now > from + boundMs)
        throw new LawBroken(
          'progress',
          `${this.book.unfinished} tasks are left after ${Math.round(now - from)} ms`,
        );
      return now > from + ebbMs + LOOK_MS && now > doneAt;
    });
    return doneAt;
  }

  private async close(): Promise<void> {
    let left = undefined as readonly string[] | undefined;
    const closing = this.world.close().then((found) => (left = found));
    const from = this.timeline.now;
    await this.until(() => {
      if (this.timeline.now > from + BOUND_MS.all) throw new LawBroken('stop', 'somebody does not stop');
      return left !== undefined;
    });
    if (left === undefined) throw new LawBroken('stop', 'somebody waits for nothing');
    await closing;
    if (left.length > 0) throw new LawBroken('stop', left.join(', '));
    const store = this.world.store.inspect();
    for (const law of this.laws.all) law.ends?.(this.scene(), store);
  }

  private until(done: () => boolean): Promise<void> {
    return this.timeline.run(() => {
      this.look();
      return done();
    });
  }

  /** What happened in one step is in the book: compares it with the store. */
  private look(): void {
    if (this.broken) throw this.broken;
    if (!this.changed) return;
    this.changed = false;
    const store: StoreView = this.world.store.inspect();
    const scene = this.scene();
    for (const law of this.laws.all) law.holds?.(scene, store);
  }

  private witness(fact: Fact): void {
    if (this.broken) return;
    const { watch } = this.options;
    watch?.(fact, this.timeline.now);
    const scene = this.scene();
    try {
      for (const law of this.laws.all) law.sees?.(fact, scene);
    } catch (error) {
      // Thrown at the end of the step: whoever told of the fact is not to blame.
      this.broken = error as LawBroken;
      return;
    }
    if (fact.kind === 'applied') {
      this.book.take(fact, scene.storeNow);
      this.changed ||= changes(fact);
    } else if (fact.kind === 'started') {
      const { queue, id, attempt } = fact.start;
      this.starts += 1;
      this.attempts.add(`${queue} ${id} ${attempt}`);
    } else if (fact.kind === 'told' && !(fact.answer instanceof Error)) this.tasks += 1;
  }

  private scene(): Scene {
    const { plan, book, timeline, world } = this;
    return { plan, book, storeNow: world?.store.now() ?? 0, now: timeline.now };
  }
}

/** Whether a call may have changed where tasks are. */
function changes({ call }: Fact & { kind: 'applied' }): boolean {
  if (call.error !== undefined) return false;
  switch (call.verb) {
    case 'enqueue':
      return call.request[0].tasks.length > 0;
    case 'settle':
      return call.request[0].outcomes.length + call.answer.deliveries.length > 0;
    case 'fetch':
    case 'reclaim':
      return call.answer.deliveries.length > 0;
    case 'promote':
      return call.answer.promoted > 0;
    case 'replay':
    case 'deleteDeadLetters':
      return call.answer > 0;
    default:
      return false;
  }
}
