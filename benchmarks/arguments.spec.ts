import { describe, expect, it } from 'vitest';
import { UsageError, wishesOf } from './arguments.js';
import { cases } from './cases/cases.js';
import { contenders } from './contenders/contenders.js';
import { CONTENDER_NAMES } from './contenders/contender.js';

const wishes = (...args: readonly string[]) => wishesOf(args, cases);
const ids = (...args: readonly string[]) => wishes(...args).cases.map(({ id }) => id);

describe('the command line', () => {
  it('means everything when it says nothing', () => {
    expect(ids()).toEqual(cases.map(({ id }) => id));
    expect(wishes().contenders).toEqual(CONTENDER_NAMES);
  });

  it('chooses cases by name, or all that begin with a name', () => {
    expect(ids('--case', 'process-100')).toEqual(['process-100']);
    expect(ids('--case', 'memory,idle-1')).toEqual([
      'memory-ready',
      'memory-scheduled',
      'memory-active',
      'idle-1',
    ]);
  });

  it('chooses the short list, and what is said wins over it', () => {
    expect(ids('--quick')).toEqual(['enqueue-100', 'process-1', 'process-100']);
    expect(wishes('--quick').contenders).toEqual(['taskq', 'bullmq', 'ceiling']);
    expect(wishes('--quick', '--contender', 'taskq').contenders).toEqual(['taskq']);
  });

  it.each([
    [['--case', 'proc'], 'there is no case "proc"'],
    [['--contender', 'kue'], 'there is no contender "kue"'],
    [['--rounds', '0'], '--rounds must be a whole number from 1, not "0"'],
    [['--tasks', 'many'], '--tasks must be a whole number from 1, not "many"'],
    [['--bound', '2'], '--bound is of use only beside --gate'],
    [['--gate', '--bound', ''], '--bound must be a number from 0, not ""'],
    [['--gate', '--case', 'process-1'], '--gate has its own cases'],
    [['--record', '--tasks', '5'], '--record is for whole measurements'],
  ])('refuses %j in one line', (args, message) => {
    expect(() => wishes(...args)).toThrow(UsageError);
    expect(() => wishes(...args)).toThrow(message);
  });
});

describe('the cases', () => {
  it('have names of their own, and contenders that there are', () => {
    expect(new Set(cases.map(({ id }) => id)).size).toBe(cases.length);
    for (const { contenders: names, figures } of cases) {
      expect(names.length).toBeGreaterThan(0);
      expect(figures.length).toBeGreaterThan(0);
    }
  });

  it('are asked of everybody who can be named', () => {
    expect(contenders.map(({ name }) => name)).toEqual([...CONTENDER_NAMES]);
  });
});
