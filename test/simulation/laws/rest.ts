import type { QueueView, StoreView } from '@taskq/testing';
import { type Law, LawBroken, type Scene } from './law.js';

/** When everything is over nothing is left in the store but dead letters, and what has a lifetime. */
export class Rest implements Law {
  readonly name = 'rest';

  ends({ book, plan }: Scene, store: StoreView): void {
    // What was written before the clock was set back outlives that.
    const steps = plan.strikes.filter(({ blow }) => blow === 'time step');
    const latest = store.now + steps.reduce((sum, { ms }) => sum + ms, 0);
    for (const name of book.names) {
      const view = store.queues[name];
      if (view) this.queueRests(name, view, latest);
    }
  }

  private queueRests(name: string, view: QueueView, now: number): void {
    const left = Object.values(view.lanes).flatMap(({ entries }) => entries);
    if (left.length > 0) this.broken(`${left.length} entries are left in ${name}`);
    if (view.scheduled.length > 0) this.broken(`${view.scheduled.length} tasks wait in ${name}`);
    const dead = new Set(view.dead.map(({ id }) => id));
    for (const id of Object.keys(view.index))
      if (!dead.has(id)) this.broken(`the index of ${name} knows ${id}`);
    for (const [key, { id, fingerprint, until }] of Object.entries(view.dedupe)) {
      if (fingerprint === undefined) this.broken(`${name} keeps the key ${key} of ${id}, which has ended`);
      if (until > now + LONGEST_WINDOW_MS) this.broken(`${name} keeps the key ${key} for too long`);
    }
    for (const [channel, { until }] of Object.entries(view.channels))
      if (until > now + RECORD_MS) this.broken(`${name} keeps the record of ${channel} for too long`);
  }

  private broken(what: string): void {
    throw new LawBroken(this.name, what);
  }
}

const LONGEST_WINDOW_MS = 24 * 60 * 60_000;
const RECORD_MS = 15 * 60_000;
