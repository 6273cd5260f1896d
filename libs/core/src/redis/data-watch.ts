import type { DataLoss, LostRange } from '../contract/data-loss.js';
import { BrokerError } from '../contract/errors.js';
import { type Lane, LANES } from '../contract/lane.js';
import { monotonicMs, sleep, systemClock } from '../runtime/clock.js';
import type { Calls } from './calls.js';
import type { QueueKeys } from './keys.js';
import { dataSetAnswer, type DataSet, type RawEntry } from './replies.js';
import { entryBefore } from './requests.js';
import { scripts } from './scripts.generated.js';

/** Pauses between two looks at a queue that cannot be looked at. */
const LOOK_AGAIN_MS = [50, 100, 200, 400, 800, 1000, 1000];

/** Before the first entry. */
const NONE = '0-0';

/** What is known of the data of one queue. */
interface Seen {
  epoch: string | undefined;
  /** The last entry of each lane that was ever seen. */
  readonly last: Record<Lane, string>;
  /** When that was last known to be there, in milliseconds of the steady clock. */
  at: number;
}

/**
 * Remembers which data each queue is and how far it went, and finds out when Redis comes back with other data or with
 * less of it. What it sees is the newest entry that was delivered here: a loss that stops short of that is found by
 * the producer whose tasks they were.
 */
export class DataWatch {
  private readonly queues = new Map<string, Seen>();
  private readonly listeners = new Set<(loss: DataLoss) => void>();
  /** The last look at each queue: the next one begins where it has ended. */
  private readonly looks = new Map<string, Promise<void>>();

  constructor(
    private readonly calls: Calls,
    private readonly keysOf: (queue: string) => QueueKeys,
  ) {
    calls.links.onReconnect((role) => {
      if (role === 'commands') void this.look();
    });
  }

  /** Calls `listener` for every loss that is found; answers how to stop that. */
  onLoss(listener: (loss: DataLoss) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** The name of the data set as it is now: another one than before means that all that was there is gone. */
  named(queue: string, epoch: string): void {
    const seen = this.of(queue);
    seen.epoch ??= epoch;
    if (seen.epoch === epoch) seen.at = monotonicMs();
    else void this.lookAfter(queue);
  }

  /** Entries of a lane, in order, that exist. */
  saw(queue: string, lane: Lane, entries: readonly (string | RawEntry)[]): void {
    const newest = entries.at(-1);
    if (newest === undefined) return;
    const entryId = typeof newest === 'string' ? newest.slice(0, newest.indexOf('\n')) : newest[0];
    const seen = this.of(queue);
    if (entryBefore(seen.last[lane], entryId)) seen.last[lane] = entryId;
    seen.at = monotonicMs();
  }

  /** Asks about every queue in use. Right after a failover not every server answers yet. */
  private async look(): Promise<void> {
    await Promise.all([...this.queues.keys()].map((queue) => this.lookAfter(queue)));
  }

  /** One look at a time, so that no loss is found twice. */
  private lookAfter(queue: string): Promise<void> {
    const look = (this.looks.get(queue) ?? Promise.resolve()).then(() => this.lookUntilSeen(queue));
    this.looks.set(queue, look);
    return look;
  }

  /**
   * Held against what was known when it began: while it is tried again others may have seen what is new. What cannot be
   * asked in all these tries is asked when the link is back the next time.
   */
  private async lookUntilSeen(queue: string): Promise<void> {
    const { last, ...known } = this.of(queue);
    const before = { ...known, last: { ...last } };
    for (const pauseMs of LOOK_AGAIN_MS) {
      try {
        await this.lookAt(queue, before);
        return;
      } catch (error) {
        if (error instanceof BrokerError && error.reason === 'CLOSED') return;
        await sleep(systemClock, pauseMs);
      }
    }
  }

  private async lookAt(queue: string, before: Seen): Promise<void> {
    const { laneList, control } = this.keysOf(queue);
    const reply = await this.calls.run('commands', queue, scripts.dataSet, [...laneList, control], []);
    const loss = this.compare(queue, before, dataSetAnswer(reply));
    if (loss) for (const listener of this.listeners) listener(loss);
    // After the loss was told: what is missing from now on is missing because of another.
    this.of(queue).at = monotonicMs();
  }

  /**
   * What is missing of what was there before it was asked: what was seen since may be newer than the answer. From then
   * on what is there now is what counts.
   */
  private compare(queue: string, before: Seen, now: DataSet): DataLoss | undefined {
    const replaced = before.epoch !== undefined && before.epoch !== now.epoch;
    // Of other data nothing that was seen is left, however far it goes by now.
    const left = (lane: Lane): string => (replaced ? NONE : now.last[lane]);
    const lost = LANES.filter((lane) => entryBefore(left(lane), before.last[lane]));
    const seen = this.of(queue);
    seen.epoch = now.epoch || undefined;
    for (const lane of LANES) {
      const further = !lost.includes(lane) && entryBefore(now.last[lane], seen.last[lane]);
      if (!further) seen.last[lane] = now.last[lane];
    }
    if (!replaced && lost.length === 0) return undefined;
    const ranges = lost.map((lane): LostRange => ({
      of: lane,
      after: left(lane),
      upTo: before.last[lane],
    }));
    const seenAgoMs = monotonicMs() - before.at;
    return { queue, how: replaced ? 'replaced' : 'rolled-back', ranges, seenAgoMs };
  }

  private of(queue: string): Seen {
    let seen = this.queues.get(queue);
    if (!seen) {
      seen = { epoch: undefined, last: { high: NONE, normal: NONE, low: NONE }, at: 0 };
      this.queues.set(queue, seen);
    }
    return seen;
  }
}
