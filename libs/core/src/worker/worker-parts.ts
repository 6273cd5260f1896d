import type { Broker } from '../broker/broker.js';
import type { PayloadParsers } from '../contract/payload-parsers.js';
import type { ResolvedEngineOptions } from '../policy/engine-options.js';
import type { Partitions } from '../policy/partitions.js';
import type { Clock } from '../runtime/clock.js';
import type { Logger } from '../runtime/logger.js';
import type { TaskEvents } from '../telemetry/task-events.js';
import type { HandlerRegistry } from './handler-registry.js';

/** What a worker is made of. */
export interface WorkerParts {
  readonly broker: Broker;
  readonly options: ResolvedEngineOptions;
  readonly partitions: Partitions;
  readonly registry: HandlerRegistry;
  readonly parsers: PayloadParsers;
  readonly events: TaskEvents;
  readonly logger: Logger;
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly randomBytes: (size: number) => Buffer;
}

/** What the parts of a running worker share: what it is made of, and its name in the consumer group. */
export interface ConsumerParts extends WorkerParts {
  readonly consumer: string;
}
