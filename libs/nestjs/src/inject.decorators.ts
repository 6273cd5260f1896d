import { Inject } from '@nestjs/common';
import {
  getTaskEventsToken,
  getTaskProducerToken,
  getTaskQueueInspectorToken,
  getTaskQueueRedisToken,
  getTaskQueueToken,
  getTaskWorkerHostToken,
} from './task-queue.tokens.js';

type Decorator = PropertyDecorator & ParameterDecorator;

/** Injects the `TaskProducer` of a named connection; for the default one its type is enough. */
export const InjectTaskProducer = (connection?: string): Decorator =>
  Inject(getTaskProducerToken(connection));

/** Injects the `Inspector` of a named connection; for the default one its type is enough. */
export const InjectTaskQueueInspector = (connection?: string): Decorator =>
  Inject(getTaskQueueInspectorToken(connection));

/** Injects the engine (`TaskQueue`) of a named connection; for the default one its type is enough. */
export const InjectTaskQueue = (connection?: string): Decorator => Inject(getTaskQueueToken(connection));

/** Injects the `TaskEvents` of a named connection; for the default one their type is enough. */
export const InjectTaskEvents = (connection?: string): Decorator => Inject(getTaskEventsToken(connection));

/** Injects the `TaskWorkerHost` of a named connection; for the default one its type is enough. */
export const InjectTaskWorkerHost = (connection?: string): Decorator =>
  Inject(getTaskWorkerHostToken(connection));

/**
 * Injects the Redis client (ioredis) that the connection enqueues with, for an application's own commands. Do not
 * close it and do not block on it; it answers at once with an error while Redis is away.
 */
export const InjectTaskQueueRedis = (connection?: string): Decorator =>
  Inject(getTaskQueueRedisToken(connection));
