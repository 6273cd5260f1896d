import type { Clock, DataLoss, Delivery, Lane, LostRange } from '@taskq/core';
import { BEFORE_ALL, compareKeys, entryId, type EntryKey, parseEntryId } from './entry-id.js';
import { LANE_LIST, type MemoryQueue } from './memory-queue.js';
import type { MemoryStore } from './memory-store.js';

/** What one process knows of the data of one queue. */
interface Seen {
  epoch: string | undefined;
  /** The newest entry of each lane that it was given. */
  readonly last: Record<Lane, EntryKey>;
  /** When that was last known to be there, in milliseconds of the process' steady clock. */
  at: number;
}

/** Finds out, for one broker, when the store holds other data than it did, or less of it. */
export class DataWatch {
  private readonly queues = new Map<string, Seen>();
  private readonly listeners = new Set<(loss: DataLoss) => void>();

  constructor(
    private readonly store: MemoryStore,
    private readonly clock: Clock,
  ) {}

  /** Calls `listener` for every loss that is found; answers how to stop that. */
  onLoss(listener: (loss: DataLoss) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** The name of the data set as it is now: another one than before means that all that was there is gone. */
  named(queue: string, epoch: string): void {
    const seen = this.of(queue);
    seen.epoch ??= epoch;
    if (seen.epoch === epoch) seen.at = this.clock.monotonicMs();
    else queueMicrotask(() => this.lookAt(queue)); // as another round trip
  }

  /** Entries that were leased, of each lane in order. */
  saw(deliveries: readonly Delivery[]): void {
    for (let i = 0; i < deliveries.length; i += 1) {
      const { queue, lane, entryId: id } = deliveries[i]!;
      const next = deliveries[i + 1];
      if (next !== undefined && next.lane === lane && next.queue === queue) continue;
      const seen = this.of(queue);
      const key = parseEntryId(id);
      if (compareKeys(seen.last[lane], key) < 0) seen.last[lane] = key;
      seen.at = this.clock.monotonicMs();
    }
  }

  /** Looks at every queue in use. */
  look(): void {
    for (const queue of this.queues.keys()) this.lookAt(queue);
  }

  private lookAt(queue: string): void {
    const loss = this.store.look(queue, (data) => this.compare(data));
    if (loss) for (const listener of this.listeners) listener(loss);
    // After the loss was told: what is missing from now on is missing because of another.
    this.of(queue).at = this.clock.monotonicMs();
  }

  /** What is missing of what was there; from then on what is there now is what counts. */
  private compare({ name: queue, control, lanes }: MemoryQueue): DataLoss | undefined {
    const seen = this.of(queue);
    const replaced = seen.epoch !== undefined && seen.epoch !== control.epoch;
    // Of other data nothing that was seen is left, however far it goes by now.
    const left = (lane: Lane): EntryKey => (replaced ? BEFORE_ALL : lanes[lane].last);
    const ranges = LANE_LIST.filter((lane) => compareKeys(left(lane), seen.last[lane]) < 0).map(
      (lane): LostRange => ({ of: lane, after: entryId(left(lane)), upTo: entryId(seen.last[lane]) }),
    );
    const last = { high: lanes.high.last, normal: lanes.normal.last, low: lanes.low.last };
    const at = this.clock.monotonicMs();
    this.queues.set(queue, { epoch: control.epoch, last, at });
    if (!replaced && ranges.length === 0) return undefined;
    return { queue, how: replaced ? 'replaced' : 'rolled-back', ranges, seenAgoMs: at - seen.at };
  }

  private of(queue: string): Seen {
    let seen = this.queues.get(queue);
    if (seen === undefined) {
      seen = { epoch: undefined, last: { high: BEFORE_ALL, normal: BEFORE_ALL, low: BEFORE_ALL }, at: 0 };
      this.queues.set(queue, seen);
    }
    return seen;
  }
}
