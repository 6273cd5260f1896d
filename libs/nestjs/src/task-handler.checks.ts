import type { ApplicationConfig } from '@nestjs/core';
import type { InstanceWrapper } from '@nestjs/core/injector/instance-wrapper.js';
import 'reflect-metadata';
import type { TaskHandlerMetadata } from './task-handler.decorator.js';
import { TASK_PARAMS, type TaskParam } from './task-params.decorator.js';

/** Keys under which Nest keeps what `@UseGuards()` and its like were given. */
const ENHANCERS = {
  guard: '__guards__',
  interceptor: '__interceptors__',
  pipe: '__pipes__',
  filter: '__exceptionFilters__',
} as const;

type Kind = keyof typeof ENHANCERS;

/** A method that is a handler, as it was found. */
export interface HandlerMethod {
  readonly wrapper: InstanceWrapper;
  readonly isController: boolean;
  /** The class whose metadata Nest reads. */
  readonly classRef: object;
  readonly name: string;
  readonly method: object;
}

/**
 * What Nest would do to a handler without a word, in sentences that each say what to do: leave out a guard, a pipe, an
 * interceptor or a filter, run it on an object without its dependencies, or leave a parameter undefined.
 */
export function silentFaults(handler: HandlerMethod, { params }: TaskHandlerMetadata): readonly string[] {
  if (handler.wrapper.isTransient) {
    return [
      'its class has Scope.TRANSIENT and would run without its dependencies; use the default or REQUEST scope',
    ];
  }
  return [...paramFaults(params), ...enhancerFaults(handler)];
}

/**
 * Global enhancers that Nest makes per request: it runs them for controllers only.
 * @param config of the application
 */
export function globalFaults(config: ApplicationConfig): readonly string[] {
  const scoped: readonly (readonly [Kind, readonly InstanceWrapper[]])[] = [
    ['guard', config.getGlobalRequestGuards()],
    ['interceptor', config.getGlobalRequestInterceptors()],
    ['pipe', config.getGlobalRequestPipes()],
    ['filter', config.getGlobalRequestFilters()],
  ];
  return scoped.flatMap(([kind, wrappers]) =>
    wrappers.map(
      ({ metatype, name }) =>
        `global ${kind} ${metatype?.name || String(name)} is request-scoped or transient, which Nest does not apply ` +
        'to tasks; give it the default scope, or leave globalEnhancers off',
    ),
  );
}

/** Whether a pipe applies to every parameter of the method. */
export function hasPipes({ classRef, method }: HandlerMethod): boolean {
  return listed(ENHANCERS.pipe, classRef).length + listed(ENHANCERS.pipe, method).length > 0;
}

function paramFaults({ unbound, foreign }: TaskHandlerMetadata['params']): readonly string[] {
  return [
    ...unbound.map((position) => `its parameter ${position} has no decorator and would be undefined`),
    ...foreign.map((position) => `its parameter ${position} has a decorator that reads an HTTP request`),
  ];
}

function enhancerFaults(handler: HandlerMethod): readonly string[] {
  const { classRef, method, name } = handler;
  const kinds = Object.keys(ENHANCERS) as Kind[];
  const found = kinds.flatMap((kind) =>
    [...listed(ENHANCERS[kind], classRef), ...listed(ENHANCERS[kind], method)].map((enhancer) => ({
      kind,
      enhancer,
    })),
  );
  const params = (Reflect.getMetadata(TASK_PARAMS, classRef, name) ?? {}) as Record<string, TaskParam>;
  for (const { pipes = [] } of Object.values(params)) {
    found.push(...pipes.map((enhancer) => ({ kind: 'pipe' as const, enhancer })));
  }
  const faults = found.flatMap(({ kind, enhancer }) => faultOf(handler, kind, enhancer) ?? []);
  return [...new Set(faults)];
}

/** Nest makes the classes that are named in decorators, but not for every provider; instances are used as they are. */
function faultOf(
  { wrapper, isController }: HandlerMethod,
  kind: Kind,
  enhancer: unknown,
): string | undefined {
  if (typeof enhancer !== 'function') return undefined;
  const what = `${kind} ${enhancer.name}`;
  if (isController) return `${what} would not be applied, because its class is a controller; ${REMEDY}`;
  const made = wrapper.host?.injectables.get(enhancer as () => unknown);
  if (!made) {
    return `${what} would not be applied, because its class is not provided as a plain class; ${REMEDY}`;
  }
  if (made.isTransient) return `${what} has Scope.TRANSIENT and would run without its dependencies`;
  return undefined;
}

const REMEDY = 'list the class itself in providers, or give the decorator an instance';

function listed(key: string, target: object): readonly unknown[] {
  const value: unknown = Reflect.getMetadata(key, target);
  return Array.isArray(value) ? value : [];
}
