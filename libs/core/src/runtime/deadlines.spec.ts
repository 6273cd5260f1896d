import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { sleep, systemClock } from './clock.js';
import { Deadlines } from './deadlines.js';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
});
afterEach(() => {
  const left = vi.getTimerCount();
  vi.useRealTimers();
  if (left > 0) throw new Error(`${left} timers are left`);
});

function deadlines(): { all: Deadlines<string>; expired: string[] } {
  const expired: string[] = [];
  return { all: new Deadlines<string>(systemClock, (item) => void expired.push(item)), expired };
}

describe('Deadlines', () => {
  it('tells each item once, not before its time', () => {
    const { all, expired } = deadlines();
    all.set('b', 200);
    all.set('a', 100);
    all.set('c', 300);

    vi.advanceTimersByTime(99);
    expect(expired).toEqual([]);
    vi.advanceTimersByTime(2);
    expect(expired).toEqual(['a']);
    vi.advanceTimersByTime(100);
    expect(expired).toEqual(['a', 'b']);
    vi.advanceTimersByTime(10_000);
    expect(expired).toEqual(['a', 'b', 'c']);
  });

  it('has one timer, however many items', () => {
    const { all, expired } = deadlines();
    for (let i = 0; i < 1000; i += 1) all.set(`i${i}`, 1000 + i);
    expect(vi.getTimerCount()).toBe(1);

    vi.advanceTimersByTime(2_001);
    expect(expired).toHaveLength(1000);
  });

  it('does not tell an item that was removed', () => {
    const { all, expired } = deadlines();
    all.set('a', 100);
    all.set('b', 100);
    all.remove('a');
    all.remove('unknown');
    vi.advanceTimersByTime(1000);

    expect(expired).toEqual(['b']);
  });

  it('goes by the last deadline that was set, sooner or later', () => {
    const { all, expired } = deadlines();
    all.set('later', 100);
    all.set('later', 500);
    all.set('sooner', 500);
    all.set('sooner', 100);

    vi.advanceTimersByTime(101);
    expect(expired).toEqual(['sooner']);
    vi.advanceTimersByTime(400);
    expect(expired).toEqual(['sooner', 'later']);
  });

  it('may be changed from within what it tells', () => {
    const expired: string[] = [];
    const all: Deadlines<string> = new Deadlines(systemClock, (item) => {
      expired.push(item);
      if (item === 'a') all.set('again', 50);
      if (item === 'b') all.remove('c');
    });
    all.set('a', 100);
    all.set('b', 100);
    all.set('c', 150);
    vi.advanceTimersByTime(1000);

    expect(expired).toEqual(['a', 'b', 'again']);
  });

  it('forgets everything when cleared, with its timer, and may be used again', () => {
    const { all, expired } = deadlines();
    all.set('a', 100);
    all.clear();
    expect(vi.getTimerCount()).toBe(0);
    vi.advanceTimersByTime(1000);
    expect(expired).toEqual([]);

    all.set('b', 100);
    vi.advanceTimersByTime(101);
    expect(expired).toEqual(['b']);
  });

  it('keeps a deadline beyond what a timer can hold', () => {
    const { all, expired } = deadlines();
    const days30 = 30 * 86_400_000;
    all.set('a', days30);
    vi.advanceTimersByTime(days30 - 1000);
    expect(expired).toEqual([]);
    vi.advanceTimersByTime(2000);
    expect(expired).toEqual(['a']);
  });

  it('leaves no timer when the last item was told', () => {
    const { all } = deadlines();
    all.set('a', 10);
    vi.advanceTimersByTime(20);

    expect(vi.getTimerCount()).toBe(0);
  });
});

describe('sleep', () => {
  it('ends after its time', async () => {
    let awake = false;
    const slept = sleep(systemClock, 100).then(() => (awake = true));
    await vi.advanceTimersByTimeAsync(99);
    expect(awake).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    await slept;
    expect(awake).toBe(true);
  });

  it('ends at once when its signal is or becomes aborted, and leaves no timer and no listener', async () => {
    await sleep(systemClock, 1000, AbortSignal.abort());
    const controller = new AbortController();
    const added = vi.spyOn(controller.signal, 'addEventListener');
    const removed = vi.spyOn(controller.signal, 'removeEventListener');
    const slept = sleep(systemClock, 1000, controller.signal);
    controller.abort();
    await slept;

    expect(vi.getTimerCount()).toBe(0);
    expect(removed.mock.calls.length).toBe(added.mock.calls.length);
  });
});
