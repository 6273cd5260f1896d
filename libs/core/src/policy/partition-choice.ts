import { fnv1a } from '../contract/fnv1a.js';
import { blockOfOwnId } from '../contract/task-id.js';

/** What decides about the partition of a task. */
export interface PartitionedTask {
  /** Given by the caller; it may be one that a producer gave before. */
  readonly id: string | undefined;
  readonly partitionKey: string | undefined;
  /** Keys under which no other task may be there: they only hold within one partition. */
  readonly uniqueKeys: readonly string[];
}

/**
 * The partition of a task among `count`, from 0, by what the call says, so that a call which is repeated comes to the
 * same one, whoever makes it: by its partition key, else by the one key that makes it unique, else by the id that a
 * producer gave it. `any` where nothing decides; `several` where it has more than one such key and no partition key: then
 * no partition knows them all.
 */
export function partitionOf(count: number, task: PartitionedTask): number | 'any' | 'several' {
  const { id, partitionKey, uniqueKeys } = task;
  if (partitionKey !== undefined) return fnv1a(partitionKey) % count;
  const block = id === undefined ? undefined : blockOfOwnId(id);
  const keys = id === undefined || block !== undefined ? uniqueKeys : [...uniqueKeys, id];
  if (keys.length > 1) return 'several';
  if (keys.length === 1) return fnv1a(keys[0]!) % count;
  return block === undefined ? 'any' : block % count;
}
