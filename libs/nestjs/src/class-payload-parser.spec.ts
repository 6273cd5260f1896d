import 'reflect-metadata';
import { ConfigurationError } from '@taskq/core';
import { Type } from 'class-transformer';
import { Allow, IsInt, IsOptional, IsString, ValidateNested } from 'class-validator';
import { describe, expect, it } from 'vitest';
import { classPayloadParser } from './class-payload-parser.js';

class Item {
  @IsInt()
  price: number;
}

class Order {
  @IsString()
  name: string;
  @IsOptional()
  @ValidateNested({ each: true })
  @Type(() => Item)
  items?: Item[];
  @IsOptional()
  @ValidateNested()
  @Type(() => Item)
  extra?: Item;
  @Allow()
  note: unknown;
}

class Special extends Order {
  @IsInt()
  rank: number;
}

describe('classPayloadParser', () => {
  const parse = classPayloadParser(Order);

  it('makes an instance and leaves out what is not declared', async () => {
    const input = { name: 'a', items: [{ price: 1, more: 2 }], note: { any: 'thing' }, more: 1 };
    const parsed = await parse(input);
    expect(parsed).toMatchObject({ ok: true });
    const { value } = parsed as { value: Order };
    expect(value).toBeInstanceOf(Order);
    expect(value.items?.[0]).toBeInstanceOf(Item);
    expect(Object.assign({}, value)).toEqual({ name: 'a', items: [{ price: 1 }], note: { any: 'thing' } });
    expect(input.more).toBe(1);
  });

  it('names every wrong value by its path', async () => {
    const parsed = await parse({ items: [{ price: 1 }, { price: 'x' }, 5], extra: {} });
    expect(parsed).toEqual({
      ok: false,
      issues: [
        { path: 'name', message: 'must be a string' },
        { path: 'items[1].price', message: 'must be an integer number' },
        { path: 'items[2]', message: expect.any(String) },
        { path: 'extra.price', message: 'must be an integer number' },
      ],
    });
  });

  it.each([null, 'text', 7, true, [], [{ name: 'a' }], undefined])(
    'refuses %j, which is no object',
    async (value) => {
      expect(await parse(value)).toEqual({ ok: false, issues: [{ path: '', message: 'must be an object' }] });
    },
  );

  it('checks what a class inherits', async () => {
    expect(await classPayloadParser(Special)({ rank: 1 })).toMatchObject({ issues: [{ path: 'name' }] });
  });

  it('does not take an own `constructor` for the class', async () => {
    expect(await parse({ constructor: 'Item', name: 7 })).toMatchObject({ issues: [{ path: 'name' }] });
  });

  it('wants at least one decorator', () => {
    class Bare {
      name: string;
    }
    expect(() => classPayloadParser(Bare)).toThrow(ConfigurationError);
    expect(() => classPayloadParser(Bare)).toThrow(/class Bare has no class-validator decorator/);
  });
});
