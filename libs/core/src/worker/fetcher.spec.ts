import { describe, expect, it } from 'vitest';
import type { Broker, Delivery, FetchAnswer, FetchRequest, WakeReason } from '../broker/broker.js';
import { BrokerError } from '../contract/errors.js';
import { resolveEngineOptions } from '../policy/engine-options.js';
import type { Clock } from '../runtime/clock.js';
import { silentLogger } from '../runtime/logger.js';
import { TaskEvents } from '../telemetry/task-events.js';
import { Fetcher } from './fetcher.js';
import type { QueueRunner } from './queue-runner.js';

const NOTHING: FetchAnswer = { deliveries: [], woken: [] };

/** A clock that is told to move. */
class TestClock implements Clock {
  private now = 0;
  private timers: { readonly at: number; readonly run: () => void }[] = [];

  get pending(): number {
    return this.timers.length;
  }

  monotonicMs(): number {
    return this.now;
  }

  wallMs(): number {
    return this.now;
  }

  after(ms: number, run: () => void): () => void {
    const timer = { at: this.now + ms, run };
    this.timers.push(timer);
    return () => (this.timers = this.timers.filter((each) => each !== timer));
  }

  /** Lets time pass millisecond by millisecond, and everything that is due happen. */
  async pass(ms: number): Promise<void> {
    for (const end = this.now + ms; this.now < end;) {
      await settled();
      this.now += 1;
      for (const timer of this.timers.filter(({ at }) => at <= this.now)) {
        this.timers = this.timers.filter((each) => each !== timer);
        timer.run();
      }
    }
    await settled();
  }
}

async function settled(): Promise<void> {
  for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
}

/** A queue as the fetcher sees it. */
function runnerOf(queue: string) {
  const runner = {
    queue,
    waits: true,
    owed: false,
    awaited: false,
    free: 9,
    page: 100,
    given: [] as Delivery[],
    woken: 0,
    get wanting(): boolean {
      return runner.waits || runner.owed;
    },
    receive: (deliveries: readonly Delivery[]) => void runner.given.push(...deliveries),
    wakeUp: () => void (runner.woken += 1),
  };
  return runner;
}

/** A fetcher of two queues, whose reads last until the test or an interrupt that is not lost ends them. */
function stage({ lost = 0 } = {}) {
  const clock = new TestClock();
  const reads: FetchRequest[] = [];
  const interrupts: number[] = [];
  const log: string[] = [];
  let lose = lost;
  let cannotMake: BrokerError | undefined;
  let under: { resolve: (answer: FetchAnswer) => void; reject: (error: Error) => void } | undefined;
  const end = (answer: FetchAnswer | Error): void => {
    const read = under;
    under = undefined;
    if (answer instanceof Error) read?.reject(answer);
    else read?.resolve(answer);
  };
  const broker: Partial<Broker> = {
    fetch: (request) => {
      if (under) throw new Error('one read at a time');
      reads.push(request);
      return new Promise((resolve, reject) => (under = { resolve, reject }));
    },
    interruptFetch: async () => {
      interrupts.push(clock.monotonicMs());
      lose -= 1;
      if (lose < 0) end(NOTHING);
      else if (lose % 2 === 0) throw new BrokerError('UNAVAILABLE', 'the word did not even leave');
    },
    endFetch: async () => void log.push('end'),
    ensureQueue: async (queue) => {
      log.push(`ensure ${queue}`);
      if (cannotMake) throw cannotMake;
      return true;
    },
  };
  const [a, b] = [runnerOf('a'), runnerOf('b')];
  const woken: [string, string, WakeReason][] = [];
  const events = new TaskEvents();
  events.on('queue.recreated', ({ queue }) => log.push(`recreated ${queue}`));
  const fetcher = new Fetcher(
    [a, b] as unknown as QueueRunner[],
    {
      broker: broker as Broker,
      clock,
      events,
      consumer: 'w1',
      part: 'w1 a',
      options: resolveEngineOptions(),
      logger: silentLogger,
      random: () => 0.5,
      woken: (...args: [string, string, WakeReason]) => void woken.push(args),
    } as unknown as ConstructorParameters<typeof Fetcher>[1],
  );
  const changes = (runner: typeof a, waits: boolean): void => {
    runner.waits = waits;
    fetcher.changed(runner as unknown as QueueRunner, false);
  };
  const refuseToMake = (error: BrokerError | undefined): void => void (cannotMake = error);
  return { clock, fetcher, a, b, reads, interrupts, log, woken, end, changes, refuseToMake };
}

function delivery(queue: string, entryId: string): Delivery {
  return { queue, lane: 'normal', entryId, delivery: 1, era: 0, fields: [] };
}

describe('Fetcher', () => {
  it('waits for every queue that waits, in one read, and gives each what is its own', async () => {
    const { clock, fetcher, a, b, reads, woken, end } = stage();
    fetcher.start();
    await clock.pass(1);
    expect(reads).toMatchObject([{ queues: ['a', 'b'], consumer: 'w1', part: 'w1 a', count: 3 }]);
    expect([a.awaited, b.awaited]).toEqual([true, true]);

    const deliveries = [delivery('b', '1-0'), delivery('b', '2-0')];
    end({ deliveries, woken: [{ queue: 'a', entryId: '9-0', why: 'due' }] });
    await settled();

    expect([a.given, b.given]).toEqual([[], deliveries]);
    expect([a.woken, b.woken]).toEqual([0, 1]);
    expect(woken).toEqual([['a', '9-0', 'due']]);
    expect(reads).toHaveLength(2);
  });

  it('reads nothing while no queue waits, and begins when one does', async () => {
    const { clock, fetcher, a, b, reads, interrupts, changes } = stage();
    a.waits = b.waits = false;
    fetcher.start();
    await clock.pass(100);
    expect(reads).toEqual([]);
    expect(fetcher.silentMs).toBe(0);

    changes(b, true);
    await clock.pass(1);

    expect(reads).toMatchObject([{ queues: ['b'] }]);
    expect(interrupts).toEqual([]);
  });

  it('lets a read go on that waits for the right queues', async () => {
    const { clock, fetcher, a, interrupts, changes } = stage();
    fetcher.start();
    await clock.pass(1);
    changes(a, true);
    await clock.pass(100);

    expect(interrupts).toEqual([]);
    expect(fetcher.silentMs).toBe(101);
  });

  it.each([0, 1, 2, 5])(
    'ends a read that waits for other queues than it should, though %i words to it are lost',
    async (lost) => {
      const { clock, fetcher, a, b, reads, interrupts, changes } = stage({ lost });
      b.waits = false;
      fetcher.start();
      await clock.pass(1);
      expect(reads).toMatchObject([{ queues: ['a'] }]);

      changes(b, true);
      await clock.pass(200);

      expect(reads.map(({ queues }) => queues)).toEqual([['a'], ['a', 'b']]);
      expect([a.awaited, b.awaited]).toEqual([true, true]);
      // Again and again, with a pause, and no more once it has ended.
      expect(interrupts).toHaveLength(lost + 1);
      expect(interrupts).toEqual(interrupts.map((_, i) => interrupts[0]! + 20 * i));
      expect(clock.pending).toBe(1); // for the next look
    },
  );

  it('waits for nothing more once the read has ended', async () => {
    const { clock, fetcher, b, reads, changes } = stage();
    b.waits = false;
    fetcher.start();
    await clock.pass(1);
    changes(b, true);
    await clock.pass(1);

    expect(reads).toHaveLength(2);
    expect(clock.pending).toBe(1);
  });

  it('says it again at once when there is more to say', async () => {
    const { clock, fetcher, a, b, interrupts, changes } = stage({ lost: 1 });
    fetcher.start();
    await clock.pass(1);
    changes(a, false);
    await clock.pass(5);
    changes(b, false);
    await clock.pass(5);

    expect(interrupts).toEqual([1, 6]);
  });

  it('says nothing more when the read has become the right one again', async () => {
    const { clock, fetcher, a, reads, interrupts, changes } = stage({ lost: 1 });
    fetcher.start();
    await clock.pass(1);
    changes(a, false);
    await clock.pass(5);
    a.waits = true;
    await clock.pass(100);

    expect(interrupts).toHaveLength(1);
    expect(reads).toHaveLength(1);
  });

  it('ends a next read, too, that is outdated by the time it begins', async () => {
    const { clock, fetcher, a, b, reads, changes } = stage({ lost: 2 });
    b.waits = false;
    fetcher.start();
    await clock.pass(1);
    changes(b, true);
    await clock.pass(45);
    changes(a, false);
    await clock.pass(100);

    expect(reads.map(({ queues }) => queues)).toEqual([['a'], ['a', 'b'], ['b']]);
  });
});

describe('Fetcher, when it is told to stop', () => {
  it.each([0, 3])('ends, though %i words to its read are lost, and reads no more', async (lost) => {
    const { clock, fetcher, reads, log, a, changes } = stage({ lost });
    fetcher.start();
    await clock.pass(1);
    let stopped = false;
    void fetcher.stop().then(() => (stopped = true));
    await clock.pass(200);

    expect(stopped).toBe(true);
    expect(log).toEqual(['end']);
    changes(a, true);
    await clock.pass(100);
    expect(reads).toHaveLength(1);
    expect(clock.pending).toBe(0);
  });

  it('gives its queues what the read still brings', async () => {
    const { clock, fetcher, a, end } = stage({ lost: 9 });
    fetcher.start();
    await clock.pass(1);
    const stopping = fetcher.stop();
    await clock.pass(5);
    end({ deliveries: [delivery('a', '1-0')], woken: [] });
    await clock.pass(30);
    await stopping;

    expect(a.given).toHaveLength(1);
  });

  it('ends at once while it waits for nothing, or to try again', async () => {
    for (const fails of [false, true]) {
      const { clock, fetcher, a, b, end } = stage();
      if (!fails) a.waits = b.waits = false;
      fetcher.start();
      await clock.pass(1);
      if (fails) end(new BrokerError('UNAVAILABLE', 'away', { retryable: true }));
      await clock.pass(1);
      const stopping = fetcher.stop();
      await clock.pass(1);
      await stopping;

      expect(clock.pending).toBe(0);
    }
  });
});

describe('Fetcher, when a read fails', () => {
  it('tries again, later and later, and at once when there is news', async () => {
    const { clock, fetcher, a, b, reads, end, changes } = stage();
    fetcher.start();
    await clock.pass(1);
    for (const [pause, count] of [
      [50, 2],
      [100, 3],
      [200, 4],
    ] as const) {
      end(new BrokerError('UNAVAILABLE', 'away', { retryable: true }));
      await clock.pass(pause - 1);
      expect(reads).toHaveLength(count - 1);
      await clock.pass(1);
      expect(reads).toHaveLength(count);
    }
    expect([a.awaited, b.awaited]).toEqual([true, true]);

    end(new BrokerError('UNAVAILABLE', 'away', { retryable: true }));
    await clock.pass(1);
    expect([a.awaited, b.awaited]).toEqual([false, false]);
    changes(a, true);
    await clock.pass(1);
    expect(reads).toHaveLength(5);
  });

  it.each(['NOGROUP', 'UNBLOCKED'])(
    'makes the groups anew that are gone (%s), and reads on',
    async (reason) => {
      const { clock, fetcher, reads, log, end } = stage();
      fetcher.start();
      await clock.pass(1);
      end(new BrokerError(reason, 'gone', { retryable: true }));
      await clock.pass(1);

      expect(log).toEqual(['ensure a', 'ensure b', 'recreated a', 'recreated b']);
      expect(reads).toHaveLength(2);
    },
  );

  it.each([
    ['they cannot be made', new BrokerError('OOM', 'no room')],
    ['they are gone again at once', undefined],
  ])('reads no faster than after any other failure when %s', async (_, failure) => {
    const { clock, fetcher, reads, end, refuseToMake } = stage();
    refuseToMake(failure);
    fetcher.start();
    for (let ms = 0; ms < 1000; ms += 1) {
      await clock.pass(1);
      end(new BrokerError('NOGROUP', 'gone', { retryable: true }));
    }

    expect(reads.length).toBeGreaterThan(3);
    expect(reads.length).toBeLessThan(10);
  });
});

describe('The silence of a fetcher', () => {
  it('grows while reads fail, however often they are tried', async () => {
    const { clock, fetcher, end } = stage();
    fetcher.start();
    for (let ms = 0; ms < 5000; ms += 1) {
      await clock.pass(1);
      end(new BrokerError('NOPERM', 'not yours'));
    }

    expect(fetcher.silentMs).toBeGreaterThan(4990);
    await clock.pass(2000);
    end(NOTHING);
    await clock.pass(1);
    expect(fetcher.silentMs).toBeLessThan(5);
  });

  it('grows while a queue wants an answer and hears of failures only', async () => {
    const { clock, fetcher, a, b, changes } = stage();
    a.waits = b.waits = false;
    fetcher.start();
    a.owed = true;
    changes(a, false);
    for (let ms = 0; ms < 3000; ms += 100) {
      await clock.pass(100);
      changes(a, false);
    }

    expect(fetcher.silentMs).toBe(3000);
    fetcher.changed(a as unknown as QueueRunner, true);
    expect(fetcher.silentMs).toBe(0);
  });

  it('begins anew when something is wanted again: a worker whose slots were all busy was not stalled', async () => {
    const { clock, fetcher, a, b, changes } = stage();
    a.waits = b.waits = false;
    fetcher.start();
    await clock.pass(3000);
    changes(a, true);
    await clock.pass(1);

    expect(fetcher.silentMs).toBeLessThan(3);
  });
});
