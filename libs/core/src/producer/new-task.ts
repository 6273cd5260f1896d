import type { NewTask } from '../broker/broker.js';
import { FIRST_VERSION } from '../contract/payload-version.js';
import { encodeMeta, type TaskMeta } from '../contract/task-message.js';
import { dedupeName, fingerprint } from '../policy/deduplication.js';
import type { ResolvedEnqueueOptions } from '../policy/task-options.js';

/** What a call asked for, checked. */
export interface EnqueueCall {
  readonly type: string;
  /** Version of the payload. */
  readonly version: number;
  readonly payload: unknown;
  /** The payload as JSON. */
  readonly json: string;
  /** Lane unless the call names one. */
  readonly priority: NewTask['lane'];
  readonly call: ResolvedEnqueueOptions;
}

/** The task that a call asked for, encoded. `nextId` is only asked when the call brings no id of its own. */
export function newTask(enqueued: EnqueueCall, nextId: () => string): NewTask {
  const { type, version, payload, json, priority, call } = enqueued;
  const unique = call.deduplicate
    ? { key: dedupeName('unique', uniqueKey(enqueued, call.deduplicate)), ttlMs: call.deduplicateForMs }
    : undefined;
  return {
    id: call.id ?? nextId(),
    type,
    payload: json,
    meta: encodeMeta(metaOf(call.meta, version, unique)),
    lane: call.priority ?? priority,
    ...(call.due && { due: call.due }),
    ...(unique && { unique }),
    ...(call.id !== undefined && { ownId: true }),
    ...(call.idempotencyKey !== undefined && {
      idempotency: {
        key: dedupeName('idempotency', call.idempotencyKey),
        fingerprint: fingerprint(type, payload, version),
        windowMs: call.idempotencyWindowMs,
      },
    }),
  };
}

function uniqueKey({ type, version, payload }: EnqueueCall, deduplicate: string | true): string {
  return deduplicate === true ? fingerprint(type, payload, version) : deduplicate;
}

/** What travels beside the payload. The first version costs nothing, as most tasks have it. */
function metaOf(meta: TaskMeta, version: number, unique: TaskMeta['unique']): TaskMeta {
  if (version === FIRST_VERSION && !unique) return meta;
  return { ...(version !== FIRST_VERSION && { version }), ...meta, ...(unique && { unique }) };
}
