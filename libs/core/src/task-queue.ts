import { randomBytes } from 'node:crypto';
import type { Broker } from './broker/broker.js';
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
import { Partitions } from './policy/partitions.js';
import { TaskProducer } from './producer/task-producer.js';
import { RedisBroker } from './redis/redis-broker.js';
import { type Clock, systemClock } from './runtime/clock.js';
import { type Logger, neverThrowing, silentLogger } from './runtime/logger.js';
import { LossAnnouncer } from './telemetry/loss-announcer.js';
import { LossRecord } from './telemetry/loss-record.js';
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
  /** Steady clock and timers. @default the machine's */
  clock?: Clock;
  /** Makes the names that nobody else may have, of producers and consumers. @default `randomBytes` of node:crypto */
  randomBytes?: (size: number) => Buffer;
}

/** An engine: one Redis, one producer, one inspector, and workers as you ask for them. */
export class TaskQueue<Store extends Broker = RedisBroker> {
  readonly events: TaskEvents;
  readonly producer: TaskProducer;
  readonly inspector: Inspector;
  /** What Redis is known to have lost so far. */
  readonly losses: LossRecord;
  private readonly partitions: Partitions;
  private readonly logger: Logger;
  private readonly parsers: PayloadParsers;
  private readonly clock: Clock;
  private readonly random: () => number;
  private readonly randomBytes: (size: number) => Buffer;

  private constructor(
    /** The broker; `broker.client` is its Redis connection for your own use. */
    readonly broker: Store,
    readonly options: ResolvedEngineOptions,
    parts: TaskQueueParts,
  ) {
    this.logger = neverThrowing(parts.logger ?? silentLogger);
    this.partitions = new Partitions(options);
    const { partitions } = this;
    const events = new TaskEvents(
      (message) => this.logger.error(message),
      (name) => partitions.queueOf(name),
    );
    this.events = events;
    this.parsers = new PayloadParsers(parts.classParser);
    this.clock = parts.clock ?? systemClock;
    this.random = parts.random ?? Math.random;
    this.randomBytes = parts.randomBytes ?? randomBytes;
    this.losses = new LossRecord(events);
    const { parsers, clock, random } = this;
    const losses = announceLosses(broker, events, clock);
    this.producer = new TaskProducer({
      broker,
      options,
      partitions,
      events,
      losses,
      clock,
      parsers,
      random,
      randomBytes: this.randomBytes,
    });
    this.inspector = new Inspector(broker, partitions);
    broker.onReconnect((link) => events.emit('broker.reconnected', { link }));
  }

  /**
   * Resolves the options, connects to Redis and looks whether it can be trusted with tasks.
   * @throws ConfigurationError naming every wrong option
   * @throws RedisUnusableError when Redis cannot be reached or would lose tasks
   */
  static async open(options: EngineOptions = {}, parts: TaskQueueParts = {}): Promise<TaskQueue> {
    const { random = Math.random } = parts;
    const logger = neverThrowing(parts.logger ?? silentLogger);
    const resolved = resolveEngineOptions(options);
    const broker = await RedisBroker.connect(resolved, { random, warn: (message) => logger.warn(message) });
    return new TaskQueue(broker, resolved, parts);
  }

  /**
   * An engine over a broker of your own: one in memory, or one that stands in front of another. `close` closes it.
   * @throws ConfigurationError naming every wrong option
   */
  static over<Store extends Broker>(
    broker: Store,
    options: EngineOptions = {},
    parts: TaskQueueParts = {},
  ): TaskQueue<Store> {
    return new TaskQueue(broker, resolveEngineOptions(options), parts);
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
    this.partitions.demandQueue(name, 'taskq options');
    const value = resolveQueueOptions(name, options, this.options);
    Object.defineProperty(this.options.queues, name, { value, enumerable: true });
    this.partitions.declare(name);
  }

  /** A worker for the handlers of a registry; start it when the application is ready. */
  createWorker(registry: HandlerRegistry): TaskWorker {
    const { broker, options, partitions, events, logger, parsers, clock, random, randomBytes: bytes } = this;
    const surroundings = { events, logger, clock, random, randomBytes: bytes };
    return new TaskWorker({ broker, options, partitions, parsers, registry, ...surroundings });
  }

  /** Waits for enqueues under way, then closes every connection. Stop workers first. */
  async close(): Promise<void> {
    await this.producer.close();
    await this.broker.close();
  }
}

/** Announces what the connection misses, and what the producer does, who says when the connection is there anew. */
function announceLosses(broker: Broker, events: TaskEvents, clock: Clock): LossAnnouncer {
  const announcer = new LossAnnouncer(events, clock);
  broker.onDataLoss(({ seenAgoMs, ...loss }) => {
    const knownAt = clock.monotonicMs() - seenAgoMs;
    announcer.found({ ...loss, knownAt, seenBy: 'connection', reoffered: 0, forgotten: 0 });
  });
  return announcer;
}
