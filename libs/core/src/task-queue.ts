import { ConfigurationError } from './contract/errors.js';
import { PayloadParsers } from './contract/payload-parsers.js';
import type { PayloadClassParser } from './contract/payload-schema.js';
import { Inspector } from './inspector/inspector.js';
import {
  type EngineOptions,
  type QueueOptions,
  resolveEngineOptions,
  type ResolvedEngineOptions,
  resolveQueueOptions,
} from './policy/engine-options.js';
import { TaskProducer } from './producer/task-producer.js';
import { RedisBroker } from './redis/redis-broker.js';
import { type Logger, silentLogger } from './runtime/logger.js';
import { TaskEvents } from './telemetry/task-events.js';
import type { HandlerRegistry } from './worker/handler-registry.js';
import { TaskWorker } from './worker/task-worker.js';

/** What may be given to {@link TaskQueue.open} beside options. */
export interface TaskQueueParts {
  /** @default one that says nothing */
  logger?: Logger;
  /** Checks payload classes. @default classes are refused */
  classParser?: PayloadClassParser;
  /** Uniform in [0, 1): jitter. @default Math.random */
  random?: () => number;
}

/** An engine: one Redis, one producer, one inspector, and workers as you ask for them. */
export class TaskQueue {
  readonly producer: TaskProducer;
  readonly inspector: Inspector;

  private constructor(
    /** The broker; `broker.client` is its Redis connection for your own use. */
    readonly broker: RedisBroker,
    readonly options: ResolvedEngineOptions,
    readonly events: TaskEvents,
    private readonly logger: Logger,
    private readonly parsers: PayloadParsers,
    private readonly random: () => number,
  ) {
    this.producer = new TaskProducer({ broker, options, events, parsers, random });
    this.inspector = new Inspector(broker);
    broker.onReconnect((link) => events.emit('broker.reconnected', { link }));
  }

  /**
   * Resolves the options, connects to Redis and looks whether it can be trusted with tasks.
   * @throws ConfigurationError naming every wrong option
   * @throws RedisUnusableError when Redis cannot be reached or would lose tasks
   */
  static async open(options: EngineOptions = {}, parts: TaskQueueParts = {}): Promise<TaskQueue> {
    const { logger = silentLogger, random = Math.random, classParser } = parts;
    const resolved = resolveEngineOptions(options);
    const broker = await RedisBroker.connect(resolved, { random, warn: (message) => logger.warn(message) });
    const events = new TaskEvents((message) => logger.error(message));
    return new TaskQueue(broker, resolved, events, logger, new PayloadParsers(classParser), random);
  }

  /**
   * Options of a queue that the engine was not opened with, such as a feature's own. Declare before the queue is used.
   * @throws ConfigurationError when the options are wrong, or the queue has options already
   */
  declareQueue(name: string, options: QueueOptions): void {
    if (Object.hasOwn(this.options.queues, name)) {
      throw new ConfigurationError('taskq options', [
        `queue "${name}" has options already: keep one place for them`,
      ]);
    }
    const value = resolveQueueOptions(name, options, this.options.queueDefaults);
    Object.defineProperty(this.options.queues, name, { value, enumerable: true });
  }

  /** A worker for the handlers of a registry; start it when the application is ready. */
  createWorker(registry: HandlerRegistry): TaskWorker {
    const { broker, options, events, logger, parsers, random } = this;
    return new TaskWorker({ broker, options, events, logger, parsers, random, registry });
  }

  /** Waits for enqueues under way, then closes every connection. Stop workers first. */
  async close(): Promise<void> {
    await this.producer.close();
    await this.broker.close();
  }
}
