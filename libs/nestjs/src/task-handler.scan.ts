import { MetadataScanner, type ModulesContainer } from '@nestjs/core';
import type { InstanceWrapper } from '@nestjs/core/injector/instance-wrapper.js';
import type { HandlerMethod } from './task-handler.checks.js';
import { declaresTaskHandler, taskHandlersOf } from './task-handler.decorator.js';

/**
 * Every method under `@TaskHandler` of every provider and controller, inherited ones included. Objects that exist
 * already are looked at only through their classes. An object that is reached by several tokens is found once, at the
 * provider that makes it. A method that another decorator has replaced since is found without handlers.
 */
export function findHandlerMethods(modules: ModulesContainer): readonly HandlerMethod[] {
  const scanner = new MetadataScanner();
  const candidates = [...modules.values()].flatMap(({ providers, controllers }) => [
    ...[...providers.values()].map((wrapper) => ({ wrapper, isController: false })),
    ...[...controllers.values()].map((wrapper) => ({ wrapper, isController: true })),
  ]);
  const seen = new Set<unknown>();
  const found: HandlerMethod[] = [];
  // What Nest makes of a class comes first: a factory elsewhere may only hand on the same object.
  for (const { wrapper, isController } of candidates.toSorted((a, b) => rank(a.wrapper) - rank(b.wrapper))) {
    const prototype = prototypeOf(wrapper);
    if (!prototype) continue;
    const methods = scanner
      .getAllMethodNames(prototype)
      .map((name) => ({ name, method: Reflect.get(prototype, name) as object }))
      .filter(({ name, method }) => taskHandlersOf(method).length > 0 || isReplaced(prototype, name));
    if (methods.length === 0 || (isObject(wrapper.instance) && seen.has(wrapper.instance))) continue;
    // Objects of request-scoped providers are made anew, so nothing else can be the same one.
    if (isObject(wrapper.instance) && wrapper.isDependencyTreeStatic()) seen.add(wrapper.instance);
    const classRef = prototype.constructor;
    found.push(...methods.map((method) => ({ wrapper, isController, classRef, ...method })));
  }
  return found;
}

/** The class that has the method declares it as a handler, but its function is another one. */
function isReplaced(prototype: object, name: string): boolean {
  let owner: object | null = prototype;
  while (owner && !Object.hasOwn(owner, name)) owner = Reflect.getPrototypeOf(owner);
  return owner !== null && declaresTaskHandler(owner.constructor, name);
}

function rank(wrapper: InstanceWrapper): number {
  return wrapper.isNotMetatype ? 1 : 0;
}

function prototypeOf(wrapper: InstanceWrapper): object | undefined {
  if (wrapper.isAlias) return undefined;
  if (!wrapper.isNotMetatype) return (wrapper.metatype as { prototype?: object } | null)?.prototype;
  const instance: unknown = wrapper.instance;
  return isObject(instance) ? (Reflect.getPrototypeOf(instance) ?? undefined) : undefined;
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}
