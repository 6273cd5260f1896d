import type { Delivery, Lane, Lease, ReclaimAnswer, ReclaimRequest } from '@taskq/core';
import { BEFORE_ALL, type EntryKey, parseEntryId } from './entry-id.js';
import { deliveryOf } from './fetch.js';
import { type Fields, LANE_LIST, type MemoryQueue } from './memory-queue.js';
import type { StreamEntry } from './memory-stream.js';

/** Entries that one call of `reclaim` looks at. */
const PAGE = 100;

/** Renews leases; answers those that are not this consumer's any more (`extend.lua`). */
export function extendLeases(
  queue: MemoryQueue,
  now: number,
  consumer: string,
  leases: readonly Lease[],
): readonly Lease[] {
  return leases.filter((lease) => {
    const stream = queue.lanes[lease.lane];
    const entry = stream.heldBy(consumer, lease.entryId);
    if (entry?.deliveries !== lease.delivery) return true;
    stream.claim(entry, consumer, { now, deliveredAt: now, deliveries: entry.deliveries });
    return false;
  });
}

/** Leases one page of entries whose lease has expired, or that were handed back (`reclaim.lua`). */
export function reclaim(queue: MemoryQueue, now: number, request: ReclaimRequest): ReclaimAnswer {
  const { cursor, releasedOnly } = request;
  if (request.wakeEntryId !== undefined) queue.wake.remove(request.wakeEntryId);
  const begins = (cursor?.after ?? '') === '' && (cursor?.lane ?? 'high') === 'high';
  if (!releasedOnly && begins && !mayBegin(queue, now, request.everyMs))
    return { deliveries: [], cursor: undefined, left: 0 };

  const sweep = new Sweep(queue, now, request);
  const end = sweep.run();
  if (sweep.left + sweep.suspected > 0) {
    queue.control.nextSweepAt = undefined;
    if (sweep.taken.length > 0) queue.nudge('released', now);
  }
  return { deliveries: sweep.taken, cursor: end, left: sweep.left };
}

function mayBegin({ control }: MemoryQueue, now: number, everyMs: number): boolean {
  if ((control.nextSweepAt ?? 0) > now) return false;
  control.nextSweepAt = Math.trunc(now + everyMs);
  return true;
}

/** One page of a sweep over the pending lists of the lanes. */
class Sweep {
  readonly taken: Delivery[] = [];
  /** Entries that could be taken and were not: for want of room, or since they are suspects. */
  left = 0;
  suspected = 0;
  private wanted: number;
  private suspects: number;
  private readonly held: ReadonlySet<string>;

  constructor(
    private readonly queue: MemoryQueue,
    private readonly now: number,
    private readonly request: ReclaimRequest,
  ) {
    this.wanted = request.limit;
    this.suspects = request.suspects ? 1 : 0;
    this.held = new Set(request.held.map(({ lane, entryId }) => heldAs(lane, entryId)));
  }

  /** Answers where to go on, when it is not at its end. */
  run(): ReclaimAnswer['cursor'] {
    const { releasedOnly, cursor } = this.request;
    let after: EntryKey = cursor?.after ? parseEntryId(cursor.after) : BEFORE_ALL;
    let budget = PAGE;
    for (const lane of LANE_LIST.slice(cursor ? LANE_LIST.indexOf(cursor.lane) : 0)) {
      const stream = this.queue.lanes[lane];
      const page = releasedOnly ? stream.firstReleased(budget) : stream.pendingAfter(after, budget);
      for (const entry of page) this.consider(lane, entry);
      if (page.length === budget) {
        if (!releasedOnly) return { lane, after: page.at(-1)!.id };
        this.left += 1; // there may be more
        return undefined;
      }
      budget -= page.length;
      after = BEFORE_ALL;
    }
    return undefined;
  }

  private consider(lane: Lane, entry: StreamEntry<Fields>): void {
    const { consumer, leaseMs } = this.request;
    const from = entry.holder!.name;
    const idleMs = Math.max(0, this.now - entry.deliveredAt);
    if (idleMs < leaseMs || (from === consumer && this.held.has(heldAs(lane, entry.id)))) return;
    const suspect = entry.deliveries % 1000 >= 2;
    if (suspect && this.suspects === 0) {
      this.suspected += 1;
      return;
    }
    if (this.wanted === 0) {
      this.left += 1;
      return;
    }
    this.wanted -= 1;
    if (suspect) this.suspects -= 1;
    const { now } = this;
    const stream = this.queue.lanes[lane];
    stream.claim(entry, consumer, { now, deliveredAt: now, deliveries: entry.deliveries + 1 });
    this.taken.push(deliveryOf(this.queue, lane, entry, from));
  }
}

/** Entries of two lanes may have the same id. */
function heldAs(lane: Lane, entryId: string): string {
  return `${lane} ${entryId}`;
}
