import { describe, expect, it } from 'vitest';
import { ConfigurationError } from './errors.js';
import { PayloadParsers } from './payload-parsers.js';
import { isStandardSchema, standardParser, type StandardSchema } from './payload-schema.js';
import { defineTask } from './task-contract.js';

class Dto {
  to!: string;
}
const schema = (validate: StandardSchema['~standard']['validate']): StandardSchema => ({
  '~standard': { version: 1, vendor: 'test', validate },
});
const anything = schema((value) => ({ value }));

describe('defineTask', () => {
  it('is a frozen value with its defaults', () => {
    const contract = defineTask({ type: 'email.send', maxAttempts: 3 });

    expect(contract).toEqual({ type: 'email.send', queue: 'default', payload: undefined, maxAttempts: 3 });
    expect(Object.isFrozen(contract)).toBe(true);
  });

  it('keeps the version of its payload, and how older ones are upgraded', () => {
    const upgrade = (payload: unknown) => payload;

    expect(defineTask({ type: 'a', version: 1000, upgrade })).toMatchObject({ version: 1000, upgrade });
  });

  it.each([Dto, anything, Object.assign(() => 1, anything)])(
    'takes a class or a Standard Schema',
    (payload) => {
      expect(defineTask({ type: 'a', payload: payload as typeof anything }).payload).toBe(payload);
    },
  );

  it.each([
    [{ type: '' }, ['type']],
    [{ type: 'a b' }, ['type']],
    [{ type: undefined }, ['type']],
    [{ type: 'a', queue: 'a:b' }, ['queue']],
    [{ type: 'a', queue: null }, ['queue']],
    [{ type: 'a', payload: {} }, ['payload']],
    [{ type: 'a', payload: 'Dto' }, ['payload']],
    [{ type: 'a', payload: null }, ['payload']],
    [{ type: 'a', version: 0 }, ['version']],
    [{ type: 'a', version: 1001 }, ['version']],
    [{ type: 'a', version: 1.5 }, ['version']],
    [{ type: 'a', version: '2' }, ['version']],
    [{ type: 'a', version: null }, ['version']],
    [{ type: 'a', version: 2, upgrade: {} }, ['upgrade']],
    [{ type: 'a', upgrade: (payload: unknown) => payload }, ['upgrade']],
    [{ type: 'a', version: 1, upgrade: (payload: unknown) => payload }, ['upgrade']],
    [{ type: '', queue: '', payload: 5, version: 0 }, ['type', 'queue', 'payload', 'version']],
  ])('refuses %j, with a line per problem', (definition, problems) => {
    let error: unknown;
    try {
      defineTask(definition as never);
    } catch (thrown) {
      error = thrown;
    }

    expect(error).toBeInstanceOf(ConfigurationError);
    expect((error as ConfigurationError).problems.map((line) => line.split(' ')[0])).toEqual(problems);
  });
});

describe('isStandardSchema', () => {
  it('takes objects and functions that implement it, nothing else', () => {
    expect(isStandardSchema(anything)).toBe(true);
    expect(isStandardSchema(Object.assign(() => 1, anything))).toBe(true);
    for (const other of [null, undefined, 5, 'x', {}, Dto, { '~standard': null }, { '~standard': {} }]) {
      expect(isStandardSchema(other)).toBe(false);
    }
  });
});

describe('standardParser', () => {
  it('answers what the schema makes of a value, at once when the schema does', () => {
    const parse = standardParser(schema((value) => ({ value: `${String(value)}!` })));
    expect(parse('a')).toEqual({ ok: true, value: 'a!' });
  });

  it('waits for a schema that answers later', async () => {
    const parse = standardParser(schema((value) => Promise.resolve({ value })));
    expect(await parse('a')).toEqual({ ok: true, value: 'a' });
  });

  it('writes paths of every kind as people do', () => {
    const issues = [
      { message: 'm1', path: ['items', 2, 'price'] },
      { message: 'm2', path: [{ key: 'a' }, { key: 0 }] },
      { message: 'm3', path: [0, 'x'] },
      { message: 'm4' },
    ];
    const result = standardParser(schema(() => ({ issues })))(1);

    expect(result).toEqual({
      ok: false,
      issues: [
        { path: 'items[2].price', message: 'm1' },
        { path: 'a[0]', message: 'm2' },
        { path: '[0].x', message: 'm3' },
        { path: '', message: 'm4' },
      ],
    });
  });
});

describe('PayloadParsers', () => {
  it('has nothing to check without a schema', () => {
    expect(new PayloadParsers().of(undefined)).toBeUndefined();
  });

  it('makes each parser once', () => {
    let made = 0;
    const parsers = new PayloadParsers(() => {
      made += 1;
      return (value) => ({ ok: true, value });
    });

    expect(parsers.of(Dto)).toBe(parsers.of(Dto));
    expect(parsers.of(anything)).toBe(parsers.of(anything));
    expect(made).toBe(1);
  });

  it('refuses classes when nothing here can check them, and says what to do', () => {
    expect(() => new PayloadParsers().of(Dto)).toThrow(
      expect.objectContaining({ code: 'TASKQ_CONFIGURATION', fix: expect.stringContaining('@taskq/nestjs') }),
    );
  });
});
