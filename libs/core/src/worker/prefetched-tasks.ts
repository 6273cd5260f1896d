import type { Delivery, Lease } from '../broker/broker.js';
import { meanRunMs, prefetchSize } from '../policy/prefetch-size.js';
import type { CancelTimer, Clock } from '../runtime/clock.js';
import { leaseOf } from './settlement.js';

/** A task that waits here longer than this is handed back: a peer may have a slot for it. */
const PATIENCE_MS = 50;

/** For this part of its lease a task may wait and still be started: the rest must be enough for the first heartbeat. */
const FRESH_PART = 1 / 20;

interface PrefetchedTasksParts {
  readonly clock: Clock;
  readonly slots: number;
  /** The most that may be held. */
  readonly most: number;
  readonly leaseMs: number;
  /** These have waited for too long. */
  readonly overdue: (deliveries: readonly Delivery[]) => void;
}

/**
 * Tasks that were leased ahead of their slots. While handlers are short, the next is at hand when one ends, and no trip
 * is waited for. When a handler takes longer than those before it, what waits behind it is handed back, and nothing is
 * held until one has ended again.
 */
export class PrefetchedTasks {
  private waiting: Delivery[] = [];
  private since: number[] = [];
  /** Where what waits begins. */
  private first = 0;
  private mean: number | undefined;
  private stalled = false;
  private era = 0;
  private cancelTimer: CancelTimer | undefined;

  constructor(private readonly parts: PrefetchedTasksParts) {}

  /** How many it is worth holding now. */
  get size(): number {
    return this.stalled ? 0 : prefetchSize(this.parts.slots, this.mean, this.parts.most);
  }

  get length(): number {
    return this.waiting.length - this.first;
  }

  /** A handler has ended after so long. */
  ran(runMs: number): void {
    this.mean = meanRunMs(this.mean, runMs);
    this.stalled = false;
  }

  /**
   * Tasks are delivered in this era now. What is held from another may have been delivered to others since: the group
   * was made again, or the server is another one.
   */
  heard(era: number): void {
    if (era === this.era) return;
    this.era = era;
    if (this.length > 0) this.parts.overdue(this.takeAll());
  }

  /** Keeps a task until there is a slot. Answers whether there was room for it. */
  add(delivery: Delivery): boolean {
    if (this.length >= this.parts.most) return false;
    this.waiting.push(delivery);
    this.since.push(this.parts.clock.monotonicMs());
    this.watch();
    return true;
  }

  /**
   * The one that has waited longest. When even that has waited for so long that the event loop must have been held up,
   * somebody else may be about to take them over: all are overdue.
   */
  next(): Delivery | undefined {
    if (this.length === 0) return undefined;
    const freshMs = this.parts.leaseMs * FRESH_PART;
    if (this.parts.clock.monotonicMs() - this.since[this.first]! > freshMs) {
      this.parts.overdue(this.takeAll());
      return undefined;
    }
    const delivery = this.waiting[this.first]!;
    this.first += 1;
    if (this.length === 0) this.takeAll();
    return delivery;
  }

  /** Takes everything away. */
  takeAll(): readonly Delivery[] {
    const left = this.waiting.slice(this.first);
    this.waiting = [];
    this.since = [];
    this.first = 0;
    return left;
  }

  leases(): Lease[] {
    return this.waiting.slice(this.first).map(leaseOf);
  }

  /** Another consumer owns it. */
  forget({ entryId, lane }: Lease): void {
    for (let i = this.first; i < this.waiting.length; i += 1) {
      const delivery = this.waiting[i]!;
      if (delivery.entryId !== entryId || delivery.lane !== lane) continue;
      this.waiting.splice(i, 1);
      this.since.splice(i, 1);
      return;
    }
  }

  close(): void {
    this.cancelTimer?.();
    this.cancelTimer = undefined;
  }

  /** One timer for all, set anew only when it has fired: most tasks are gone long before. */
  private watch(inMs = PATIENCE_MS): void {
    this.cancelTimer ??= this.parts.clock.after(inMs, () => {
      this.cancelTimer = undefined;
      this.look();
    });
  }

  private look(): void {
    if (this.length === 0) return;
    const left = this.since[this.first]! + PATIENCE_MS - this.parts.clock.monotonicMs();
    if (left > 0) return this.watch(left);
    this.stalled = true;
    this.parts.overdue(this.takeAll());
  }
}
