import { HandlerRegistrationError } from '../contract/errors.js';
import type { PayloadSchema } from '../contract/payload-schema.js';
import type { ContractOptions } from '../contract/task-contract.js';
import type { TaskContext } from '../contract/task-context.js';

/** A handler as it is registered. */
export interface HandlerDefinition {
  readonly type: string;
  /** Options of the handler or its contract; the queue is among them. */
  readonly options: ContractOptions;
  readonly payload?: PayloadSchema | undefined;
  /** Runs the task; what it returns may be a promise, and may be a directive. */
  readonly run: (payload: never, context: TaskContext) => unknown;
  /** Where the handler stands, for messages: `Mailer.send`. */
  readonly where: string;
}

/** The handlers of one process, by queue and type. A plain map: a type named `constructor` is just unknown. */
export class HandlerRegistry {
  private readonly byQueue = new Map<string, Map<string, HandlerDefinition>>();

  /** @throws HandlerRegistrationError when the queue has a handler for the type already; both are named */
  add(handler: HandlerDefinition): void {
    const queue = handler.options.queue ?? 'default';
    const handlers = this.byQueue.get(queue) ?? new Map<string, HandlerDefinition>();
    const other = handlers.get(handler.type);
    if (other) {
      throw new HandlerRegistrationError(
        `two handlers for task "${handler.type}" in queue "${queue}": ${other.where} and ${handler.where}`,
        {
          fix: 'keep one, or give one of them another queue; a class provided in two modules is found twice',
        },
      );
    }
    handlers.set(handler.type, handler);
    this.byQueue.set(queue, handlers);
  }

  /** Queues that have a handler. */
  get queues(): readonly string[] {
    return [...this.byQueue.keys()];
  }

  /** Handlers of a queue. */
  of(queue: string): readonly HandlerDefinition[] {
    return [...(this.byQueue.get(queue)?.values() ?? [])];
  }
}
