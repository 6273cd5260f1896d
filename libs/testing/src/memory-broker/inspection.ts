import type { CleaningRequest, ConsumerInfo, Lane, QueueCounts, TaskPlace } from '@taskq/core';
import { deadLetterOf } from './dead-letters.js';
import { BEFORE_ALL } from './entry-id.js';
import { type Fields, LANE_LIST, laneOfPlace, type MemoryQueue, readyIn } from './memory-queue.js';
import { RELEASED } from './memory-stream.js';

/** Counts a queue. A task that was handed back is nobody's, so it is ready (`counts.lua`). */
export function countQueue(queue: MemoryQueue, now: number): QueueCounts {
  const ready: Record<Lane, number> = { high: 0, normal: 0, low: 0 };
  let active = 0;
  let oldest = Number.POSITIVE_INFINITY;
  for (const lane of LANE_LIST) {
    const stream = queue.lanes[lane];
    ready[lane] = readyIn(stream);
    active += stream.pending - stream.released;
    for (const entry of [stream.firstFresh(), stream.heldAfter(RELEASED, BEFORE_ALL, 1)[0]])
      if (entry !== undefined) oldest = Math.min(oldest, enqueuedAt(entry.body));
  }
  return {
    ready,
    active,
    scheduled: queue.scheduled.size,
    dead: queue.dead.length,
    consumers: listConsumers(queue, now).length,
    oldestReadyMs: Number.isFinite(oldest) ? Math.max(0, now - Math.trunc(oldest)) : undefined,
  };
}

/** When an entry says that it was enqueued; infinity when it does not. */
function enqueuedAt(fields: Fields): number {
  let at = Number.POSITIVE_INFINITY;
  for (let i = 0; i + 1 < fields.length; i += 2) {
    const text = fields[i + 1]!.trim();
    if (fields[i] === 'enqueuedAt' && text !== '' && !Number.isNaN(Number(text)))
      at = Math.min(at, Number(text));
  }
  return at;
}

/** Members of the queue's groups. Entries of the wake stream are nudges, not tasks: whoever has some holds nothing. */
export function listConsumers(queue: MemoryQueue, now: number): readonly ConsumerInfo[] {
  const byName = new Map<string, ConsumerInfo>();
  for (const stream of queue.read()) {
    for (const { name, seenAt, held } of stream.consumers()) {
      if (name === RELEASED) continue;
      const known = byName.get(name);
      byName.set(name, {
        name,
        idleMs: Math.min(Math.max(0, now - seenAt), known?.idleMs ?? Number.POSITIVE_INFINITY),
        pending: (known?.pending ?? 0) + (stream === queue.wake ? 0 : held),
      });
    }
  }
  return [...byName.values()];
}

/** Whether consumers are gone, or dead letters too many or too old (`cleaning-due.lua`). */
export function isCleaningDue(queue: MemoryQueue, now: number, request: CleaningRequest): boolean {
  const { dead } = queue;
  const [oldest] = dead.after(BEFORE_ALL, 1);
  const tooOld = oldest !== undefined && oldest.ms < now - request.deadLetterAgeMs;
  if (dead.length > request.deadLetters || tooOld) return true;
  return listConsumers(queue, now).some(
    ({ name, idleMs, pending }) =>
      name !== request.consumer && pending === 0 && idleMs >= request.consumerAgeMs,
  );
}

/** Removes a consumer that holds no task; answers whether it is gone (`remove-consumer.lua`). */
export function removeConsumer(queue: MemoryQueue, consumer: string): boolean {
  const { control } = queue;
  if (control.promoter === consumer) {
    control.promoter = undefined;
    control.promoterUntil = undefined;
  }
  if (LANE_LIST.some((lane) => queue.lanes[lane].holdsAny(consumer))) return false;
  for (const stream of queue.read()) stream.removeConsumer(consumer);
  return true;
}

/** Where the index says that a task is, if it is there. */
export function findTask(queue: MemoryQueue, now: number, id: string): TaskPlace | undefined {
  const place = queue.index.get(id);
  if (place === undefined) return undefined;
  if (place === 's') {
    const task = queue.scheduled.get(id);
    return task && { state: 'scheduled', task };
  }
  const entryId = place.slice(1);
  if (place.startsWith('d')) {
    const entry = queue.dead.get(entryId);
    return entry && { state: 'dead', letter: deadLetterOf(queue.name, entry) };
  }
  const lane = laneOfPlace(place);
  const entry = queue.lanes[lane].get(entryId);
  if (entry === undefined) return undefined;
  const { body: fields, holder, deliveredAt, deliveries } = entry;
  if (holder === undefined || holder.name === RELEASED) return { state: 'ready', lane, entryId, fields };
  const idleMs = Math.max(0, now - deliveredAt);
  return { state: 'active', lane, entryId, fields, consumer: holder.name, idleMs, delivery: deliveries };
}
