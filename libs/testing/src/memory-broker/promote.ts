import type { PromoteAnswer, PromoteRequest } from '@taskq/core';
import type { MemoryQueue } from './memory-queue.js';

/** Tasks moved by one call. */
const PAGE = 100;

/** Moves tasks that are due to their lanes, if the consumer has the duty or takes it (`due.lua`, `promote.lua`). */
export function promote(queue: MemoryQueue, now: number, request: PromoteRequest): PromoteAnswer {
  if (request.wakeEntryId !== undefined) queue.wake.remove(request.wakeEntryId);
  if (!takeDuty(queue, now, request)) return { onDuty: false, promoted: 0, nextInMs: undefined };
  const due = queue.scheduled.takeDue(now, PAGE);
  for (const { lane, ...task } of due) queue.writeTask(lane, task, now);
  const { nextAt } = queue.scheduled;
  return {
    onDuty: true,
    promoted: due.length,
    nextInMs: nextAt === undefined ? undefined : Math.max(0, nextAt - now),
  };
}

function takeDuty({ control }: MemoryQueue, now: number, request: PromoteRequest): boolean {
  const { consumer, dutyMs, takeOver } = request;
  const { promoter, promoterUntil = 0 } = control;
  // A duty that ends later than one that begins now was written by a clock that was ahead.
  const taken = promoterUntil > now && promoterUntil <= now + dutyMs;
  const free = promoter === undefined || promoter === consumer || !taken;
  if (!free && !takeOver) return false;
  control.promoter = consumer;
  control.promoterUntil = Math.trunc(now + dutyMs);
  return true;
}
