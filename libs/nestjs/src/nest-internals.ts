import type { Type } from '@nestjs/common';
import type { ModuleRef, ModulesContainer, NestContainer } from '@nestjs/core';
import { LifecycleError } from '@taskq/core';

// Where taskq reaches behind the public interface of Nest. Tests run each of these against the versions supported.

/**
 * The application's container, which every ModuleRef has.
 * @throws LifecycleError when this Nest keeps it elsewhere: without it handlers would run unguarded
 */
export function containerOf(moduleRef: ModuleRef): NestContainer {
  const container: unknown = Reflect.get(moduleRef, 'container');
  if (typeof (container as Partial<NestContainer> | undefined)?.getModules === 'function') {
    return container as NestContainer;
  }
  throw new LifecycleError('this version of NestJS is not supported: its container was not found');
}

/**
 * Puts a module before all others in the order of destruction, and after all others in that of initialisation: Nest
 * sorts by distance from the root, and the root has 0. Where Nest has no such number, the usual order stays.
 */
export function initLastDestroyFirst(modules: ModulesContainer, type: Type): void {
  for (const module of modules.values()) {
    if (module.metatype === type && typeof module.distance === 'number') module.distance = -1;
  }
}
