import { describe, expect, it } from 'vitest';
import { VirtualClock } from './virtual-clock.js';

describe('VirtualClock', () => {
  it('stands still until it is moved', async () => {
    const clock = new VirtualClock(1_000);
    let fired = false;
    clock.after(0, () => (fired = true));
    await new Promise((resolve) => setTimeout(resolve, 5));

    expect(clock.monotonicMs()).toBe(1_000);
    expect(fired).toBe(false);

    await clock.advance(0);
    expect(fired).toBe(true);
    await clock.advance(2.5);
    expect(clock.monotonicMs()).toBe(1_002.5);
    await clock.advanceTo(5_000);
    expect(clock.monotonicMs()).toBe(5_000);
  });

  it('fires what is due in the order of time, then of setting, each at its own time', async () => {
    const clock = new VirtualClock();
    const fired: [string, number][] = [];
    const set = (name: string, ms: number) => clock.after(ms, () => fired.push([name, clock.monotonicMs()]));
    set('c', 30);
    set('a1', 10);
    set('later', 101);
    set('a2', 10);
    set('b', 20);
    set('at once', -5);

    await clock.advance(100);

    expect(fired).toEqual([
      ['at once', 0],
      ['a1', 10],
      ['a2', 10],
      ['b', 20],
      ['c', 30],
    ]);
    expect(clock.pending).toBe(1);
    expect(clock.nextTimerInMs).toBe(1);
  });

  it('lets promises and setImmediate run after each timer, which may set more', async () => {
    const clock = new VirtualClock();
    const seen: string[] = [];
    const step = (name: string, ms: number, then?: () => void) =>
      clock.after(ms, () => {
        seen.push(name);
        void Promise.resolve()
          .then(() => Promise.resolve())
          .then(() => setImmediate(() => process.nextTick(() => seen.push(`after ${name}`))))
          .then(then);
      });
    step('a', 10, () => step('c', 10));
    step('b', 15);

    await clock.advance(20);

    expect(seen).toEqual(['a', 'after a', 'b', 'after b', 'c', 'after c']);
  });

  it('lets run what is waiting before it moves at all', async () => {
    const clock = new VirtualClock();
    const fired: number[] = [];
    const work = (async () => {
      await Promise.resolve();
      clock.after(5, () => fired.push(clock.monotonicMs()));
    })();

    await clock.advance(10);

    await work;
    expect(fired).toEqual([5]);
  });

  it('forgets a timer that is cancelled, also twice, and one that has fired', async () => {
    const clock = new VirtualClock();
    let count = 0;
    const cancel = clock.after(10, () => (count += 1));
    const cancelOther = clock.after(10, () => (count += 1));
    cancel();
    cancel();
    expect(clock.pending).toBe(1);

    await clock.advance(10);
    cancelOther();

    expect(count).toBe(1);
    expect(clock.pending).toBe(0);
    expect(clock.nextTimerInMs).toBeUndefined();
  });

  it('cuts timers as the clock of the machine does, and takes no time for a number', () => {
    const clock = new VirtualClock();
    clock.after(Number.POSITIVE_INFINITY, () => {});
    expect(clock.nextTimerInMs).toBe(2 ** 31 - 1);
    clock.after(Number.NaN, () => {});
    expect(clock.nextTimerInMs).toBe(0);
  });

  it('refuses to go back, and to be moved by two at once', async () => {
    const clock = new VirtualClock(100);
    await expect(clock.advance(-1)).rejects.toThrow(RangeError);
    await expect(clock.advanceTo(99)).rejects.toThrow(/from 100 ms to 99 ms/);
    await expect(clock.advance(Number.NaN)).rejects.toThrow(RangeError);

    const moving = clock.advance(10);
    await expect(clock.advance(10)).rejects.toThrow(/being moved already/);
    await moving;

    expect(clock.monotonicMs()).toBe(110);
  });

  it('passes on what a timer throws, and can be moved on', async () => {
    const clock = new VirtualClock();
    let fired = false;
    clock.after(10, () => {
      throw new Error('as asked');
    });
    clock.after(20, () => (fired = true));

    await expect(clock.advance(30)).rejects.toThrow('as asked');
    expect(clock.monotonicMs()).toBe(10);

    await clock.advance(10);
    expect(fired).toBe(true);
  });
});

describe('until', () => {
  const sleep = (clock: VirtualClock, ms: number) =>
    new Promise<void>((resolve) => clock.after(ms, () => resolve()));

  it('moves time as far as the work needs, and no further', async () => {
    const clock = new VirtualClock();
    const work = async (): Promise<string> => {
      for (let i = 0; i < 3; i += 1) await sleep(clock, 1_000);
      return 'done';
    };

    expect(await clock.until(work())).toBe('done');
    expect(clock.monotonicMs()).toBe(3_000);
    expect(await clock.until(Promise.resolve(1))).toBe(1);
    expect(clock.monotonicMs()).toBe(3_000);
  });

  it('fails as the work does', async () => {
    const clock = new VirtualClock();
    const work = sleep(clock, 10).then(() => Promise.reject(new Error('as asked')));

    await expect(clock.until(work)).rejects.toThrow('as asked');
  });

  it('gives up when nothing can end the work, or it takes too long', async () => {
    const clock = new VirtualClock();
    await expect(clock.until(new Promise(() => {}))).rejects.toThrow(/no timer is set/);

    const forever = (): void => void clock.after(1_000, forever);
    forever();
    await expect(clock.until(new Promise(() => {}), 10_000)).rejects.toThrow(/within 10000 ms/);
    expect(clock.monotonicMs()).toBe(10_000);
  });
});
