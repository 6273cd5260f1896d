import { describe, expect, it } from 'vitest';
import { systemClock } from '../runtime/clock.js';
import { PartitionTurns } from './partition-turns.js';

function made({ count = 3, first = 0 } = {}) {
  let now = 0;
  const clock = { ...systemClock, monotonicMs: () => now };
  const busy = new Set<number>();
  const turns = new PartitionTurns({ count, first, isBusy: (position) => busy.has(position), clock });
  /** The partitions of so many tasks of one turn of the event loop. */
  const turn = async (tasks: number): Promise<number[]> => {
    const positions = Array.from({ length: tasks }, () => turns.next());
    await new Promise((resolve) => setImmediate(resolve));
    return positions;
  };
  const wait = (ms: number): void => void (now += ms);
  return { wait, busy, turn };
}

const countsOf = (positions: readonly number[], count = 3): number[] =>
  Array.from({ length: count }, (_, i) => positions.filter((position) => position === i).length);

describe('tasks for which nothing decides', () => {
  it('go to one partition after the other, beginning with the first', async () => {
    const { turn } = made({ first: 2 });

    expect(await turn(7)).toEqual([2, 0, 1, 2, 0, 1, 2]);
    expect(await turn(2)).toEqual([0, 1]);
  });

  it('are spread when load is over, whoever was given more before', async () => {
    const { turn, wait } = made();
    await turn(33);
    await turn(190);
    wait(11);

    expect(countsOf(await turn(9))).toEqual([3, 3, 3]);
  });

  it('are spread though they are many, when they come after a pause', async () => {
    const { turn, wait } = made();
    expect(countsOf(await turn(99))).toEqual([33, 33, 33]);
    wait(11);

    expect(countsOf(await turn(99))).toEqual([33, 33, 33]);
  });

  it('of few per turn are spread, however soon they follow', async () => {
    const { turn } = made();
    await turn(31);

    expect(countsOf(await turn(30))).toEqual([10, 10, 10]);
  });

  it('of one turn stay together under load, and the next ones go to who was given the fewest', async () => {
    const { turn } = made();
    await turn(33);

    const turns = [await turn(40), await turn(60), await turn(50), await turn(35)];
    expect(turns.map((positions) => new Set(positions).size)).toEqual([1, 1, 1, 1]);
    expect(turns.map(([position]) => position)).toEqual([0, 1, 2, 0]);
  });

  it('are not far apart, however large turns differ', async () => {
    const { turn } = made();
    const all: number[] = [];
    for (let i = 0; i < 60; i += 1) {
      all.push(...(await turn(i % 3 === 0 ? 90 : 40)));
      const counts = countsOf(all);
      expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(90);
    }
  });

  it.each([
    { what: 'small turns', tasks: 40 },
    { what: 'full groups', tasks: 200 },
  ])('reach every partition in $what, though two of six never answer', async ({ tasks }) => {
    const { turn, busy } = made({ count: 6 });
    await turn(36);
    busy.add(0).add(3);
    const all: number[] = [];
    for (let i = 0; i < 300; i += 1) all.push(...(await turn(tasks)));

    const counts = countsOf(all, 6);
    expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(400);
  });

  it('reach every partition though two of three are always at work', async () => {
    const { turn, busy } = made();
    await turn(33);
    busy.add(1).add(2);
    const all: number[] = [];
    for (let i = 0; i < 300; i += 1) all.push(...(await turn(80)));

    const counts = countsOf(all);
    expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(400);
  });

  it('of a turn that is more than a group are several groups', async () => {
    const { turn } = made();
    await turn(33);

    expect(countsOf(await turn(600))).toEqual([200, 200, 200]);
  });

  it('of small turns go to who has nothing to do while fewer than two are at work, and wait for those from then on', async () => {
    const { turn, busy } = made();
    await turn(33);
    busy.add(0);
    expect((await turn(40))[0]).toBe(1);
    busy.add(1);

    // The third was given the fewest, but two are at work.
    expect((await turn(40))[0]).toBe(0);
    expect((await turn(40))[0]).toBe(1);
    busy.delete(1);
    expect((await turn(40))[0]).toBe(2);
  });

  it('go nowhere but to partitions that are there when all of them are at work', async () => {
    const { turn, busy } = made();
    await turn(33);
    for (const position of [0, 1, 2]) busy.add(position);

    expect([await turn(40), await turn(40), await turn(40)].map(([position]) => position)).toEqual([0, 1, 2]);
  });
});
