import { describe, expect, it } from 'vitest';
import { ConfigurationError } from '../contract/errors.js';
import {
  decimal,
  duration,
  group,
  integer,
  oneOf,
  type OptionFields,
  optional,
  passed,
  resolveOptions,
  text,
} from './option-check.js';

function problemsOf<T>(fields: OptionFields<T>, written: unknown): readonly string[] {
  try {
    resolveOptions('options', written, fields);
    return [];
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    return error.problems;
  }
}

const FIELDS = {
  maxAttempts: integer({ min: 1, max: 10 }, 5),
  timeout: duration({ min: 1, max: 60_000 }, 1000),
  factor: decimal({ min: 1, max: 10 }, 2),
  mode: oneOf(['fast', 'safe'], 'safe'),
  name: text({ fits: (name) => name.length > 0, says: 'not empty' }, undefined),
  hook: passed<() => void>('a function', (value) => typeof value === 'function'),
  nested: group<{ deep: number }>({ deep: integer({ min: 0, max: 1 }, 0) }),
  extra: optional(integer({ min: 0, max: 9 }, 3)),
};

describe('resolveOptions', () => {
  it.each([undefined, null, {}])('fills in every default for %j', (written) => {
    expect(resolveOptions('options', written, FIELDS)).toEqual({
      maxAttempts: 5,
      timeout: 1000,
      factor: 2,
      mode: 'safe',
      name: undefined,
      hook: undefined,
      nested: { deep: 0 },
      extra: undefined,
    });
  });

  it('takes what is written, and makes units plain', () => {
    const hook = () => {};
    const written = {
      maxAttempts: 10,
      timeout: '1m',
      factor: 1.5,
      mode: 'fast',
      name: 'x',
      hook,
      nested: { deep: 1 },
      extra: 0,
    };

    expect(resolveOptions('options', written, FIELDS)).toEqual({ ...written, timeout: 60_000 });
  });

  it('takes an option that is undefined for absent', () => {
    expect(resolveOptions('options', { maxAttempts: undefined }, FIELDS).maxAttempts).toBe(5);
  });

  it.each([
    ['maxAttempts', 0, '1 to 10'],
    ['maxAttempts', 11, '1 to 10'],
    ['maxAttempts', 1.5, 'whole number'],
    ['maxAttempts', '5', 'whole number'],
    ['maxAttempts', null, 'whole number'],
    ['maxAttempts', Number.NaN, 'NaN'],
    ['timeout', 0, '1ms to 1m'],
    ['timeout', '2m', '1ms to 1m'],
    ['timeout', '5', 'duration'],
    ['timeout', {}, 'duration'],
    ['factor', 0.5, '1 to 10'],
    ['factor', Number.POSITIVE_INFINITY, '1 to 10'],
    ['factor', Number.NaN, '1 to 10'],
    ['factor', '2', 'number'],
    ['mode', 'slow', '"fast", "safe"'],
    ['mode', true, '"fast", "safe"'],
    ['name', '', 'not empty'],
    ['name', 5, 'not empty'],
    ['hook', 'x', 'a function'],
    ['nested', 5, 'object'],
    ['nested', [], 'object'],
    ['extra', 10, '0 to 9'],
  ])('refuses %s of %j, and names the option and its bound', (name, value, says) => {
    const problems = problemsOf(FIELDS, { [name]: value });

    expect(problems).toHaveLength(1);
    expect(problems[0]).toContain(name);
    expect(problems[0]).toContain(says);
  });

  it('reports everything wrong at once, with paths', () => {
    const problems = problemsOf(FIELDS, {
      maxAttempts: 0,
      timeout: 'soon',
      mode: 'x',
      nested: { deep: 5, other: 1 },
      zzz: 1,
    });

    expect(problems).toHaveLength(6);
    const starts = [/^maxAttempts /, /^timeout /, /^mode /, /^nested\.deep /, /"nested\.other"/, /"zzz"/];
    for (const start of starts) expect(problems.filter((line) => start.test(line))).toHaveLength(1);
  });

  it.each([
    ['maxAttempt', 'maxAttempts'],
    ['MaxAttempts', 'maxAttempts'],
    ['maxattempts', 'maxAttempts'],
    ['attempts', undefined],
    ['timeOut', 'timeout'],
    ['timout', 'timeout'],
    ['hok', 'hook'],
    ['nme', 'name'],
    ['completelyDifferent', undefined],
  ])('of an unknown option %s: did you mean %s?', (written, meant) => {
    const [problem, ...others] = problemsOf(FIELDS, { [written]: 1 });

    expect(others).toEqual([]);
    expect(problem).toContain(`unknown option "${written}"`);
    expect(problem).toContain(meant ? `did you mean "${meant}"?` : 'known: maxAttempts, timeout');
  });

  it('knows no option by its prototype', () => {
    for (const name of ['constructor', 'toString', '__proto__', 'hasOwnProperty']) {
      expect(problemsOf(FIELDS, JSON.parse(`{"${name}":1}`))).toHaveLength(1);
    }
  });

  it.each(['text', 5, true, [], () => 1])('refuses options that are no object: %s', (written) => {
    expect(problemsOf(FIELDS, written)).toHaveLength(1);
  });

  it('names the subject in its message', () => {
    expect(() => resolveOptions('task "a"', { zzz: 1 }, FIELDS)).toThrow(/^task "a": unknown option "zzz"/);
  });

  it('shows little of long and of structured values', () => {
    const [long] = problemsOf(FIELDS, { mode: 'x'.repeat(10_000) });
    const [object] = problemsOf(FIELDS, { mode: { secret: 'canary' } });

    expect(long!.length).toBeLessThan(200);
    expect(object).not.toContain('canary');
  });
});
