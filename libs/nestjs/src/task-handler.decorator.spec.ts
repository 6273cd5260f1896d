import 'reflect-metadata';
import { createParamDecorator } from '@nestjs/common';
import { type AnyContract, defineTask, HandlerRegistrationError } from '@taskq/core';
import { describe, expect, it } from 'vitest';
import { TaskHandler, type TaskHandlerMetadata, taskHandlersOf } from './task-handler.decorator.js';
import { TASK_PARAMS, TaskContext, TaskPayload } from './task-params.decorator.js';

const Custom = createParamDecorator(() => 'custom');

/** What was left on a method, and the kinds of its parameters by position. */
function handlerOf(type: new () => object, name = 'run') {
  const [handler] = taskHandlersOf((type.prototype as Record<string, unknown>)[name]) as [
    TaskHandlerMetadata,
  ];
  const params = Reflect.getMetadata(TASK_PARAMS, type, name) as Record<string, { index: number }>;
  const kinds = Object.entries(params).map(
    ([key, { index }]) => [index, key.split(':')[0]!.slice(-21)] as const,
  );
  return { ...handler, kinds: Object.fromEntries(kinds) as Record<number, string> };
}

describe('@TaskHandler', () => {
  it('leaves target and options on the method, of every decorator', () => {
    const contract = defineTask({ type: 'two' });
    class Handlers {
      @TaskHandler('one', { queue: 'q' })
      @TaskHandler(contract)
      run() {}
    }
    const [first, second] = taskHandlersOf(Reflect.get(Handlers.prototype, 'run'));
    expect(first).toMatchObject({ target: contract, options: {} });
    expect(second).toMatchObject({ target: 'one', options: { queue: 'q' } });
  });

  it('is not inherited by a method that overrides', () => {
    class Base {
      @TaskHandler('base')
      run() {}
    }
    class Sub extends Base {
      override run() {}
    }
    expect(taskHandlersOf(Reflect.get(Sub.prototype, 'run'))).toEqual([]);
  });

  it.each<[string, (target: object, key: string | symbol, descriptor?: object) => unknown]>([
    ['a static method', (target, key, descriptor) => [target.constructor, key, descriptor]],
    ['a property', (target, key) => [target, key, undefined]],
    ['an accessor', (target, key) => [target, key, { get: () => undefined }]],
    ['a symbol', (target, _key, descriptor) => [target, Symbol('run'), descriptor]],
  ])('is refused on %s', (_, place) => {
    class Handlers {
      run() {}
    }
    const descriptor = Object.getOwnPropertyDescriptor(Handlers.prototype, 'run')!;
    const args = place(Handlers.prototype, 'run', descriptor) as [
      object,
      string,
      TypedPropertyDescriptor<() => void>,
    ];
    expect(() => TaskHandler('x')(...args)).toThrow(HandlerRegistrationError);
    expect(() => TaskHandler('x')(...args)).toThrow(/which is no method that Nest could call/);
  });

  it('is refused without a contract, as when two files import each other', () => {
    const missing = undefined as unknown as AnyContract;
    const declare = () => {
      class Handlers {
        @TaskHandler(missing)
        run() {}
      }
      return Handlers;
    };
    expect(declare).toThrow(/Handlers\.run was given no contract and no type/);
  });
});

describe('parameters', () => {
  it('are payload and context by position', () => {
    class Handlers {
      @TaskHandler('x')
      run(_payload: unknown, _context: unknown) {}
    }
    expect(handlerOf(Handlers)).toMatchObject({
      params: { decorated: false, unbound: [], foreign: [] },
      kinds: { 0: '3', 1: '0' },
    });
  });

  it('are where decorators say, and by position where nothing is said', () => {
    class Handlers {
      @TaskHandler('x')
      run(@TaskContext() _context: unknown, @Custom() _custom: string, @TaskPayload() _payload: unknown) {}
      @TaskHandler('y')
      first(_payload: unknown, @Custom() _custom: string) {}
    }
    expect(handlerOf(Handlers).kinds).toEqual({ 0: '0', 1: expect.stringContaining('Route'), 2: '3' });
    expect(handlerOf(Handlers).params).toEqual({ decorated: true, unbound: [], foreign: [] });
    expect(handlerOf(Handlers, 'first').kinds).toMatchObject({ 0: '3' });
  });

  it('that nothing would be given for are found', () => {
    class Handlers {
      @TaskHandler('x')
      run(_context: unknown, @TaskPayload() _payload: unknown, _more: unknown) {}
    }
    expect(handlerOf(Handlers).params.unbound).toEqual([1, 3]);
  });

  it('of an overridden method do not count for the one that overrides it', () => {
    class Base {
      @TaskHandler('base')
      run(@TaskPayload() _payload: unknown, @Custom() _custom: unknown, @TaskContext() _context?: unknown) {}
    }
    class Same extends Base {
      @TaskHandler('same')
      override run(_payload: unknown, _context: unknown) {}
    }
    class Other extends Base {
      @TaskHandler('other')
      override run(@Custom() _custom: unknown, @TaskPayload() _payload: unknown) {}
    }
    expect(handlerOf(Same)).toMatchObject({ params: { decorated: false }, kinds: { 0: '3', 1: '0' } });
    expect(handlerOf(Other).kinds[1]).toBe('3');
    expect(handlerOf(Other).kinds[0]).not.toBe('3');
    expect(handlerOf(Base).kinds).toMatchObject({ 0: '3', 2: '0' });
  });

  it('are only for methods', () => {
    expect(() => TaskPayload()(Object, undefined, 0)).toThrow(TypeError);
  });
});
