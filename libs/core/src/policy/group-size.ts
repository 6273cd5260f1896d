/**
 * Bytes of one script call, in either direction: Redis works on nothing else meanwhile, and so much takes it a
 * millisecond or two.
 */
export const GROUP_BYTES = 1024 * 1024;

/** How much one entry more changes the mean: what was before is forgotten within a few dozen. */
const WEIGHT = 1 / 16;

/** Mean size of entries of which none was seen yet: the first page is a small one. */
export const UNKNOWN_MEAN_BYTES = GROUP_BYTES * WEIGHT;

/** The moving mean of the sizes of entries, when one more of this size has come. */
export function meanAfter(meanBytes: number, bytes: number): number {
  return meanBytes + (bytes - meanBytes) * WEIGHT;
}

/**
 * How many entries to ask for, so that they are about {@link GROUP_BYTES} together: at least one, and no more than
 * `most` however small they are. They may turn out larger than those before; then the next page is smaller.
 */
export function entriesPerPage(meanBytes: number, most: number): number {
  return Math.max(1, Math.min(most, Math.floor(GROUP_BYTES / Math.max(1, meanBytes))));
}

/**
 * How many calls of a queue that change tasks are under way at once: two, so that Redis works on one while this process
 * makes the next. With several partitions the others are worked on meanwhile, and half as many calls are twice as large.
 */
export function callsAtOnce(partitions: number): number {
  return partitions === 1 ? 2 : 1;
}
