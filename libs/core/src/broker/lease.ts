import type { Lane } from '../contract/lane.js';

/** What identifies a delivery: the entry, and how often it has been delivered. */
export interface Lease {
  readonly lane: Lane;
  readonly entryId: string;
  readonly delivery: number;
}
