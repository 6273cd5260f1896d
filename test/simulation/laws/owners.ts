import type { Delivery, Lane, Lease } from '@taskq/core';
import { type BookLease, leaseKey, type QueueBook, RELEASED } from '../book.js';
import type { Applied, Fact } from '../facts.js';
import { type Law, LawBroken, type Scene } from './law.js';

/**
 * An entry has one owner at a time. Only the owner settles or renews it, and is never refused; nobody else is given it
 * before the lease is over or the owner has handed it back, and never more than asked for.
 */
export class Owners implements Law {
  readonly name = 'owners';

  sees(fact: Fact, { book, storeNow }: Scene): void {
    if (fact.kind !== 'applied' || fact.call.error !== undefined) return;
    const { call } = fact;
    if (call.verb === 'settle') this.settled(call, book.queue(call.request[0].queue));
    else if (call.verb === 'extend') this.extended(call, book.queue(call.request[0]));
    else if (call.verb === 'reclaim') this.reclaimed(call, book.queue(call.request[0].queue), storeNow);
    else if (call.verb === 'fetch')
      for (const delivery of call.answer.deliveries) this.fresh(delivery, book.queue(delivery.queue));
  }

  private settled(
    { request: [{ consumer, outcomes }], answer }: Applied & { verb: 'settle' },
    book: QueueBook,
  ): void {
    if (answer === undefined) return;
    const refused = new Set(answer.stale);
    const gone = new Set<string>();
    for (const i of settledInOrder(outcomes)) {
      const { lease, kind } = outcomes[i]!;
      const key = leaseKey(lease.lane, lease.entryId);
      const owns = !gone.has(key) && isOwner(book.leases.get(key), consumer, lease);
      if (owns === refused.has(i))
        this.broken(
          `${consumer} ${owns ? 'owns' : 'does not own'} ${key}, and its "${kind}" was ${owns ? 'refused' : 'applied'}`,
        );
      if (owns) gone.add(key);
    }
    for (const delivery of answer.deliveries) this.fresh(delivery, book);
  }

  private extended(
    { request: [, consumer, leases], answer }: Applied & { verb: 'extend' },
    book: QueueBook,
  ): void {
    // One entry may be named twice, by two deliveries.
    const lost = new Set(answer?.map((lease) => `${leaseKey(lease.lane, lease.entryId)} ${lease.delivery}`));
    for (const lease of leases) {
      const key = leaseKey(lease.lane, lease.entryId);
      const owns = isOwner(book.leases.get(key), consumer, lease);
      if (owns === lost.has(`${key} ${lease.delivery}`))
        this.broken(`${consumer} ${owns ? 'owns' : 'does not own'} ${key}, and was told the contrary`);
    }
  }

  private reclaimed(
    { request: [request], answer }: Applied & { verb: 'reclaim' },
    book: QueueBook,
    now: number,
  ): void {
    const deliveries = answer?.deliveries ?? [];
    if (deliveries.length > request.limit)
      this.broken(`${deliveries.length} reclaimed, ${request.limit} asked for`);
    for (const { lane, entryId, delivery } of deliveries) {
      const lease = book.leases.get(leaseKey(lane, entryId));
      const silentMs = now - (lease?.renewedAt ?? now);
      if (lease === undefined) this.broken(`${lane} ${entryId} was reclaimed, and nobody had it`);
      else if (silentMs < request.leaseMs)
        this.broken(
          `${lane} ${entryId} was taken from ${lease.consumer} after ${silentMs} of ${request.leaseMs} ms`,
        );
      else if (lease.consumer !== RELEASED && delivery !== lease.delivery + 1)
        this.broken(`${lane} ${entryId} is delivery ${delivery} after ${lease.delivery}`);
    }
  }

  private fresh({ lane, entryId, delivery }: Delivery, book: QueueBook): void {
    const lease = book.leases.get(leaseKey(lane, entryId));
    if (lease) this.broken(`${lane} ${entryId} was delivered as new, and ${lease.consumer} has it`);
    if (delivery !== 1) this.broken(`${lane} ${entryId} is new and delivery ${delivery}`);
  }

  private broken(what: string): void {
    throw new LawBroken(this.name, what);
  }
}

function isOwner(lease: BookLease | undefined, consumer: string, { delivery }: Lease): boolean {
  return lease?.consumer === consumer && lease.delivery === delivery;
}

/** Positions, in the order in which the store settles: those that just end come first, then those that free a key. */
function settledInOrder(
  outcomes: readonly {
    readonly kind: string;
    readonly lease: { readonly lane: Lane };
    readonly uniqueKey?: string;
  }[],
): readonly number[] {
  const turn = ({ kind, uniqueKey }: { kind: string; uniqueKey?: string }): number =>
    kind !== 'remove' ? 2 : uniqueKey === undefined ? 0 : 1;
  return [...outcomes.keys()].toSorted((a, b) => turn(outcomes[a]!) - turn(outcomes[b]!) || a - b);
}
