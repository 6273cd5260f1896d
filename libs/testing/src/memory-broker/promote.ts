import type { DutyRequest, PromoteAnswer, PromoteRequest } from '@taskq/core';
import type { MemoryQueue } from './memory-queue.js';

/** Tasks moved by one call. */
const PAGE = 100;

/** Moves tasks that are due to their lanes, if the consumer has the duty or takes it (`due.lua`, `promote.lua`). */
export function promote(queue: MemoryQueue, now: number, request: PromoteRequest): PromoteAnswer {
  if (request.wakeEntryId !== undefined) queue.wake.remove(request.wakeEntryId);
  if (!isOnDuty(queue, now, request)) return { onDuty: false, promoted: 0, nextInMs: undefined };
  const due = queue.scheduled.takeDue(now, PAGE);
  for (const { lane, ...task } of due) queue.writeTask(lane, task, now);
  const { nextAt } = queue.scheduled;
  return {
    onDuty: true,
    promoted: due.length,
    nextInMs: nextAt === undefined ? undefined : Math.max(0, nextAt - now),
  };
}

/**
 * Takes the duty if tasks wait and nobody else has it; answers whether they wait, and how long until the next is due if
 * it has the duty (`take-duties.lua`).
 */
export function takeDuty(
  queue: MemoryQueue,
  now: number,
  { consumer, dutyMs }: DutyRequest,
): { readonly waiting: boolean; readonly nextInMs: number | undefined } {
  const { nextAt } = queue.scheduled;
  if (nextAt === undefined) return { waiting: false, nextInMs: undefined };
  const onDuty = isOnDuty(queue, now, { consumer, dutyMs, takeOver: false });
  return { waiting: true, nextInMs: onDuty ? Math.max(0, nextAt - now) : undefined };
}

/** Whether the consumer has the duty from now on. */
function isOnDuty(
  { control }: MemoryQueue,
  now: number,
  { consumer, dutyMs, takeOver }: Pick<PromoteRequest, 'consumer' | 'dutyMs' | 'takeOver'>,
): boolean {
  const { promoter, promoterUntil = 0 } = control;
  // A duty that ends later than one that begins now was written by a clock that was ahead.
  const taken = promoterUntil > now && promoterUntil <= now + dutyMs;
  const free = promoter === undefined || promoter === consumer || !taken;
  if (!free && !takeOver) return false;
  control.promoter = consumer;
  control.promoterUntil = Math.trunc(now + dutyMs);
  return true;
}
