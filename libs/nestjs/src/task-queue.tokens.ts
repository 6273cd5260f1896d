import type { Abstract, InjectionToken } from '@nestjs/common';
import { Inspector, TaskEvents, TaskProducer, TaskQueue } from '@taskq/core';
import { TaskQueueConnection } from './task-queue.connection.js';
import { DEFAULT_CONNECTION } from './task-queue.options.js';
import { TaskWorkerHost } from './task-worker.host.js';

/** Token of the producer: the class {@link TaskProducer} for the default connection, a string for a named one. */
export function getTaskProducerToken(connection = DEFAULT_CONNECTION): InjectionToken<TaskProducer> {
  return classOrName(TaskProducer, 'TASKQ_PRODUCER', connection);
}

/** Token of the inspector: the class {@link Inspector} for the default connection, a string for a named one. */
export function getTaskQueueInspectorToken(connection = DEFAULT_CONNECTION): InjectionToken<Inspector> {
  return classOrName(Inspector, 'TASKQ_INSPECTOR', connection);
}

/** Token of the engine: the class {@link TaskQueue} for the default connection, a string for a named one. */
export function getTaskQueueToken(connection = DEFAULT_CONNECTION): InjectionToken<TaskQueue> {
  return classOrName(TaskQueue, 'TASKQ_QUEUE', connection);
}

/** Token of the events: the class {@link TaskEvents} for the default connection, a string for a named one. */
export function getTaskEventsToken(connection = DEFAULT_CONNECTION): InjectionToken<TaskEvents> {
  return classOrName(TaskEvents, 'TASKQ_EVENTS', connection);
}

/** Token of the worker host: the class {@link TaskWorkerHost} for the default connection, a string for a named one. */
export function getTaskWorkerHostToken(connection = DEFAULT_CONNECTION): InjectionToken<TaskWorkerHost> {
  return classOrName(TaskWorkerHost, 'TASKQ_WORKER_HOST', connection);
}

/** Token of the Redis client of a connection: always a string. */
export function getTaskQueueRedisToken(connection = DEFAULT_CONNECTION): string {
  return `TASKQ_REDIS:${connection}`;
}

/** @internal */
export function getTaskQueueConnectionToken(
  connection = DEFAULT_CONNECTION,
): InjectionToken<TaskQueueConnection> {
  return classOrName(TaskQueueConnection, 'TASKQ_CONNECTION', connection);
}

/** Strings rather than symbols for names, so that mockers and error messages can show them. */
function classOrName<T>(type: Abstract<T>, prefix: string, connection: string): InjectionToken<T> {
  return connection === DEFAULT_CONNECTION ? type : `${prefix}:${connection}`;
}
