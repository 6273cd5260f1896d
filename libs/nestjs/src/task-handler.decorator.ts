import {
  type AnyContract,
  type ContractOptions,
  HandlerRegistrationError,
  type Payload,
  type TaskTypes,
} from '@taskq/core';
import 'reflect-metadata';
import { completeParams, type TaskParams } from './task-params.decorator.js';

/** Options of a handler; each wins over the same option of its contract, whose `version` it must leave as it is. */
export interface TaskHandlerOptions extends ContractOptions {
  /** Name of the connection whose tasks it handles. @default 'default' */
  connection?: string;
}

/** What `@TaskHandler` leaves on a method, in the order in which the decorators run. */
export interface TaskHandlerMetadata {
  readonly target: AnyContract | string;
  readonly options: TaskHandlerOptions;
  readonly params: TaskParams;
}

/** A method decorator that accepts only methods whose first parameter takes the payload `P`. */
export type TaskHandlerDecorator<P> = <Method extends (payload: P, ...others: never[]) => unknown>(
  target: object,
  key: string | symbol,
  descriptor: TypedPropertyDescriptor<Method>,
) => void;

/** One key for ever: two copies of this package in a process must find each other's handlers. */
const TASK_HANDLERS = 'taskq:handlers';

/**
 * Makes a method of a provider or controller the handler of a task type. It is called with the payload and the task's
 * context, through the pipes, guards, interceptors and filters of the method and its class. Returning ends the task,
 * throwing fails the attempt; `snooze`, `discard` and `deadLetter` may be returned.
 *
 * ```ts
 * @TaskHandler(sendEmail)
 * async send(payload: Payload<typeof sendEmail>, task: TaskContext) { … }
 * ```
 *
 * The first parameter must take the contract's payload, which is checked when compiling. With the name of a type it is
 * checked against {@link TaskTypes}; a name that is not listed there may have any payload. A method may have several
 * `@TaskHandler`; one that overrides a handler has only those that it declares itself.
 *
 * @throws HandlerRegistrationError on what is no method with a name, and when the contract is not there (yet)
 */
export function TaskHandler<C extends AnyContract>(
  contract: C,
  options?: TaskHandlerOptions,
): TaskHandlerDecorator<Payload<C>>;
export function TaskHandler<Type extends string>(
  type: Type,
  options?: TaskHandlerOptions,
): TaskHandlerDecorator<Type extends keyof TaskTypes ? TaskTypes[Type] : never>;
export function TaskHandler(
  target: AnyContract | string,
  options: TaskHandlerOptions = {},
): TaskHandlerDecorator<never> {
  return (owner, key, descriptor) => {
    const method: unknown = descriptor?.value;
    const where = `${nameOf(owner)}.${String(key)}`;
    if (typeof owner === 'function' || typeof method !== 'function' || typeof key !== 'string') {
      throw new HandlerRegistrationError(
        `@TaskHandler on ${where}, which is no method that Nest could call`,
        {
          fix: 'put it on a method of a provider that is neither static nor named by a symbol',
        },
      );
    }
    if (typeof target !== 'string' && typeof target?.type !== 'string') {
      throw new HandlerRegistrationError(`@TaskHandler on ${where} was given no contract and no type`, {
        fix: 'do the files import each other? then the contract is not there yet when the decorator runs',
      });
    }
    const params = completeParams(owner, key, method);
    const handlers = [...taskHandlersOf(method), { target, options, params }];
    Reflect.defineMetadata(TASK_HANDLERS, handlers, method);
    Reflect.defineMetadata(TASK_HANDLERS, true, owner.constructor, key);
  };
}

/** Whether a class has a `@TaskHandler` on a method of its own, whatever function is in that place now. */
export function declaresTaskHandler(type: object, key: string): boolean {
  return Reflect.hasOwnMetadata(TASK_HANDLERS, type, key);
}

/** What `@TaskHandler` left on a method. */
export function taskHandlersOf(method: unknown): readonly TaskHandlerMetadata[] {
  if (typeof method !== 'function') return [];
  return (Reflect.getOwnMetadata(TASK_HANDLERS, method) ?? []) as readonly TaskHandlerMetadata[];
}

function nameOf(owner: object): string {
  return typeof owner === 'function' ? owner.name : owner.constructor.name;
}
