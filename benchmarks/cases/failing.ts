import type { Rig } from '../contenders/contender.js';
import { Meter } from '../measure/meter.js';
import { fill, settled } from './backlog-filler.js';
import { type BenchCase, COST, type Trial } from './bench-case.js';

const WINDOW_S = 0.8;
const WARM_UP = 0.3;
/** A failure costs about as much as two tasks. */
const PACE = 1 / 3;

/** Every task fails at its first start and succeeds at its second. */
export const retry: BenchCase = {
  id: 'retry',
  title: 'every task fails once, is tried again as soon as may be, and succeeds: 100 slots',
  contenders: ['taskq', 'bullmq'],
  rounds: 2,
  figures: COST,
  run: (trial) => measure(trial, 2),
};

/** Every task fails for good and is kept as a dead letter. */
export const deadLetter: BenchCase = {
  id: 'dead-letter',
  title: 'every task fails for good and is kept as a dead letter: 100 slots',
  contenders: ['taskq', 'bullmq'],
  rounds: 2,
  figures: COST,
  run: (trial) => measure(trial, 1),
};

/** Has tasks fail; with two attempts allowed, all but the last. */
async function measure(trial: Trial, attempts: 1 | 2): ReturnType<BenchCase['run']> {
  const rig = await trial.open({ attempts, keepFailed: attempts === 1 });
  const tasks = trial.tasks(trial.contender.pace.process.many * PACE, WINDOW_S);
  const failures = new Failures(rig, attempts);
  await rig.work(({ n }) => failures.handle(n));
  await failures.round(Math.ceil(tasks * WARM_UP));
  const meter = new Meter(trial.admin);
  await failures.round(tasks, meter);
  return { figures: await meter.figures(tasks), tasks };
}

/** A handler that holds its tasks until all are enqueued, and then fails as it should. */
class Failures {
  private seen = new Set<number>();
  private calls = 0;
  private wanted = 0;
  private gate: Promise<void> | undefined;
  private over: () => void = () => undefined;

  constructor(
    private readonly rig: Rig,
    private readonly attempts: number,
  ) {}

  async handle(n: number): Promise<void> {
    if (this.gate) await this.gate;
    this.calls += 1;
    if (this.calls === this.wanted) this.over();
    const first = !this.seen.has(n);
    this.seen.add(n);
    if (first) throw new Error('fails on purpose');
  }

  /** Fills the queue behind a closed gate, opens it, and waits until every task was started as often as it may be. */
  async round(tasks: number, meter?: Meter): Promise<void> {
    this.seen = new Set();
    this.calls = 0;
    this.wanted = tasks * this.attempts;
    let open: () => void = () => undefined;
    this.gate = new Promise((resolve) => (open = resolve));
    const allCalled = new Promise<void>((resolve) => (this.over = resolve));
    await fill(this.rig, tasks);
    meter?.begin();
    this.gate = undefined;
    open();
    await allCalled;
    meter?.end();
    await settled(this.rig);
    if (this.calls !== this.wanted) throw new Error(`${this.calls} starts, ${this.wanted} were to be`);
  }
}
