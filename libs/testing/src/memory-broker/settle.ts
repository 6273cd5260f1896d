import type { Delivery, SettleAnswer, Settlement, SettleRequest, WakeReason } from '@taskq/core';
import { type DataNames, ensure, type KnownData } from './ensure.js';
import { deliveryOf } from './fetch.js';
import { LANE_LIST, type MemoryQueue } from './memory-queue.js';
import { RELEASED } from './memory-stream.js';

/** Applies outcomes of delivered tasks, then leases more (`settle.lua`); makes the queue's groups if one is missing. */
export function settle(
  queue: MemoryQueue,
  now: number,
  request: SettleRequest,
  names: DataNames,
  known: KnownData | undefined,
): SettleAnswer {
  const applied = applyOutcomes(queue, now, request);
  let recreated = false;
  const makeGroups = (): void => {
    recreated = ensure(queue, now, names, { make: true, known }).made;
  };
  const deliveries = leaseMore(queue, now, request, makeGroups);
  return { ...applied, deliveries, recreated };
}

/** Tasks that just end come first, then those that free a key, then the others; each kind in the order given. */
function applyOutcomes(
  queue: MemoryQueue,
  now: number,
  request: SettleRequest,
): Pick<SettleAnswer, 'stale' | 'stillLeased' | 'buried'> {
  const { outcomes } = request;
  const stale: number[] = [];
  const stillLeased: number[] = [];
  const buried: number[] = [];
  const settlement = new Settling(queue, now, request);
  for (const turn of [0, 1, 2]) {
    let later = 0;
    for (let position = 0; position < outcomes.length; position += 1) {
      const outcome = outcomes[position]!;
      const itsTurn = turnOf(outcome);
      if (itsTurn > turn) later += 1;
      if (itsTurn !== turn) continue;
      const fate = settlement.apply(outcome);
      if (fate === 'buried') buried.push(position);
      if (fate !== 'refused') continue;
      stale.push(position);
      const { lane, entryId } = outcome.lease;
      const isHeld = queue.lanes[lane].isHeld(entryId) && !settlement.settled.has(`${lane} ${entryId}`);
      if (isHeld && outcome.kind !== 'release') stillLeased.push(position);
    }
    if (later === 0) break;
  }
  for (const why of settlement.woken) queue.nudge(why, now);
  return { stale, stillLeased, buried };
}

function turnOf(outcome: Settlement): number {
  if (outcome.kind !== 'remove') return 2;
  return outcome.uniqueKey === undefined ? 0 : 1;
}

/** The outcomes of one call. */
class Settling {
  /** A task was kept that is due sooner than any other, or one was handed back. */
  readonly woken = new Set<WakeReason>();
  /** Lanes and entries: named again in the same call they are gone. */
  readonly settled = new Set<string>();

  constructor(
    private readonly queue: MemoryQueue,
    private readonly now: number,
    private readonly request: SettleRequest,
  ) {}

  /** Refuses the outcome unless the consumer holds the task by this very delivery. */
  apply(outcome: Settlement): 'applied' | 'refused' | 'buried' {
    const { queue } = this;
    const { lane, entryId, delivery } = outcome.lease;
    const stream = queue.lanes[lane];
    const entry = stream.heldBy(this.request.consumer, entryId);
    if (entry?.deliveries !== delivery) return 'refused';
    let fate: 'applied' | 'buried' = 'applied';
    this.settled.add(`${lane} ${entryId}`);
    switch (outcome.kind) {
      case 'remove':
        queue.index.delete(outcome.id);
        queue.freeKey(outcome.uniqueKey, outcome.id, this.now);
        break;
      case 'schedule':
        fate = this.schedule(outcome);
        break;
      case 'dead-letter':
        this.bury(outcome);
        break;
      case 'release':
        this.woken.add('released');
        stream.claim(entry, RELEASED, {
          now: this.now,
          deliveredAt: this.now - Math.trunc(this.request.leaseMs * 2),
          deliveries: afterRelease(delivery, outcome.started),
        });
        return 'applied';
    }
    stream.remove(entryId);
    return fate;
  }

  private schedule(outcome: Settlement & { kind: 'schedule' }): 'applied' | 'buried' {
    const { queue, now } = this;
    const { id, lease, delayMs, task, unique } = outcome;
    if (queue.scheduled.get(id) !== undefined) return this.buryDuplicate(outcome);
    const dueAt = now + delayMs;
    if (queue.writeScheduled({ ...task, id, lane: lease.lane, dueAt })) this.woken.add('due');
    if (unique === undefined) return 'applied';
    const holder = queue.dedupe.get(unique.key, now);
    if (holder !== undefined && (holder.id !== id || holder.fingerprint !== undefined)) return 'applied';
    queue.dedupe.set(
      unique.key,
      { id, fingerprint: undefined },
      now + Math.trunc(unique.ttlMs + delayMs),
      now,
    );
    return 'applied';
  }

  /** Two entries with one id are two tasks, and only one of them can wait under it. The index goes on naming that one. */
  private buryDuplicate({ id, lease, task }: Settlement & { kind: 'schedule' }): 'buried' {
    const { queue, now } = this;
    const reason = 'duplicate-id';
    const detail = 'another task with this id was waiting when this one was to wait';
    const body = { ...task, id, reason, detail, replayMeta: task.meta, lane: lease.lane, diedAt: now };
    queue.dead.add({ ...body, raw: undefined }, now);
    return 'buried';
  }

  private bury(outcome: Settlement & { kind: 'dead-letter' }): void {
    const { queue, now } = this;
    const { id, lease, task, reason, detail, replayMeta, uniqueKey } = outcome;
    const raw = outcome.raw === '' ? undefined : outcome.raw;
    const body = { ...task, id, reason, detail, replayMeta, lane: lease.lane, diedAt: now, raw };
    queue.index.set(id, `d${queue.dead.add(body, now).id}`);
    queue.freeKey(uniqueKey, id, now);
  }
}

/**
 * The delivery count of a task that was handed back: in thousands how often that was, below that how often it was
 * delivered without an outcome since its handler was last handed back. It never returns to a number that was given out.
 */
function afterRelease(delivery: number, started: boolean): number {
  return started ? (Math.floor(delivery / 1000) + 1) * 1000 : delivery + 999;
}

/** First each lane by its share; what a lane lacks is taken from the others, most urgent first. */
function leaseMore(
  queue: MemoryQueue,
  now: number,
  { consumer, want }: SettleRequest,
  makeGroups: () => void,
): readonly Delivery[] {
  const taken: Delivery[][] = [[], [], []];
  let left = want.total;
  const take = (i: number, count: number): boolean => {
    const lane = LANE_LIST[i]!;
    const stream = queue.lanes[lane];
    if (!stream.hasGroup) makeGroups();
    const entries = stream.read(consumer, count, now);
    for (const entry of entries) taken[i]!.push(deliveryOf(queue, lane, entry));
    left -= entries.length;
    return entries.length === count;
  };
  const more = LANE_LIST.map((lane, i) => {
    const count = Math.min(want[lane], left);
    return left > 0 && (count === 0 || take(i, count));
  });
  more.forEach((has, i) => {
    if (has && left > 0) take(i, left);
  });
  return taken.flat();
}
