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

/**
 * The task that a call asked for, encoded. `idFor` is told the keys under which no other task may be there, and answers
 * its id.
 *
 * The conditional spreads are not for looks: V8 11.3 (Node.js 20) folds the allocations of a longer row of plain object
 * literals here into one, and crashes (SIGSEGV; not with `--no-turbo-allocation-folding`) within seconds of full load.
 */
export function newTask(enqueued: EnqueueCall, idFor: (uniqueKeys: readonly string[]) => string): NewTask {
  const { type, version, payload, json, priority, call } = enqueued;
  const unique = call.deduplicate
    ? { key: dedupeName('unique', uniqueKey(enqueued, call.deduplicate)), ttlMs: call.deduplicateForMs }
    : undefined;
  const key = call.idempotencyKey === undefined ? undefined : dedupeName('idempotency', call.idempotencyKey);
  return {
    id: idFor([unique?.key, key].filter((one) => one !== undefined)),
    type,
    payload: json,
    meta: encodeMeta(metaOf(call.meta, version, unique)),
    lane: call.priority ?? priority,
    ...(call.due && { due: call.due }),
    ...(unique && { unique }),
    ...(call.id !== undefined && { ownId: true }),
    ...(key !== undefined && {
      idempotency: {
        key,
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
