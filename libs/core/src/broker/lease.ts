import type { Lane } from '../contract/lane.js';

/** What identifies a delivery: the entry, and how often it has been delivered. */
export interface Lease {
  readonly lane: Lane;
  readonly entryId: string;
  readonly delivery: number;
}

/** An entry leased to a consumer. */
export interface Delivery extends Lease {
  readonly queue: string;
  /**
   * Grows whenever delivery counts may begin anew, since the broker may have forgotten some (a restart, a failover, a
   * group made again, all data lost): below 2³¹. Of two deliveries of an entry the later has the greater era, or the
   * same and the greater count.
   */
  readonly era: number;
  /** Names and values in turn. */
  readonly fields: readonly string[];
  /** Consumer that held it before, when it was reclaimed. */
  readonly from?: string;
}
