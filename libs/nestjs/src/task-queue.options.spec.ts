import { ConfigurationError } from '@taskq/core';
import { describe, expect, it } from 'vitest';
import { resolveModuleOptions } from './task-queue.options.js';

function problemsOf(options: object | undefined, name = 'default'): readonly string[] {
  try {
    resolveModuleOptions(name, options);
    return [];
  } catch (error) {
    return (error as ConfigurationError).problems;
  }
}

describe('resolveModuleOptions', () => {
  it('tells the module from the engine, with defaults', () => {
    expect(resolveModuleOptions('default', undefined)).toMatchObject({
      role: 'both',
      autoStart: true,
      globalEnhancers: false,
    });
    const { engine, role } = resolveModuleOptions('default', {
      role: 'worker',
      prefix: 'x',
      queues: { a: {} },
    });
    expect(role).toBe('worker');
    expect(engine).toMatchObject({ prefix: 'x', queues: { a: {} } });
    expect(engine).not.toHaveProperty('role');
  });

  it('checks both, and suggests', () => {
    expect(
      problemsOf({ autostart: false, globalEnhancers: 1, role: 'api', worker: { leese: '1s' } }),
    ).toEqual([
      'unknown option "autostart", did you mean "autoStart"?',
      'role must be one of "producer", "worker", "both", not "api"',
      'globalEnhancers must be one of true, false, not 1',
      'unknown option "worker.leese", did you mean "lease"?',
    ]);
  });

  it('wants a name that is a name, outside of what a factory returns', () => {
    expect(problemsOf({}, 'two words')).toEqual([expect.stringContaining('name "two words" must be')]);
    expect(problemsOf({ name: 'x' })).toEqual([expect.stringContaining('name belongs beside useFactory')]);
    expect(() => resolveModuleOptions('second', { prefix: '' })).toThrow(
      /^taskq options of connection "second": prefix/,
    );
  });
});
