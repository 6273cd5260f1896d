import { ConfigurationError } from '../contract/errors.js';
import { fnv1a } from '../contract/fnv1a.js';
import { type PartitionedTask, partitionOf } from '../policy/partition-choice.js';
import type { Partitions } from '../policy/partitions.js';
import type { Clock } from '../runtime/clock.js';
import { PartitionTurns } from './partition-turns.js';
import { TaskIds } from './task-ids.js';

/** Where a task is kept, and under which id. */
export interface Place {
  /** The queue, or its partition, as the broker knows it. */
  readonly partition: string;
  readonly id: string;
}

/** What a placement is made of. */
interface PlacementParts {
  /** Names the producer; producers begin with different partitions. */
  readonly producer: string;
  readonly partitions: Partitions;
  /** Whether a group of tasks is on its way to a partition. */
  readonly isBusy: (partition: string) => boolean;
  readonly clock: Clock;
}

/** Decides for one producer where its tasks go: where the call says, else evenly to the partitions of their queue. */
export class Placement {
  private readonly ids: TaskIds;
  /** By queue. */
  private readonly turns = new Map<string, PartitionTurns>();

  constructor(private readonly parts: PlacementParts) {
    this.ids = new TaskIds(parts.producer);
  }

  /** @throws ConfigurationError when the call has keys that belong to different partitions */
  place(queue: string, type: string, task: PartitionedTask): Place {
    const names = this.parts.partitions.of(queue);
    if (names.length === 1) return { partition: names[0]!, id: task.id ?? this.ids.next() };
    const choice = partitionOf(names.length, task);
    if (choice === 'several') throw severalKeys(queue, type);
    const position = choice === 'any' ? this.turnsOf(queue, names).next() : choice;
    const partition = names[position]!;
    return { partition, id: task.id ?? this.ids.nextIn(partition, position, names.length) };
  }

  private turnsOf(queue: string, names: readonly string[]): PartitionTurns {
    let turns = this.turns.get(queue);
    if (!turns) {
      const { producer, isBusy, clock } = this.parts;
      const first = fnv1a(producer) % names.length;
      const busyAt = (position: number): boolean => isBusy(names[position]!);
      turns = new PartitionTurns({ count: names.length, first, isBusy: busyAt, clock });
      this.turns.set(queue, turns);
    }
    return turns;
  }
}

function severalKeys(queue: string, type: string): ConfigurationError {
  return new ConfigurationError(`enqueue "${type}"`, [
    `queue "${queue}" has partitions, and id, idempotencyKey and deduplicate only compare tasks of one: ` +
      'name a partitionKey that tasks have in common which are to be compared, or give one of the three',
  ]);
}
