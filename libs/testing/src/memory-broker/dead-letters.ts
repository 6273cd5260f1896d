import type { DeadLetter, DeadLetterRef } from '@taskq/core';
import { BEFORE_ALL, parseEntryId } from './entry-id.js';
import type { Fields, LetterBody, MemoryQueue } from './memory-queue.js';
import type { StreamEntry } from './memory-stream.js';

/** Puts dead letters back on their lanes with their attempts reset; answers how many (`replay.lua`). */
export function replay(queue: MemoryQueue, now: number, letters: readonly DeadLetterRef[]): number {
  let moved = 0;
  for (const { entryId, id } of letters) {
    const letter = queue.dead.get(entryId)?.body;
    const fields = letter && fieldsOf(letter, now);
    if (!fields) continue;
    queue.writeEntry(letter.lane, id, fields, now);
    queue.dead.remove(entryId);
    moved += 1;
  }
  return moved;
}

/** The entry that a dead letter becomes: as it was, if that was no task. Nothing when that cannot be read. */
function fieldsOf({ id, type, payload, replayMeta, raw }: LetterBody, now: number): Fields | undefined {
  if (raw !== undefined) return rawFields(raw);
  const fields = ['id', id, 'type', type, 'payload', payload];
  fields.push('enqueuedAt', String(now));
  if (replayMeta !== '') fields.push('meta', replayMeta);
  return fields;
}

function rawFields(raw: string): Fields | undefined {
  try {
    const fields: unknown = JSON.parse(raw);
    const whole = Array.isArray(fields) && fields.length > 0 && fields.length % 2 === 0;
    return whole ? fields.map(String) : undefined;
  } catch {
    return undefined;
  }
}

/** Deletes dead letters for good; answers how many (`delete-dead.lua`). */
export function deleteDeadLetters(queue: MemoryQueue, letters: readonly DeadLetterRef[]): number {
  let deleted = 0;
  for (const { entryId, id } of letters) {
    if (!queue.dead.remove(entryId)) continue;
    deleted += 1;
    if (queue.index.get(id) === `d${entryId}`) queue.index.delete(id);
  }
  return deleted;
}

/** Dead letters after one, oldest first. */
export function listDeadLetters(queue: MemoryQueue, after: string, limit: number): readonly DeadLetter[] {
  const from = after === '' ? BEFORE_ALL : parseEntryId(after);
  return queue.dead.after(from, limit).map((entry) => deadLetterOf(queue.name, entry));
}

/** A dead letter as it is shown. */
export function deadLetterOf(queue: string, { id: entryId, body }: StreamEntry<LetterBody>): DeadLetter {
  const { replayMeta: _, ...letter } = body;
  return { ...letter, entryId, queue };
}
