import type { ArgumentsHost } from '@nestjs/common';

/** What `ExecutionContext.getType()` says while a task is handled. */
export const TASK_CONTEXT_TYPE = 'task';

/**
 * Whether a guard, interceptor, filter or parameter decorator is called for a task rather than for a request. The
 * arguments are then the payload and the task's context:
 *
 * ```ts
 * if (isTaskContext(host)) {
 *   const [payload, task] = host.getArgs<[unknown, TaskContext]>();
 * }
 * ```
 */
export function isTaskContext(host: ArgumentsHost): boolean {
  return host.getType<string>() === TASK_CONTEXT_TYPE;
}
