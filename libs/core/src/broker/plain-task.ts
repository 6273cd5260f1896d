import type { NewTask } from './broker.js';

/** Whether a task asks for more than to be run: to wait, or not to be there twice. */
export function asksForMore({ due, idempotency, unique, ownId }: NewTask): boolean {
  return due !== undefined || idempotency !== undefined || unique !== undefined || ownId === true;
}

/**
 * Whether a task asks for nothing but to be run, and its texts are one line each (JSON has no newlines but those that
 * somebody puts between its parts): then several of them can be one text.
 */
export function isPlainTask(task: NewTask): boolean {
  if (asksForMore(task)) return false;
  const { id, type, payload, meta } = task;
  return !(payload.includes('\n') || meta.includes('\n') || type.includes('\n') || id.includes('\n'));
}
