import { defineTask } from '@taskq/core';
import { describe, expect, it } from 'vitest';
import { DeclaredContracts } from './declared-contracts.js';

const only = defineTask({ type: 'only', queue: 'a' });
const inA = defineTask({ type: 'several', queue: 'a' });
const inB = defineTask({ type: 'several', queue: 'b' });
const plain = defineTask({ type: 'plain' });
const inC = defineTask({ type: 'plain', queue: 'c' });
const declare = (...contracts: ReturnType<typeof defineTask>[]) =>
  new DeclaredContracts([{ connection: 'default', queues: {}, contracts }]);

describe('DeclaredContracts', () => {
  const contracts = declare(only, inA, inB, plain, inC);

  it('finds a contract by type, and by queue where there are several', () => {
    expect(contracts.find('default', 'only', undefined)).toBe(only);
    expect(contracts.find('default', 'several', 'b')).toBe(inB);
    expect(contracts.find('default', 'plain', undefined)).toBe(plain);
    expect(() => contracts.find('default', 'several', undefined)).toThrow(/in several queues \("a", "b"\)/);
  });

  it('finds nothing for other types, queues and connections', () => {
    expect(contracts.find('default', 'other', undefined)).toBeUndefined();
    expect(contracts.find('default', 'only', 'b')).toBeUndefined();
    expect(contracts.find('second', 'only', undefined)).toBeUndefined();
  });

  it('takes a contract that is declared twice for one, and two that differ for a mistake', () => {
    expect(declare(only, only).problems).toEqual([]);
    expect(declare(only, defineTask({ type: 'only', queue: 'a' })).problems).toEqual([
      'two contracts for task "only" in queue "a" are declared',
    ]);
  });
});
