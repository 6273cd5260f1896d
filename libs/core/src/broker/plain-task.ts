import type { NewTask } from './broker.js';

/**
 * Whether a task asks for nothing but to be run, and its texts are one line each (JSON has no newlines but those that
 * somebody puts between its parts): then several of them can be one text.
 */
export function isPlainTask({ id, type, payload, meta, due, idempotency, unique, ownId }: NewTask): boolean {
  if (due !== undefined || idempotency !== undefined || unique !== undefined || ownId === true) return false;
  return !(payload.includes('\n') || meta.includes('\n') || type.includes('\n') || id.includes('\n'));
}
