import { BrokerError, type PartitionsRecord } from '@taskq/core';
import { LANE_LIST, type MemoryQueue } from './memory-queue.js';

/** Records into how many parts tasks are split, unless tasks are kept otherwise (`record-partitions.lua`). */
export function recordPartitions(queue: MemoryQueue, request: PartitionsRecord): number {
  const { control } = queue;
  const { partitions, otherwise, known } = request;
  const recorded = control.partitions ?? otherwise;
  if (recorded !== partitions && ((known !== undefined && known !== recorded) || !isEmpty(queue)))
    return recorded;
  control.partitions = partitions;
  return partitions;
}

/** @throws BrokerError `LAYOUT` another number of partitions is recorded than the sender believes in; nothing is written */
export function demandPartitions({ control }: MemoryQueue, partitions: number): void {
  const recorded = control.partitions ?? partitions;
  if (recorded === partitions) return;
  throw new BrokerError(
    'LAYOUT',
    `LAYOUT this belongs to a queue of ${recorded} partitions, not of ${partitions}`,
    { retryable: false },
  );
}

function isEmpty({ lanes, scheduled, dead }: MemoryQueue): boolean {
  return scheduled.size + dead.length === 0 && LANE_LIST.every((lane) => lanes[lane].length === 0);
}
