import type { NewTask } from '../broker/broker.js';
import { encodeMeta } from '../contract/task-message.js';
import { dedupeName, fingerprint } from '../policy/deduplication.js';
import type { ResolvedEnqueueOptions } from '../policy/task-options.js';

/** What a call asked for, checked. */
export interface EnqueueCall {
  readonly type: string;
  readonly payload: unknown;
  /** The payload as JSON. */
  readonly json: string;
  /** Lane unless the call names one. */
  readonly priority: NewTask['lane'];
  readonly call: ResolvedEnqueueOptions;
}

/** The task that a call asked for, encoded. `nextId` is only asked when the call brings no id of its own. */
export function newTask({ type, payload, json, priority, call }: EnqueueCall, nextId: () => string): NewTask {
  const unique = call.deduplicate && {
    key: dedupeName('unique', call.deduplicate === true ? fingerprint(type, payload) : call.deduplicate),
    ttlMs: call.deduplicateForMs,
  };
  return {
    id: call.id ?? nextId(),
    type,
    payload: json,
    meta: encodeMeta(unique ? { ...call.meta, unique } : call.meta),
    lane: call.priority ?? priority,
    ...(call.due && { due: call.due }),
    ...(unique && { unique }),
    ...(call.id !== undefined && { ownId: true }),
    ...(call.idempotencyKey !== undefined && {
      idempotency: {
        key: dedupeName('idempotency', call.idempotencyKey),
        fingerprint: fingerprint(type, payload),
        windowMs: call.idempotencyWindowMs,
      },
    }),
  };
}
