import type { Clock } from '../runtime/clock.js';
import { atEndOfTurn } from '../runtime/turn.js';

/** A turn of the event loop with so many tasks is load, and so is what follows it that soon. */
const LOAD = { tasks: 32, withinMs: 10 };

/** Tasks that stay together at most, and how far a partition may be ahead of another: more do not leave in one group. */
const TOGETHER = 200;

/** Turns with fewer tasks gather in partitions that are at work, when there are so many of these. */
const GATHERED = { belowTasks: 100, fromBusy: 2 };

/** What is asked before tasks are given to a partition. */
interface PartitionTurnsParts {
  /** How many partitions there are. */
  readonly count: number;
  /** The one that comes first. */
  readonly first: number;
  /** Whether a group is on its way to the partition at this position. */
  readonly isBusy: (position: number) => boolean;
  readonly clock: Clock;
}

/**
 * Gives the tasks of one queue, for which nothing decides, to its partitions: one by one, so that a few tasks are work
 * for the slots of each. Under load the tasks of one turn of the event loop go to the same partition instead, and small
 * turns to few of them: a group costs Redis as much as dozens of tasks. No partition gets ahead of another by more than
 * two groups that way, whichever is slow or does not answer.
 */
export class PartitionTurns {
  /** To each, since there is load. */
  private readonly given: number[];
  private current: number;
  private together = false;
  /** Tasks of this turn, of none while it has not begun, and of the one before. */
  private tasks = 0;
  private tasksBefore = 0;
  private lastLoadAt = Number.NEGATIVE_INFINITY;

  constructor(private readonly parts: PartitionTurnsParts) {
    this.given = Array.from({ length: parts.count }, () => 0);
    this.current = parts.first - 1;
  }

  /** The position of the partition of the next task. */
  next(): number {
    if (this.tasks === 0) this.begin();
    if (!this.together) this.current = (this.current + 1) % this.parts.count;
    else if (this.tasks % TOGETHER === 0) this.current = this.choose();
    this.tasks += 1;
    this.given[this.current]! += 1;
    return this.current;
  }

  private begin(): void {
    const { clock } = this.parts;
    const isLoad = clock.monotonicMs() - this.lastLoadAt < LOAD.withinMs;
    // What a pause has made up for is nobody's debt.
    if (isLoad && !this.together) this.given.fill(0);
    this.together = isLoad;
    atEndOfTurn(() => {
      if (this.tasks >= LOAD.tasks) this.lastLoadAt = clock.monotonicMs();
      this.tasksBefore = this.tasks;
      this.tasks = 0;
    });
  }

  /** Who was given the fewest of those where tasks should gather, unless these are too far ahead: then of all. */
  private choose(): number {
    const most = Math.min(...this.given) + TOGETHER;
    const gathers = this.whereTasksGather();
    const chosen = this.fewest((position) => gathers(position) && this.given[position]! <= most);
    return chosen < 0 ? this.fewest(() => true) : chosen;
  }

  /** Those that have nothing to do while few are at work, else those that are: there a small turn waits for the next. */
  private whereTasksGather(): (position: number) => boolean {
    const { count, isBusy } = this.parts;
    if (this.tasksBefore >= GATHERED.belowTasks) return () => true;
    let busy = 0;
    for (let position = 0; position < count; position += 1) if (isBusy(position)) busy += 1;
    return busy < GATHERED.fromBusy ? (position) => !isBusy(position) : isBusy;
  }

  /** The next one by turns among those that were given the fewest; -1 when none may be it. */
  private fewest(mayBe: (position: number) => boolean): number {
    const { count } = this.parts;
    let best = -1;
    for (let step = 1; step <= count; step += 1) {
      const position = (this.current + step + count) % count;
      if (mayBe(position) && (best < 0 || this.given[position]! < this.given[best]!)) best = position;
    }
    return best;
  }
}
