import type { Delivery, Lease, Settlement, StoredTask } from '../broker/broker.js';
import { encodeMeta, type TaskMessage, type TaskMeta } from '../contract/task-message.js';
import { type DeadLetterReason, errorRecord, type Outcome } from '../policy/outcome.js';

/** What the broker is told of an outcome. */
export function settlementOf(
  delivery: Delivery,
  message: TaskMessage,
  outcome: Outcome,
  started: boolean,
): Settlement {
  const lease = leaseOf(delivery);
  const { id } = message;
  const { unique } = message.meta;
  switch (outcome.kind) {
    case 'complete':
    case 'discard':
      return { kind: 'remove', lease, id, ...(unique && { uniqueKey: unique.key }) };
    case 'retry':
    case 'snooze':
    case 'no-handler':
      return {
        kind: 'schedule',
        lease,
        id,
        delayMs: outcome.delayMs,
        task: stored(message, outcome.attempt, outcome.meta),
        ...(unique && { unique }),
      };
    case 'dead-letter':
      return {
        kind: 'dead-letter',
        lease,
        id,
        task: stored(message, message.attempt, outcome.meta),
        reason: outcome.reason,
        detail: outcome.detail,
        replayMeta: encodeMeta(outcome.replayMeta),
        ...(unique && { uniqueKey: unique.key }),
      };
    case 'release':
      return { kind: 'release', lease, started };
  }
}

/**
 * An entry that is no task goes to the dead-letter stream with its fields as they were. `message` is what could be
 * read of it, when only its payload is wrong: then it keeps its id, and its key is freed.
 */
export function malformedSettlement(delivery: Delivery, error: Error, message?: TaskMessage): Settlement {
  const reason: DeadLetterReason = 'malformed';
  const unique = message?.meta.unique;
  return {
    kind: 'dead-letter',
    lease: leaseOf(delivery),
    id: message?.id ?? delivery.entryId,
    task: message
      ? stored(message, message.attempt, message.meta)
      : { type: '', payload: '', attempt: 1, enqueuedAt: undefined, meta: '' },
    reason,
    detail: errorRecord(error).message,
    replayMeta: '',
    raw: JSON.stringify(delivery.fields),
    ...(unique && { uniqueKey: unique.key }),
  };
}

/** What an outcome brings along beside its place, roughly: nothing for tasks that just end. */
export function bytesOf(settlement: Settlement): number {
  if (settlement.kind === 'remove' || settlement.kind === 'release') return 0;
  const { payload, meta } = settlement.task;
  const raw = settlement.kind === 'dead-letter' ? (settlement.raw?.length ?? 0) : 0;
  return payload.length + meta.length + raw;
}

/** What identifies a delivery to the broker. */
export function leaseOf({ lane, entryId, delivery }: Delivery): Lease {
  return { lane, entryId, delivery };
}

function stored(message: TaskMessage, attempt: number, meta: TaskMeta): StoredTask {
  const { type, payload, enqueuedAt } = message;
  return { type, payload, attempt, enqueuedAt, meta: encodeMeta(meta) };
}
