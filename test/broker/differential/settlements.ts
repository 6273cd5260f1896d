import type { Delivery, Settlement } from '@taskq/core';
import { type OutcomeCall, TIMES } from './calls.js';

/** What a call says of a delivery, as told to the broker. */
export function settlementOf(found: Delivery, outcome: OutcomeCall): Settlement {
  const { lane, entryId, fields } = found;
  const lease = { lane, entryId, delivery: found.delivery + (outcome.wrong ? 1 : 0) };
  const field = (name: string): string | undefined => fields[fields.indexOf(name) + 1 || -1];
  const id = field('id') ?? `foreign-${field('n')}`;
  const enqueuedAt = Number(field('enqueuedAt')) || undefined;
  const task = {
    type: 'mail.send',
    payload: field('payload') ?? '',
    attempt: 2,
    enqueuedAt,
    meta: '{"starts":1}',
  };
  const { kind, key, delayMs, raw, started } = outcome;
  switch (kind) {
    case 'remove':
      return { kind, lease, id, ...(key !== undefined && { uniqueKey: key }) };
    case 'schedule':
      return {
        kind,
        lease,
        id,
        delayMs,
        task,
        ...(key !== undefined && { unique: { key, ttlMs: TIMES.ttl } }),
      };
    case 'dead-letter': {
      const why = { reason: 'malformed', detail: 'said so', replayMeta: '{"replays":1}' };
      const more = { ...(key !== undefined && { uniqueKey: key }), ...(raw !== undefined && { raw }) };
      return { kind, lease, id, task, ...why, ...more };
    }
    case 'release':
      return { kind, lease, started };
  }
}
