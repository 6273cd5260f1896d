import type { Delivery, FetchAnswer, FetchRequest, Lane, WakeReason } from '@taskq/core';
import { noGroup } from './faults.js';
import { type Fields, LANE_LIST, type MemoryQueue } from './memory-queue.js';
import type { StreamEntry } from './memory-stream.js';

/**
 * Leases what is there in any of the queues; nothing when there is nothing (`XREADGROUP`).
 * @throws BrokerError `NOGROUP` one of the queues has lost a group; then nothing is leased
 */
export function readQueues(
  queues: readonly MemoryQueue[],
  now: number,
  { consumer, count }: FetchRequest,
): FetchAnswer | undefined {
  let fresh = false;
  for (const queue of queues) {
    for (const stream of queue.read()) {
      if (!stream.hasGroup) throw noGroup(queue.name);
      if (stream.hasFresh) fresh = true;
    }
  }
  if (!fresh) return undefined;
  const deliveries: Delivery[] = [];
  const woken: { queue: string; entryId: string; why: WakeReason }[] = [];
  for (const queue of queues) {
    for (const lane of LANE_LIST) {
      for (const entry of queue.lanes[lane].read(consumer, count, now))
        deliveries.push(deliveryOf(queue, lane, entry));
    }
    for (const { id, body } of queue.wake.read(consumer, count, now))
      woken.push({ queue: queue.name, entryId: id, why: body });
  }
  return { deliveries, woken };
}

/** An entry that was leased just now. */
export function deliveryOf(
  { name: queue, control }: MemoryQueue,
  lane: Lane,
  entry: StreamEntry<Fields>,
  from?: string,
): Delivery {
  const { id, body, deliveries } = entry;
  const era = control.era ?? 0;
  const delivery = { queue, lane, entryId: id, delivery: deliveries, era, fields: body };
  return from === undefined ? delivery : { ...delivery, from };
}
