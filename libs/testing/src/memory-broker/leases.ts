import type {
  Delivery,
  EntryRef,
  Lane,
  Lease,
  ReclaimAnswer,
  ReclaimCursor,
  ReclaimRequest,
} from '@taskq/core';
import { BEFORE_ALL, type EntryKey, parseEntryId } from './entry-id.js';
import { deliveryOf } from './fetch.js';
import { type Fields, LANE_LIST, type MemoryQueue } from './memory-queue.js';
import { RELEASED, type StreamEntry } from './memory-stream.js';

/** Silent entries that one call of `reclaim` looks at, and entries of holders that it walks over to find them. */
const PAGE = 100;
const WALK = 10_000;

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
  const { cursor, releasedOnly, strays, notAfter = Number.POSITIVE_INFINITY } = request;
  if (request.wakeEntryId !== undefined) queue.wake.remove(request.wakeEntryId);
  const late = now > notAfter;
  const sweeps = !releasedOnly && strays === undefined;
  if ((late && !releasedOnly) || (sweeps && !cursor && !mayBegin(queue, now, request.everyMs)))
    return { deliveries: [], cursor: undefined, left: 0, own: [], late };

  const look = new Look(queue, now, request);
  const end = strays ? look.atStrays(strays) : releasedOnly ? look.atReleased() : look.atAll(cursor);
  if (look.left + look.suspected > 0 && strays === undefined) {
    queue.control.nextSweepAt = undefined;
    if (look.taken.length > 0) queue.nudge('released', now);
  }
  return { deliveries: look.taken, cursor: end, left: look.left, own: look.own, late };
}

/** Whether a sweep may begin, and would find entries that are held or were handed back (`sweeps-due.lua`). */
export function isSweepDue(queue: MemoryQueue, now: number, everyMs: number): boolean {
  return LANE_LIST.some((lane) => queue.lanes[lane].pending > 0) && isGateOpen(queue, now, everyMs);
}

function mayBegin(queue: MemoryQueue, now: number, everyMs: number): boolean {
  if (!isGateOpen(queue, now, everyMs)) return false;
  queue.control.nextSweepAt = Math.trunc(now + everyMs);
  return true;
}

function isGateOpen({ control }: MemoryQueue, now: number, everyMs: number): boolean {
  const { nextSweepAt = 0 } = control;
  // One that is further away was written by a clock that was ahead.
  return nextSweepAt <= now || nextSweepAt > now + everyMs;
}

/** What one call looks at, and takes. */
class Look {
  readonly taken: Delivery[] = [];
  readonly own: EntryRef[] = [];
  /** Entries that could be taken and were not: for want of room, or since they are suspects. */
  left = 0;
  suspected = 0;
  private wanted: number;
  private suspects: number;

  constructor(
    private readonly queue: MemoryQueue,
    private readonly now: number,
    private readonly request: ReclaimRequest,
  ) {
    this.wanted = request.limit;
    this.suspects = request.suspects ? 1 : 0;
  }

  /** A page of a sweep, holder by holder; answers where to go on, when it is not at its end. */
  atAll(from: ReclaimCursor | undefined): ReclaimCursor | undefined {
    let budget = PAGE;
    let walked = 0;
    let kept: ReclaimCursor | undefined;
    for (const { lane, name, held, after } of this.holdersFrom(from)) {
      let cursor = { lane, consumer: name, after };
      if (budget === 0 || (walked > 0 && walked + held > WALK)) return kept ?? cursor;
      walked += held;
      for (const entry of this.silent(lane, name, after, budget)) {
        budget -= 1;
        if (name === this.request.consumer) this.own.push({ lane, entryId: entry.id });
        else if (this.take(lane, entry)) kept ??= cursor;
        cursor = { lane, consumer: name, after: entry.id };
      }
      if (budget === 0) return kept ?? cursor;
    }
    return kept;
  }

  atReleased(): undefined {
    let budget = PAGE;
    for (const lane of LANE_LIST) {
      const entries = this.silent(lane, RELEASED, '', budget);
      for (const entry of entries) this.take(lane, entry);
      budget -= entries.length;
      if (budget > 0) continue;
      this.left += 1; // there may be more
      return;
    }
  }

  atStrays(strays: readonly EntryRef[]): undefined {
    for (const { lane, entryId } of strays) {
      const entry = this.queue.lanes[lane].heldBy(this.request.consumer, entryId);
      if (entry && this.isSilent(entry)) this.take(lane, entry);
    }
  }

  /** Who holds something, lane by lane, and the entry after which to look. */
  private *holdersFrom(from: ReclaimCursor | undefined) {
    const first = from ? LANE_LIST.indexOf(from.lane) : 0;
    for (const lane of LANE_LIST.slice(first)) {
      for (const { name, held } of this.queue.lanes[lane].holders()) {
        if (from?.lane === lane && name < from.consumer) continue;
        const after = from?.lane === lane && name === from.consumer ? from.after : '';
        yield { lane, name, held, after };
      }
    }
  }

  /** Up to `limit` entries that a holder has been silent about for a lease. */
  private silent(lane: Lane, holder: string, after: string, limit: number): StreamEntry<Fields>[] {
    const found: StreamEntry<Fields>[] = [];
    let from: EntryKey = after === '' ? BEFORE_ALL : parseEntryId(after);
    while (found.length < limit) {
      const page = this.queue.lanes[lane].heldAfter(holder, from, PAGE);
      found.push(...page.filter((entry) => this.isSilent(entry)));
      if (page.length < PAGE) break;
      from = page.at(-1)!;
    }
    return found.slice(0, limit);
  }

  private isSilent(entry: StreamEntry<Fields>): boolean {
    return Math.max(0, this.now - entry.deliveredAt) >= this.request.leaseMs;
  }

  /** Takes an entry; answers whether it is left for want of room. */
  private take(lane: Lane, entry: StreamEntry<Fields>): boolean {
    const from = entry.holder!.name;
    const suspect = entry.deliveries % 1000 >= 2;
    if (suspect && this.suspects === 0) {
      this.suspected += 1;
      return false;
    }
    if (this.wanted === 0) {
      this.left += 1;
      return true;
    }
    this.wanted -= 1;
    if (suspect) this.suspects -= 1;
    const { now } = this;
    const deliveries = entry.deliveries + 1;
    this.queue.lanes[lane].claim(entry, this.request.consumer, { now, deliveredAt: now, deliveries });
    this.taken.push(deliveryOf(this.queue, lane, entry, from));
    return false;
  }
}
