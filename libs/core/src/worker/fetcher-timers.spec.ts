import { describe, expect, it } from 'vitest';
import type { Broker, FetchAnswer } from '../broker/broker.js';
import type { Clock } from '../runtime/clock.js';
import { silentLogger } from '../runtime/logger.js';
import { Fetcher } from './fetcher.js';
import type { QueueRunner } from './queue-runner.js';

const NOTHING: FetchAnswer = { deliveries: [], woken: [] };

/** Timers that are set; time stands still. */
function stoppedClock() {
  const timers = new Set<object>();
  const clock: Clock = {
    monotonicMs: () => 0,
    wallMs: () => 0,
    after: () => {
      const timer = {};
      timers.add(timer);
      return () => void timers.delete(timer);
    },
  };
  return { clock, timers };
}

/** A fetcher of one idle queue, whose read ends when the test says so. */
function reading() {
  const { clock, timers } = stoppedClock();
  let end: (answer: FetchAnswer) => void = () => undefined;
  let interrupts = 0;
  const broker = {
    fetch: () => new Promise<FetchAnswer>((resolve) => (end = resolve)),
    interruptFetch: async () => void (interrupts += 1),
    endFetch: async () => undefined,
  } as Partial<Broker> as Broker;
  const runner = { queue: 'q', free: 1, waits: true, resting: true, wakeUp: () => undefined } as QueueRunner;
  const fetcher = new Fetcher([runner], {
    broker,
    clock,
    logger: silentLogger,
    random: () => 0.5,
    consumer: 'w',
    part: 'w q',
    options: { worker: { blockMs: 1000 } },
    woken: () => undefined,
  } as unknown as ConstructorParameters<typeof Fetcher>[1]);
  fetcher.start();
  return {
    fetcher,
    runner,
    timers,
    endRead: () => end(NOTHING),
    interrupts: () => interrupts,
  };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('Fetcher', () => {
  it('repeats the word that ends a read until the read has ended', async () => {
    const { fetcher, runner, interrupts, endRead, timers } = reading();
    Object.assign(runner, { waits: false });
    fetcher.changed(runner, false);
    await turn();
    // One is always for the next look around.
    expect([interrupts(), timers.size]).toEqual([1, 2]);

    endRead();
    await turn();
    expect([interrupts(), timers.size]).toEqual([1, 1]);
    await fetcher.stop();
    expect(timers.size).toBe(0);
  });

  it('leaves no timer when it has stopped while it was saying so', async () => {
    const { fetcher, runner, endRead, timers } = reading();
    Object.assign(runner, { waits: false });
    fetcher.changed(runner, false);
    await turn();
    const stopped = fetcher.stop();
    await turn();
    endRead();
    await stopped;

    expect(timers.size).toBe(0);
  });
});
