import { setImmediate as immediate } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { atEndOfTurn } from './turn.js';

/** Runs `first` in a turn of its own and answers the order in which things happened. */
async function order(first: (log: (what: string) => void) => void): Promise<string[]> {
  const happened: string[] = [];
  const log = (what: string) => void happened.push(what);
  await immediate();
  await new Promise<void>((resolve) => {
    setImmediate(() => {
      first(log);
      setImmediate(() => setImmediate(resolve));
    });
  });
  return happened;
}

describe('atEndOfTurn', () => {
  it('comes after the code that asked for it', async () => {
    expect(
      await order((log) => {
        atEndOfTurn(() => log('end'));
        log('code');
      }),
    ).toEqual(['code', 'end']);
  });

  it('comes after promise reactions queued already, and those that they queue', async () => {
    const happened = await order((log) => {
      void Promise.resolve()
        .then(() => log('1'))
        .then(() => log('2'))
        .then(() => log('3'))
        .then(() => log('4'));
      atEndOfTurn(() => log('end'));
      queueMicrotask(() => log('later microtask'));
    });

    expect(happened.at(-1)).toBe('end');
    expect(happened).toHaveLength(6);
  });

  it('comes after the awaits of a function that is called in the same turn', async () => {
    const happened = await order((log) => {
      const work = async (): Promise<void> => {
        for (let i = 0; i < 20; i += 1) await Promise.resolve();
        log('work');
      };
      atEndOfTurn(() => log('end'));
      void work();
    });

    expect(happened).toEqual(['work', 'end']);
  });

  it('comes after ticks queued before, and before any timer or immediate', async () => {
    const happened = await order((log) => {
      setTimeout(() => log('timer'), 0);
      setImmediate(() => log('immediate'));
      process.nextTick(() => log('tick'));
      atEndOfTurn(() => log('end'));
    });

    expect(happened.slice(0, 2)).toEqual(['tick', 'end']);
  });

  it('keeps the order of those who ask', async () => {
    expect(
      await order((log) => {
        atEndOfTurn(() => log('a'));
        atEndOfTurn(() => log('b'));
        void Promise.resolve().then(() => atEndOfTurn(() => log('c')));
      }),
    ).toEqual(['a', 'b', 'c']);
  });

  it('works when asked from a promise reaction, a tick and an end of turn', async () => {
    const happened = await order((log) => {
      void Promise.resolve().then(() => {
        atEndOfTurn(() => log('from reaction'));
        void Promise.resolve().then(() => log('reaction'));
      });
      process.nextTick(() => atEndOfTurn(() => log('from tick')));
      atEndOfTurn(() => atEndOfTurn(() => log('from end')));
      setImmediate(() => log('next turn'));
    });

    expect(happened.indexOf('reaction')).toBeLessThan(happened.indexOf('from reaction'));
    expect(happened.at(-1)).toBe('next turn');
    expect(happened).toHaveLength(5);
  });
});
