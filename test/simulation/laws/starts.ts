import type { Delivery } from '@taskq/core';
import type { Fact, Start } from '../facts.js';
import { idOf } from './one-place.js';
import { type Law, LawBroken, type Scene } from './law.js';

/** A delivery, as the store made it. */
interface Given {
  /** Deliveries of the store, counted. */
  readonly order: number;
  /** The life of the task, and its deliveries since the last outcome that counts. */
  readonly life: string;
  readonly stretch: Stretch;
  readonly last: Stretch['last'];
  readonly attempt: number | undefined;
}

/** Starts of a task between two outcomes, and its last delivery. */
interface Stretch {
  starts: number;
  last: { readonly delivery: number; started: boolean };
}

/**
 * Fences of one task grow with every delivery that is started, whatever the store has forgotten; no attempt goes
 * beyond the last, no task is started again and again without an outcome, and no queue beyond its slots.
 *
 * A store that has begun to count anew gives a delivery the number of an earlier one. A word about that one which comes
 * only then is taken for one about this: what was handed back before it started is counted so, though it has started now.
 */
export class Starts implements Law {
  readonly name = 'starts';
  private order = 0;
  private readonly given = new WeakMap<Delivery, Given>();
  private readonly received = new Map<string, Given>();
  private readonly fences = new Map<string, { readonly order: number; readonly fence: number }[]>();
  private stretches = new Map<string, Stretch>();
  private hasForgotten = false;

  sees(fact: Fact, scene: Scene): void {
    if (fact.kind === 'applied') this.applied(fact, scene);
    else if (fact.kind === 'received') this.arrived(fact);
    else if (fact.kind === 'started') this.started(fact, scene);
    else if (fact.kind === 'blow' && FORGETTING.has(fact.blow)) {
      this.stretches = new Map();
      this.hasForgotten = true;
    }
  }

  private applied({ call }: Fact & { kind: 'applied' }, scene: Scene): void {
    if (call.error !== undefined) return;
    if (call.verb === 'settle') {
      const [{ queue, outcomes }] = call.request;
      const refused = new Set(call.answer.stale);
      for (const [i, outcome] of outcomes.entries()) {
        if (refused.has(i)) continue;
        const entry = `${queue} ${outcome.lease.lane} ${outcome.lease.entryId}`;
        if (outcome.kind === 'release' && !outcome.started) this.notStarted(entry, outcome.lease.delivery);
        else this.stretches.delete(entry);
      }
    }
    if (call.verb === 'settle' || call.verb === 'fetch' || call.verb === 'reclaim')
      for (const delivery of call.answer.deliveries) this.give(delivery, scene);
  }

  private notStarted(entry: string, delivery: number): void {
    const stretch = this.stretches.get(entry);
    if (!stretch?.last.started || stretch.last.delivery !== delivery) return;
    if (!this.hasForgotten)
      throw new LawBroken(this.name, `${entry} was handed back as not started, and was`);
    stretch.starts -= 1;
  }

  private give(delivery: Delivery, { book }: Scene): void {
    const { queue, lane, entryId, fields } = delivery;
    const id = idOf(fields, entryId);
    const entry = `${queue} ${lane} ${entryId}`;
    const last = { delivery: delivery.delivery, started: false };
    const stretch = this.stretches.get(entry) ?? { starts: 0, last };
    stretch.last = last;
    this.stretches.set(entry, stretch);
    const task = book.queue(queue).tasks.get(id);
    this.order += 1;
    const life = `${queue} ${id} ${task?.life ?? 0}`;
    this.given.set(delivery, { order: this.order, life, stretch, last, attempt: task?.attempt });
  }

  private arrived({ by, deliveries }: Fact & { kind: 'received' }): void {
    for (const delivery of deliveries) {
      const given = this.given.get(delivery);
      const id = idOf(delivery.fields, delivery.entryId);
      if (given) this.received.set(`${by} ${delivery.queue} ${id}`, given);
    }
  }

  private started({ by, start, running }: Fact & { kind: 'started' }, { plan }: Scene): void {
    const given = this.received.get(`${by} ${start.queue} ${start.id}`);
    if (!given) return this.broken(start, 'was started and had not been delivered');
    const slots = plan.queues.find(({ name }) => name === start.queue)!.slots;
    if (running > slots) this.broken(start, `is the handler ${running} of ${slots} slots`);
    if (start.attempt > start.maxAttempts)
      this.broken(start, `is attempt ${start.attempt} of ${start.maxAttempts}`);
    if (start.attempt !== given.attempt)
      this.broken(start, `is attempt ${start.attempt}, not ${given.attempt}`);
    given.stretch.starts += 1;
    given.last.started = true;
    if (given.stretch.starts > plan.worker.maxDeliveries)
      this.broken(start, `was started ${given.stretch.starts} times without an outcome`);
    this.fenced(start, given);
  }

  private fenced(start: Start, { order, life }: Given): void {
    const { fence } = start;
    const fences = this.fences.get(life) ?? [];
    for (const other of fences) {
      if (other.order === order) this.broken(start, 'was started twice by one delivery');
      if (other.order < order !== other.fence < fence)
        this.broken(
          start,
          `has fence ${fence} after ${other.fence} (deliveries ${order} and ${other.order})`,
        );
    }
    this.fences.set(life, [...fences, { order, fence }]);
  }

  private broken({ queue, id }: Start, what: string): void {
    throw new LawBroken(this.name, `${id} of ${queue} ${what}`);
  }
}

/** After these the store begins to count anew. */
const FORGETTING: ReadonlySet<string> = new Set(['failover', 'restart', 'group dropped', 'flush']);
