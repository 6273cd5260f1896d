import type { Lane } from './lane.js';

/** The broker holds less than it did. */
export interface DataLoss {
  readonly queue: string;
  /** `rolled-back`: the same data as it was earlier. `replaced`: other data, or none. */
  readonly how: 'rolled-back' | 'replaced';
  readonly ranges: readonly LostRange[];
  /** How long before this was found what is missing was last known to be there, in milliseconds. */
  readonly seenAgoMs: number;
}

/** What is gone: everything after one mark, up to and with another. */
export interface LostRange {
  /** `high`, `normal` or `low`: marks are entries of that lane. `groups`: they are groups of a producer's channel. */
  readonly of: Lane | 'groups';
  readonly after: string;
  readonly upTo: string;
}
