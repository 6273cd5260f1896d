import type { Lane } from '@taskq/core';
import type { LaneView, QueueView, StoreView } from '@taskq/testing';
import { type BookTask, leaseKey, type QueueBook, RELEASED } from '../book.js';
import { type Law, LawBroken, type Scene } from './law.js';

interface Place {
  readonly where: BookTask['place'];
  /** As the index names it. */
  readonly mark: string;
  readonly dueAt?: number;
}

const LETTER = { high: 'h', normal: 'n', low: 'l' } as const;

/**
 * An accepted task that has not ended is in exactly one place, its index says which, and nothing else is there. It
 * leaves the place where it waits for its time when that has come, and not before.
 */
export class OnePlace implements Law {
  readonly name = 'one place';

  holds(scene: Scene, store: StoreView): void {
    for (const name of scene.book.names) {
      const view = store.queues[name];
      const book = scene.book.queue(name);
      if (view) this.queueHolds(name, view, scene);
      else if (book.tasks.size > 0) this.broken(`queue ${name} is gone with ${book.tasks.size} tasks`);
    }
  }

  private queueHolds(name: string, view: QueueView, scene: Scene): void {
    const book = scene.book.queue(name);
    const places = this.placesOf(view);
    for (const task of book.tasks.values()) this.taskHolds(task, places.get(task.id), scene);
    for (const [id, { where }] of places)
      if (!book.tasks.has(id)) this.broken(`${id} is there (${where}) and should not be`);
    for (const [id, mark] of Object.entries(view.index))
      if (places.get(id)?.mark !== mark) this.broken(`the index says that ${id} is at ${mark}`);
    for (const lane of LANE_NAMES) this.leasesHold(lane, view.lanes[lane], book);
  }

  private taskHolds(task: BookTask, place: Place | undefined, { book, storeNow }: Scene): void {
    const { id, queue, dueAt } = task;
    if (!place) return this.broken(`${id} is lost (it was ${task.place})`);
    if (task.place === 'scheduled' && place.where === 'lane') {
      if (dueAt !== undefined && dueAt > storeNow) this.broken(`${id} left ${dueAt - storeNow} ms early`);
      book.promoted(queue, id);
    } else if (task.place !== place.where) this.broken(`${id} is ${place.where}, not ${task.place}`);
    else if (place.dueAt !== undefined && Math.abs(place.dueAt - (dueAt ?? 0)) > 1)
      this.broken(`${id} is due at ${place.dueAt}, not ${dueAt}`);
  }

  /** Where each task is. Throws when one is in two places. */
  private placesOf(view: QueueView): ReadonlyMap<string, Place> {
    const places = new Map<string, Place>();
    const put = (id: string, place: Place): void => {
      const other = places.get(id);
      if (other)
        this.broken(`${id} is in two places: ${other.where} ${other.mark}, ${place.where} ${place.mark}`);
      places.set(id, place);
    };
    for (const lane of LANE_NAMES) {
      for (const { entryId, fields } of view.lanes[lane].entries)
        put(idOf(fields, entryId), { where: 'lane', mark: LETTER[lane] + entryId });
    }
    for (const { id, dueAt } of view.scheduled) put(id, { where: 'scheduled', mark: 's', dueAt });
    for (const { id, entryId } of view.dead) put(id, { where: 'dead', mark: `d${entryId}` });
    return places;
  }

  /** What is leased is leased to whom it was given, by the delivery by which it was given. */
  private leasesHold(lane: Lane, { pending }: LaneView, book: QueueBook): void {
    for (const { entryId, consumer, deliveries } of pending) {
      const lease = book.leases.get(leaseKey(lane, entryId));
      if (lease === undefined)
        this.broken(`${lane} ${entryId} is leased to ${consumer}: nobody was given it`);
      else if (lease.consumer !== consumer)
        this.broken(`${lane} ${entryId} is leased to ${consumer}, and was given to ${lease.consumer}`);
      else if (consumer !== RELEASED && lease.delivery !== deliveries)
        this.broken(`${lane} ${entryId} counts ${deliveries} deliveries, not ${lease.delivery}`);
    }
  }

  private broken(what: string): void {
    throw new LawBroken(this.name, what);
  }
}

const LANE_NAMES = ['high', 'normal', 'low'] as const;

/** The task of an entry: one without an id of its own goes by that of the entry. */
export function idOf(fields: readonly string[], entryId: string): string {
  const at = fields.indexOf('id');
  return at % 2 === 0 ? fields[at + 1]! : entryId;
}
