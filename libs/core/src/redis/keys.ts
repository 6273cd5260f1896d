import { LANES, type Lane } from '../contract/lane.js';
import { indexPlace } from '../contract/task-id.js';

/** The consumer group of every work stream. */
export const GROUP = 'workers';

/** Owner of entries that were handed back: no process has this name, so everybody may take them. */
export const RELEASED = 'released';

/** Every key of one queue. All carry the queue as hash tag, so that they live in one cluster slot. */
export interface QueueKeys {
  readonly lanes: Readonly<Record<Lane, string>>;
  readonly dead: string;
  readonly scheduled: string;
  readonly scheduledData: string;
  readonly wake: string;
  readonly control: string;
  /** Keys of the three lanes, in the order of `LANES`. */
  readonly laneList: readonly [string, string, string];
  index(id: string): { readonly key: string; readonly field: string };
  dedupe(hashedKey: string): string;
  producer(channel: string): string;
}

/** The keys of a queue: the one place where their names are made. Scripts receive names and never build one. */
export function queueKeys(prefix: string, queue: string): QueueKeys {
  const base = `${prefix}:{${queue}}`;
  const lanes = { high: `${base}:tasks:high`, normal: `${base}:tasks`, low: `${base}:tasks:low` };
  return {
    lanes,
    laneList: [lanes.high, lanes.normal, lanes.low],
    dead: `${base}:tasks-dead`,
    scheduled: `${base}:scheduled`,
    scheduledData: `${base}:scheduled:data`,
    wake: `${base}:wake`,
    control: `${base}:control`,
    index: (id) => {
      const { bucket, field } = indexPlace(id);
      return { key: `${base}:index:${bucket}`, field };
    },
    dedupe: (hashedKey) => `${base}:dedupe:${hashedKey}`,
    producer: (channel) => `${base}:producer:${channel}`,
  };
}

/** The letter of a lane inside scripts and stored values. */
export const LANE_LETTER: Readonly<Record<Lane, string>> = { high: 'h', normal: 'n', low: 'l' };

/** The number of a lane inside scripts: its position in `LANES`, from 1. */
export const LANE_NUMBER: Readonly<Record<Lane, number>> = { high: 1, normal: 2, low: 3 };

/** The lane that a letter or number of {@link LANE_LETTER} or {@link LANE_NUMBER} stands for. */
export function laneOf(mark: string | number | undefined): Lane {
  const lane = LANES.find((name) => LANE_LETTER[name] === mark || LANE_NUMBER[name] === mark);
  return lane ?? 'normal';
}

/**
 * Keys for one script call: the fixed ones first, then any that arguments name by position. A key named twice is
 * sent once.
 */
export class KeyList {
  readonly keys: string[];
  private readonly positions = new Map<string, string>();

  constructor(fixed: readonly string[]) {
    this.keys = [...fixed];
  }

  /** Position of `key` in KEYS, from 1, as scripts count. */
  position(key: string): string {
    let position = this.positions.get(key);
    if (position === undefined) {
      position = String(this.keys.push(key));
      this.positions.set(key, position);
    }
    return position;
  }
}
