import { ConfigurationError } from '../contract/errors.js';
import { fnv1a } from '../contract/fnv1a.js';
import { type PartitionedTask, partitionOf } from '../policy/partition-choice.js';
import type { Partitions } from '../policy/partitions.js';
import { TaskIds } from './task-ids.js';

/** Where a task is kept, and under which id. */
export interface Place {
  /** The queue, or its partition, as the broker knows it. */
  readonly partition: string;
  readonly id: string;
}

/** Decides for one producer where its tasks go: where the call says, else to each partition of their queue in turn. */
export class Placement {
  private readonly ids: TaskIds;
  /** Tasks for which nothing decided, by queue. Producers begin with different partitions. */
  private readonly turns = new Map<string, number>();

  constructor(
    private readonly producer: string,
    private readonly partitions: Partitions,
  ) {
    this.ids = new TaskIds(producer);
  }

  /** @throws ConfigurationError when the call has keys that belong to different partitions */
  place(queue: string, type: string, task: PartitionedTask): Place {
    const names = this.partitions.of(queue);
    if (names.length === 1) return { partition: names[0]!, id: task.id ?? this.ids.next() };
    const choice = partitionOf(names.length, task);
    if (choice === 'several') throw severalKeys(queue, type);
    const position = choice === 'any' ? this.turn(queue) % names.length : choice;
    const partition = names[position]!;
    return { partition, id: task.id ?? this.ids.nextIn(partition, position, names.length) };
  }

  private turn(queue: string): number {
    const turn = this.turns.get(queue) ?? fnv1a(this.producer);
    this.turns.set(queue, turn + 1);
    return turn;
  }
}

function severalKeys(queue: string, type: string): ConfigurationError {
  return new ConfigurationError(`enqueue "${type}"`, [
    `queue "${queue}" has partitions, and id, idempotencyKey and deduplicate only compare tasks of one: ` +
      'name a partitionKey that tasks have in common which are to be compared, or give one of the three',
  ]);
}
