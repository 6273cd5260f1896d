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

/** What is held against other tasks: nothing for most. */
export type Uniqueness = Pick<NewTask, 'unique' | 'idempotency'>;

const NOT_UNIQUE: Uniqueness = Object.freeze({});
const NO_KEYS: readonly string[] = Object.freeze([]);

/** What a call asked to be held against other tasks. */
export function uniquenessOf({ type, version, payload, call }: EnqueueCall): Uniqueness {
  const { deduplicate, idempotencyKey } = call;
  if (deduplicate === undefined && idempotencyKey === undefined) return NOT_UNIQUE;
  const same = (): string => fingerprint(type, payload, version);
  return {
    ...(deduplicate !== undefined && {
      unique: {
        key: dedupeName('unique', deduplicate === true ? same() : deduplicate),
        ttlMs: call.deduplicateForMs,
      },
    }),
    ...(idempotencyKey !== undefined && {
      idempotency: {
        key: dedupeName('idempotency', idempotencyKey),
        fingerprint: same(),
        windowMs: call.idempotencyWindowMs,
      },
    }),
  };
}

/** The keys of these. */
export function uniqueKeys({ unique, idempotency }: Uniqueness): readonly string[] {
  if (!unique && !idempotency) return NO_KEYS;
  return [unique, idempotency].flatMap((held) => (held ? [held.key] : []));
}

/** The task that a call asked for, encoded. */
export function newTask(enqueued: EnqueueCall, id: string, uniqueness: Uniqueness): NewTask {
  const { type, version, json, priority, call } = enqueued;
  const meta = encodeMeta(metaOf(call.meta, version, uniqueness.unique));
  const task = { id, type, payload: json, meta, lane: call.priority ?? priority };
  // Nearly every call asks for nothing else.
  if (uniqueness === NOT_UNIQUE && call.due === undefined && call.id === undefined) return task;
  return {
    ...task,
    ...uniqueness,
    ...(call.due && { due: call.due }),
    ...(call.id !== undefined && { ownId: true }),
  };
}

/** What travels beside the payload. The first version costs nothing, as most tasks have it. */
function metaOf(meta: TaskMeta, version: number, unique: TaskMeta['unique']): TaskMeta {
  if (version === FIRST_VERSION && !unique) return meta;
  return { ...(version !== FIRST_VERSION && { version }), ...meta, ...(unique && { unique }) };
}
