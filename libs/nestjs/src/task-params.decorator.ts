import type { PipeTransform, Type } from '@nestjs/common';
import type { StandardSchema, TaskContext as TaskContextOfCore } from '@taskq/core';
import 'reflect-metadata';

/** Nest's own key: decorators made with `createParamDecorator` write there, and Nest finds pipe classes there. */
const NEST_PARAMS = '__routeArguments__';

/** Key of a handler's complete parameters, on its class. */
export const TASK_PARAMS = 'taskq:params';

/** Numbers that Nest gives to kinds of parameters: pipes see the payload as a body, the context as custom. */
export const PARAM_KIND = { context: 0, payload: 3 } as const;

/** A parameter as Nest keeps it, by `kind:index`. */
export interface TaskParam {
  readonly index: number;
  readonly data?: unknown;
  readonly pipes?: readonly unknown[];
  readonly schema?: unknown;
  readonly factory?: unknown;
}

/** A pipe, or the class of one that Nest makes. */
export type TaskPipe = PipeTransform | Type<PipeTransform>;

/** What may be said of the payload parameter beside pipes; as with Nest's `@Body()`. */
export interface TaskPayloadOptions {
  /** For Nest 12's `StandardSchemaValidationPipe`. */
  schema?: StandardSchema<unknown, unknown>;
  pipes?: readonly TaskPipe[];
}

/**
 * The payload of the task, as the contract's schema made it. Needed only when the payload is not the first parameter,
 * or for pipes of its own; pipes see it as they see a request's body.
 */
export function TaskPayload(options: TaskPayloadOptions): ParameterDecorator;
export function TaskPayload(...pipes: TaskPipe[]): ParameterDecorator;
export function TaskPayload(...given: readonly (TaskPayloadOptions | TaskPipe)[]): ParameterDecorator {
  const [first] = given;
  const { schema, pipes = [] } = isOptions(first) ? first : { pipes: given };
  return (target, key, index) => addParam(target, key, PARAM_KIND.payload, { index, pipes, schema });
}

/** What a handler is told about its task. See the same type of `@taskq/core`. */
export interface TaskContext extends TaskContextOfCore {}

/**
 * The context of the task: as a decorator `@TaskContext() task: TaskContext`, and as the type of that parameter.
 * Needed only when the context is not the second parameter.
 */
export function TaskContext(): ParameterDecorator {
  return (target, key, index) => addParam(target, key, PARAM_KIND.context, { index, pipes: [] });
}

/** What is known of a handler's parameters when it is declared. */
export interface TaskParams {
  /** Whether any has a decorator; if not, the handler can be called with payload and context as they are. */
  readonly decorated: boolean;
  /** Positions, from 1, that nothing would be given for. */
  readonly unbound: readonly number[];
  /** Positions, from 1, whose decorator reads what only an HTTP request has. */
  readonly foreign: readonly number[];
}

/**
 * Completes a method's parameters for Nest's pipeline: the first without a decorator is the payload, the second the
 * context, unless a decorator says where these are. To be called once its parameter decorators have run.
 */
export function completeParams(target: object, key: string, method: { length: number }): TaskParams {
  const { constructor } = target;
  const params = { ...paramsOf(constructor, key) };
  const decorated = Object.keys(params).length > 0;
  const taken = new Set(Object.values(params).map(({ index }) => index));
  const kinds = Object.keys(params).map((name) => name.slice(0, name.lastIndexOf(':')));
  for (const [index, kind] of [PARAM_KIND.payload, PARAM_KIND.context].entries()) {
    if (index >= method.length || taken.has(index) || kinds.includes(String(kind))) continue;
    params[`${kind}:${index}`] = { index, pipes: [] };
    taken.add(index);
  }
  Reflect.defineMetadata(TASK_PARAMS, params, constructor, key);
  const positions = Array.from({ length: method.length }, (_, index) => index + 1);
  return {
    decorated,
    unbound: positions.filter((position) => !taken.has(position - 1)),
    foreign: Object.entries(params)
      .filter(([name]) => /^\d+:/.test(name) && !/^[03]:/.test(name))
      .map(([, { index }]) => index + 1),
  };
}

/**
 * Own parameters only: a method that overrides a handler has those that it declares itself. Nest's custom decorators
 * copy the overridden method's parameters in front of their own, so the last of a position is the one that counts.
 */
function paramsOf(constructor: object, key: string): Record<string, TaskParam> {
  const written = (Reflect.getOwnMetadata(NEST_PARAMS, constructor, key) ?? {}) as Record<string, TaskParam>;
  const byIndex = new Map(Object.entries(written).map((entry) => [entry[1].index, entry]));
  return Object.fromEntries(byIndex.values());
}

function addParam(target: object, key: string | symbol | undefined, kind: number, param: TaskParam): void {
  if (typeof key !== 'string') throw new TypeError('@TaskPayload() and @TaskContext() are for methods');
  const { constructor } = target;
  const params = { ...paramsOf(constructor, key), [`${kind}:${param.index}`]: param };
  Reflect.defineMetadata(NEST_PARAMS, params, constructor, key);
}

function isOptions(value: TaskPayloadOptions | TaskPipe | undefined): value is TaskPayloadOptions {
  return typeof value === 'object' && !('transform' in value);
}
