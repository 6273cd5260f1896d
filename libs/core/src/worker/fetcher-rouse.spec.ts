import { describe, expect, it } from 'vitest';
import type { Broker, FetchAnswer } from '../broker/broker.js';
import type { Clock } from '../runtime/clock.js';
import { silentLogger } from '../runtime/logger.js';
import { Fetcher } from './fetcher.js';
import type { QueueRunner } from './queue-runner.js';

const NOTHING: FetchAnswer = { deliveries: [], woken: [] };

/** A queue as the fetcher sees it: `resting` when it has free slots and no call is under way. */
function runnerOf(queue: string) {
  const runner = {
    ...{ queue, free: 9, page: 100, waits: true, resting: true, awaited: false, woken: 0 },
    wakeUp: () => void (runner.woken += 1),
  };
  return runner;
}

/** A fetcher of two queues; reads end, and time passes, when the test says so. */
function stage() {
  const timers = new Map<() => void, number>();
  const clock: Clock = {
    monotonicMs: () => 0,
    wallMs: () => 0,
    after: (ms, run) => {
      timers.set(run, ms);
      return () => void timers.delete(run);
    },
  };
  const reads: (readonly string[])[] = [];
  let end: (answer: FetchAnswer) => void = () => undefined;
  const broker: Partial<Broker> = {
    fetch: ({ queues }) => {
      reads.push(queues);
      return new Promise((resolve) => (end = resolve));
    },
  };
  const [a, b] = [runnerOf('a'), runnerOf('b')];
  const fetcher = new Fetcher(
    [a, b] as unknown as QueueRunner[],
    {
      ...{ broker, clock, logger: silentLogger, random: () => 0.5, consumer: 'w', part: 'w a' },
      ...{ options: { worker: { blockMs: 2000 } }, woken: () => undefined },
    } as unknown as ConstructorParameters<typeof Fetcher>[1],
  );
  const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  return {
    ...{ a, b, reads, timers },
    start: () => {
      fetcher.start();
      return turn();
    },
    endRead: () => {
      end(NOTHING);
      return turn();
    },
    /** Time passes until the timers are due that are set. */
    pass: () => {
      const due = [...timers.keys()];
      timers.clear();
      for (const run of due) run();
      return turn();
    },
  };
}

describe('a queue with free slots that no read waits for', () => {
  it('looks for work when it was told to while one did, of which nobody else would hear', async () => {
    const { a, b, start, endRead } = stage();
    await start();
    a.waits = false;
    await endRead();

    expect([a.woken, b.woken]).toEqual([1, 0]);
  });

  it('does not while a call of its is under way', async () => {
    const { a, start, endRead } = stage();
    await start();
    a.waits = a.resting = false;
    await endRead();

    expect(a.woken).toBe(0);
  });

  it('looks within the time of a read, though nobody said that a slot is free', async () => {
    const { a, b, reads, timers, start, pass } = stage();
    a.waits = b.waits = a.resting = b.resting = false;
    await start();
    expect([...timers.values()]).toEqual([2000]);
    a.resting = true;
    await pass();
    expect(a.woken).toBe(1);
    a.waits = true;
    await pass();

    expect(reads).toEqual([['a']]);
  });

  it('looks though a read waits for others', async () => {
    const { a, b, reads, start, pass } = stage();
    a.waits = a.resting = false;
    await start();
    expect(reads).toEqual([['b']]);
    a.resting = true;
    await pass();

    expect([a.woken, b.woken]).toEqual([1, 0]);
  });
});
