import { BEFORE_ALL } from './entry-id.js';
import type { MemoryQueue } from './memory-queue.js';

const YEAR_2026_MS = Date.UTC(2026, 0, 1);

/** What a queue's data is called, and whether anything had to be made. */
export interface Ensured {
  readonly made: boolean;
  readonly epoch: string;
  readonly era: number;
}

/** Which data a process knew the queue to be. */
export type KnownData = Pick<Ensured, 'epoch' | 'era'>;

/** Names data sets and eras, over everything that a store may forget. */
export class DataNames {
  private epochs = 0;
  private lastEra = 0;

  constructor(private readonly random: () => number) {}

  /** A name that no data set had. */
  epoch(): string {
    this.epochs += 1;
    return `${this.epochs.toString(36)}.${Math.floor(this.random() * 2 ** 40).toString(36)}`;
  }

  /** A later era than any before: seconds since 2026 if those have grown as much. */
  eraAfter(era: number, now: number): number {
    this.lastEra = Math.max(era + 1, this.lastEra + 1, Math.floor((now - YEAR_2026_MS) / 1000));
    return this.lastEra;
  }
}

/** Makes the queue's groups where they are missing, if it shall, and says which data this is (`ensure.lua`). */
export function ensure(
  queue: MemoryQueue,
  now: number,
  names: DataNames,
  { make, known }: { readonly make: boolean; readonly known: KnownData | undefined },
): Ensured {
  const { control } = queue;
  let made = false;
  const inhabited = isInhabited(queue);
  if (make) for (const stream of queue.read()) made = stream.makeGroup() || made;
  // Tasks that are there before the data has a name may have been given out already: by a server that had named it.
  let outdated = made && (control.epoch !== undefined || inhabited);
  control.epoch ??= names.epoch();
  control.era ??= 0;
  // Of other data, whose tasks may be given again, deliveries may be known under eras that this one has not reached.
  if (known && known.epoch !== control.epoch && known.era >= control.era) outdated = true;
  if (outdated) beginEra(queue, now, names);
  return { made, epoch: control.epoch, era: control.era };
}

function isInhabited({ lanes, scheduled, dead }: MemoryQueue): boolean {
  return scheduled.size + dead.length > 0 || Object.values(lanes).some((lane) => lane.last !== BEFORE_ALL);
}

/** Delivery counts may begin anew: whatever is delivered from now on has a greater era. */
export function beginEra({ control }: MemoryQueue, now: number, names: DataNames): void {
  if (control.epoch !== undefined) control.era = names.eraAfter(control.era ?? 0, now);
}
