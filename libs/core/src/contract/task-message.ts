import { MalformedTaskError } from './errors.js';
import { isName, NAME_RULE } from './names.js';
import { FIRST_VERSION } from './payload-version.js';

/** One attempt that did not complete the task. */
export interface AttemptRecord {
  readonly attempt: number;
  /** When it ended, in milliseconds of the Redis clock. */
  readonly at: number;
  /** Consumer that ran it. */
  readonly worker: string;
  readonly error: { readonly name: string; readonly message: string; readonly stack?: string };
}

/** Retry delays as they travel with a task. */
export interface BackoffOverride {
  readonly baseMs: number;
  readonly factor: number;
  readonly maxMs: number;
}

/** What travels with a task beside its payload. Every member is optional; an empty record is written as ''. */
export interface TaskMeta {
  /** Version of the payload; absent for the first. */
  readonly version?: number;
  /** Headers given at enqueue. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Options given at the call, which win over the contract's. */
  readonly maxAttempts?: number;
  readonly timeoutMs?: number;
  readonly backoff?: BackoffOverride;
  /** Starts that happened in earlier entries of this task: what keeps the fence growing across retries. */
  readonly starts?: number;
  readonly history?: readonly AttemptRecord[];
  /** Deduplication key (as hashed in Redis) that is freed when the task ends, and its lifetime. */
  readonly unique?: { readonly key: string; readonly ttlMs: number };
  /** When a worker first found no handler for the type, in milliseconds of the Redis clock. */
  readonly noHandlerSince?: number;
  /** How often the task was replayed from the dead-letter stream. */
  readonly replays?: number;
}

/** A task as it stands on a stream, wire format 1 (see docs/wire-format.md). */
export interface TaskMessage {
  readonly id: string;
  readonly type: string;
  /** JSON text; parsed only by the worker that runs it. */
  readonly payload: string;
  /** The attempt that the next start of this entry is: 1 for a new task. */
  readonly attempt: number;
  readonly enqueuedAt: number | undefined;
  readonly meta: TaskMeta;
}

const EMPTY_META: TaskMeta = Object.freeze({});

/** Attempts kept in the history: the first, and the last nineteen. */
const HISTORY_LIMIT = 20;

/** Upper bound of `meta` as text, in characters; more than this was not written by us. */
const META_LIMIT = 131_072;

/**
 * Reads an entry's fields (name, value, name, value …). An entry that holds only `type` and `payload` is valid, so
 * that any language can enqueue with one XADD: its id is the entry's own.
 * @throws MalformedTaskError naming the field that is missing or wrong
 */
export function decodeMessage(fields: readonly string[], entryId: string): TaskMessage {
  let id = entryId;
  let type: string | undefined;
  let payload: string | undefined;
  let attempt: string | undefined;
  let enqueuedAt = '';
  let meta = '';
  for (let i = 0; i + 1 < fields.length; i += 2) {
    const value = fields[i + 1]!;
    switch (fields[i]) {
      case 'id':
        id = value;
        break;
      case 'type':
        type = value;
        break;
      case 'payload':
        payload = value;
        break;
      case 'attempt':
        attempt = value;
        break;
      case 'enqueuedAt':
        enqueuedAt = value;
        break;
      case 'meta':
        meta = value;
        break;
      default: // fields of later versions are ignored
    }
  }
  if (type === undefined) throw new MalformedTaskError('field "type" is missing');
  if (payload === undefined) throw new MalformedTaskError('field "payload" is missing');
  if (!isName(type)) throw new MalformedTaskError(`field "type" must be ${NAME_RULE}`);
  if (!isName(id)) throw new MalformedTaskError(`field "id" must be ${NAME_RULE}`);
  return {
    id,
    type,
    payload,
    attempt: attempt === undefined ? 1 : count(attempt, 'attempt'),
    enqueuedAt: enqueuedAt === '' ? undefined : count(enqueuedAt, 'enqueuedAt'),
    meta: meta === '' ? EMPTY_META : decodeMeta(meta),
  };
}

/** Version of a task's payload. */
export function versionOf(meta: TaskMeta): number {
  return meta.version ?? FIRST_VERSION;
}

/** The text of `meta` on the wire; '' when it holds nothing. */
export function encodeMeta(meta: TaskMeta): string {
  for (const key in meta) {
    if (meta[key as keyof TaskMeta] !== undefined) return JSON.stringify(meta);
  }
  return '';
}

/** `history` with one more attempt, bounded: the first attempt is kept, then the latest. */
export function withAttempt(
  history: readonly AttemptRecord[] | undefined,
  record: AttemptRecord,
): readonly AttemptRecord[] {
  const all = [...(history ?? []), record];
  return all.length <= HISTORY_LIMIT ? all : [all[0]!, ...all.slice(all.length - HISTORY_LIMIT + 1)];
}

function count(text: string, field: string): number {
  const value = Number(text);
  if (!/^\d{1,15}$/.test(text) || (field === 'attempt' && value < 1)) {
    throw new MalformedTaskError(`field "${field}" must be a whole number`);
  }
  return value;
}

function decodeMeta(text: string): TaskMeta {
  if (text.length > META_LIMIT)
    throw new MalformedTaskError(`field "meta" is longer than ${META_LIMIT} characters`);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new MalformedTaskError('field "meta" is not JSON');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new MalformedTaskError('field "meta" is not an object');
  }
  const wrong = Object.entries(META_SHAPE).find(([key, fits]) => {
    const member = (value as Record<string, unknown>)[key];
    return member !== undefined && !fits(member);
  });
  if (wrong) throw new MalformedTaskError(`field "meta.${wrong[0]}" is not what it should be`);
  return value;
}

const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 0;
const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** What each member of `meta` must be; stored text is never trusted, whoever wrote it. */
const META_SHAPE: Readonly<Record<keyof TaskMeta, (value: unknown) => boolean>> = {
  version: (value) => isCount(value) && (value as number) >= 1,
  headers: (value) => isRecord(value) && Object.values(value).every((header) => typeof header === 'string'),
  maxAttempts: (value) => isCount(value) && (value as number) >= 1,
  timeoutMs: (value) => isCount(value) && (value as number) >= 1,
  backoff: (value) =>
    isRecord(value) &&
    ['baseMs', 'factor', 'maxMs'].every((key) => Number.isFinite(value[key]) && (value[key] as number) >= 0),
  starts: isCount,
  history: (value) =>
    Array.isArray(value) &&
    value.every((record) => isRecord(record) && isCount(record.attempt) && isRecord(record.error)),
  unique: (value) => isRecord(value) && typeof value.key === 'string' && isCount(value.ttlMs),
  noHandlerSince: isCount,
  replays: isCount,
};
