import type { QueueView, StoreView } from '@taskq/testing';
import { RELEASED } from '../book.js';
import type { Fact } from '../facts.js';
import { type Law, LawBroken, type Scene } from './law.js';

/** Enqueueing never makes a queue hold more ready tasks than it may; what was handed back is ready, too. */
export class Room implements Law {
  readonly name = 'room';
  /** Queues to which tasks were added in this step, and how many they may hold. */
  private readonly limits = new Map<string, number>();

  sees(fact: Fact, { book }: Scene): void {
    if (fact.kind !== 'applied' || fact.call.verb !== 'enqueue' || fact.call.error !== undefined) return;
    const [group] = fact.call.request;
    const { answers } = fact.call.answer;
    const adds = group.tasks.some(({ due }, i) => due === undefined && answers[i]!.status === 'accepted');
    if (adds && group.maxReady > 0 && !book.known(group)) this.limits.set(group.queue, group.maxReady);
  }

  holds(_scene: Scene, store: StoreView): void {
    for (const [queue, limit] of this.limits) {
      const ready = readyIn(store.queues[queue]!);
      if (ready > limit)
        throw new LawBroken(this.name, `${queue} holds ${ready} ready tasks, ${limit} may be`);
    }
    this.limits.clear();
  }
}

function readyIn({ lanes }: QueueView): number {
  let ready = 0;
  for (const { entries, pending } of Object.values(lanes))
    ready += entries.length - pending.filter(({ consumer }) => consumer !== RELEASED).length;
  return ready;
}
