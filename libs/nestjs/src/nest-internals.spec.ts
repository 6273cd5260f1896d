import type { ModuleRef, ModulesContainer } from '@nestjs/core';
import { describe, expect, it } from 'vitest';
import { containerOf, initLastDestroyFirst } from './nest-internals.js';

class Ours {
  readonly name = 'ours';
}
class Other {
  readonly name = 'other';
}

describe('initLastDestroyFirst', () => {
  it('moves the module and nothing else', () => {
    const modules = [Ours, Other, Ours].map((metatype) => ({ metatype, distance: 3 }));
    initLastDestroyFirst(new Map(modules.entries()) as unknown as ModulesContainer, Ours);
    expect(modules.map(({ distance }) => distance)).toEqual([-1, 3, -1]);
  });

  it('leaves a Nest alone that has no distances', () => {
    const module = { metatype: Ours };
    initLastDestroyFirst(new Map([[1, module]]) as unknown as ModulesContainer, Ours);
    expect(module).toEqual({ metatype: Ours });
  });
});

describe('containerOf', () => {
  it('refuses a Nest that keeps its container elsewhere', () => {
    expect(() => containerOf({} as ModuleRef)).toThrow(/this version of NestJS is not supported/);
  });
});
