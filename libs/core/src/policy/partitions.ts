import { ConfigurationError } from '../contract/errors.js';
import { partitionNames } from '../contract/partition-names.js';
import { queueOptions, type ResolvedEngineOptions, type ResolvedQueueOptions } from './engine-options.js';

/** Where a partition belongs. */
interface Place {
  readonly queue: string;
  readonly position: number;
}

/**
 * Which queues are kept in partitions, and what each partition is given of its queue's options. Brokers, and all that
 * takes care of what a broker keeps, know partitions only; people know queues only.
 */
export class Partitions {
  private readonly names = new Map<string, readonly string[]>();
  private readonly places = new Map<string, Place>();

  constructor(private readonly options: ResolvedEngineOptions) {
    for (const queue of Object.keys(options.queues)) this.declare(queue);
  }

  /** Learns of a queue whose options are there now. */
  declare(queue: string): void {
    const { partitions } = queueOptions(this.options, queue);
    if (partitions === 1) return;
    const names = partitionNames(queue, partitions);
    this.names.set(queue, names);
    names.forEach((name, position) => this.places.set(name, { queue, position }));
  }

  /** Names that the queue is kept under; its own where it is not split. */
  of(queue: string): readonly string[] {
    return this.names.get(queue) ?? [queue];
  }

  /** The queue that a name belongs to: its own where it names no partition. */
  queueOf(name: string): string {
    return this.places.get(name)?.queue ?? name;
  }

  /** Options of what is kept under a name: its share, where it is one of several. */
  optionsOf(name: string): ResolvedQueueOptions {
    const place = this.places.get(name);
    if (!place) return queueOptions(this.options, name);
    const options = queueOptions(this.options, place.queue);
    const { concurrency, prefetch, maxReady, partitions } = options;
    return {
      ...options,
      concurrency: Math.floor(concurrency / partitions) + (place.position < concurrency % partitions ? 1 : 0),
      prefetch: Math.ceil(prefetch / partitions),
      maxReady: Math.ceil(maxReady / partitions),
    };
  }

  /** @throws ConfigurationError when the name is that of a partition, which nobody but its queue may use */
  demandQueue(name: string, where: string): void {
    const place = this.places.get(name);
    if (!place) return;
    throw new ConfigurationError(where, [`queue "${name}" is a partition of "${place.queue}": name that`]);
  }
}
