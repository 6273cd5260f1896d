import { fnv1a } from './fnv1a.js';

/**
 * Task ids are `<producer>.<sequence>`: twelve random characters (72 bits) made once per producer, and a count in
 * base 36. They are short, cost no randomness per task, and let neighbours share one small index hash.
 */
const OWN_ID = /^[A-Za-z0-9_-]{12}\.[0-9a-z]{1,11}$/;

/** Buckets for ids that are not ours (given by the caller, or entries that another language wrote). */
const FOREIGN_BUCKETS = 1024;

/** The id of the `sequence`-th task of a producer. */
export function taskId(producer: string, sequence: number): string {
  return `${producer}.${sequence.toString(36)}`;
}

/** Where the index keeps a task: the bucket (a suffix of a key) and the field in it. */
export interface IndexPlace {
  readonly bucket: string;
  /** One character where the id is ours; longer otherwise. */
  readonly field: string;
}

/**
 * The place of a task in the index; a function of the id alone, so that every process agrees. The thirty-six tasks of a
 * producer whose ids differ in the last digit are neighbours: they share a bucket.
 */
export function indexPlace(id: string): IndexPlace {
  if (isOwnId(id)) return { bucket: id.slice(0, -1), field: id.slice(-1) };
  return { bucket: `x${(fnv1a(id) % FOREIGN_BUCKETS).toString(36)}`, field: `=${id}` };
}

/** Whether the id was given by a producer, and not by a caller or by somebody who wrote the entry. */
export function isOwnId(id: string): boolean {
  return OWN_ID.test(id);
}

/** Ids that differ in the last digit: neighbours in the index. */
export const BLOCK = 36;

/** Which thirty-six of its producer's ids this is one of, from 0; nothing for an id that no producer gave. */
export function blockOfOwnId(id: string): number | undefined {
  if (!isOwnId(id)) return undefined;
  return Math.floor(Number.parseInt(id.slice(id.lastIndexOf('.') + 1), 36) / BLOCK);
}
