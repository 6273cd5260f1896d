import type { Clock } from '../runtime/clock.js';
import { atEndOfTurn } from '../runtime/turn.js';

/** A turn of the event loop with so many tasks is load: then the next one stays together, if it follows so soon. */
const LOAD = { tasks: 32, withinMs: 10 };

/** Tasks that stay together at most: more do not leave in one group. */
const TOGETHER = 200;

/** Partitions that are kept at work at once, while groups are smaller than they may be. */
const AT_WORK = 2;

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
 * Gives the tasks of one queue, for which nothing decides, to its partitions, evenly: always to the one that was given
 * the fewest. One by one, so that a few tasks are work for the slots of each partition. Under load the tasks of one turn
 * of the event loop go to the same one instead, and to two partitions at a time: a group costs Redis as much as dozens
 * of tasks.
 */
export class PartitionTurns {
  private readonly given: number[];
  private current: number;
  private together = false;
  /** Tasks of this turn; of none while it has not begun. */
  private tasks = 0;
  private lastLoadAt = Number.NEGATIVE_INFINITY;

  constructor(private readonly parts: PartitionTurnsParts) {
    this.given = Array.from({ length: parts.count }, () => 0);
    this.current = parts.first - 1;
  }

  /** The position of the partition of the next task. */
  next(): number {
    if (this.tasks === 0) this.begin();
    if (!this.together) this.current = this.fewest(() => true);
    else if (this.tasks % TOGETHER === 0) this.current = this.fewest(this.atWork());
    this.tasks += 1;
    this.given[this.current]! += 1;
    return this.current;
  }

  private begin(): void {
    const { clock } = this.parts;
    this.together = clock.monotonicMs() - this.lastLoadAt < LOAD.withinMs;
    atEndOfTurn(() => {
      if (this.tasks >= LOAD.tasks) this.lastLoadAt = clock.monotonicMs();
      this.tasks = 0;
    });
  }

  /** The next one by turns among those that were given the fewest. */
  private fewest(mayBe: (position: number) => boolean): number {
    const { count } = this.parts;
    let best = -1;
    for (let step = 1; step <= count; step += 1) {
      const position = (this.current + step + count) % count;
      if (mayBe(position) && (best < 0 || this.given[position]! < this.given[best]!)) best = position;
    }
    return best;
  }

  /** Those that have nothing to do, while few are at work; else those that are: what they are given waits, and gathers. */
  private atWork(): (position: number) => boolean {
    const { count, isBusy } = this.parts;
    let busy = 0;
    for (let position = 0; position < count; position += 1) if (isBusy(position)) busy += 1;
    return busy < AT_WORK ? (position) => !isBusy(position) : isBusy;
  }
}
