import { describe, expect, it } from 'vitest';
import type {
  Broker,
  Delivery,
  EntryRef,
  ReclaimAnswer,
  ReclaimRequest,
  SweepAnswer,
  SweepRequest,
} from '../broker/broker.js';
import type { QueueRunner } from './queue-runner.js';
import { Reclaimer } from './reclaimer.js';

const LEASE_MS = 15_000;
const EVERY_MS = 2_500;
const TIMES = { leaseMs: LEASE_MS, holdMs: 7_000, lateMs: 5_000 };

const NOTHING: ReclaimAnswer = { deliveries: [], cursor: undefined, left: 0, own: [], late: false };

const entry = (entryId: string): EntryRef => ({ lane: 'normal', entryId });
const cursorAt = (consumer: string) => ({ lane: 'normal', consumer, after: '' }) as const;
const taken = (count: number): readonly Delivery[] =>
  Array.from({ length: count }, (_, i) => ({
    ...{ queue: 'orders', lane: 'normal', entryId: `${i}-0`, delivery: 2, era: 0, fields: [], from: 'w1' },
  })) as readonly Delivery[];

/** A reclaimer of one queue between a broker and a runner that do as they are told. */
class Bench {
  nowMs = 1_000;
  random = 0.5;
  /** When the next pass comes. */
  nextInMs = 0;
  redisMs = 1_700_000_000_000;
  readonly asked: ReclaimRequest[] = [];
  readonly looks: SweepRequest[] = [];
  /** What looking around answers in turn; then that there is something, or what `found` says. */
  looked: Partial<SweepAnswer>[] = [];
  found: readonly string[] = ['orders'];
  /** Answers in turn; then nothing is found. */
  answers: Partial<ReclaimAnswer>[] = [];
  room = 10;
  held: readonly EntryRef[] = [];
  promised = 0;
  received = 0;
  readonly reclaimer: Reclaimer;

  constructor() {
    const broker = {
      now: () => this.redisMs,
      sweepsDue: async (request: SweepRequest): Promise<SweepAnswer> => {
        this.looks.push(request);
        return { queues: this.found, late: false, ...this.looked.shift() };
      },
      reclaim: async (request: ReclaimRequest) => {
        this.asked.push(request);
        return { ...NOTHING, ...this.answers.shift() };
      },
    };
    const runner = {
      queue: 'orders',
      hasSuspect: false,
      page: 100,
      leases: () => this.held.map((each) => ({ ...each, delivery: 1 })),
      reserve: () => () => {},
      promise: (count: number) => (this.promised = count),
      receive: (deliveries: readonly Delivery[]) => {
        this.received += deliveries.length;
        this.room -= deliveries.length;
      },
    };
    Object.defineProperty(runner, 'room', { get: () => this.room });
    const log = (): void => {};
    this.reclaimer = new Reclaimer(
      broker as unknown as Broker,
      'w2',
      [runner as unknown as QueueRunner],
      TIMES,
      {
        name: 'reclaimer',
        everyMs: EVERY_MS,
        clock: { monotonicMs: () => this.nowMs, wallMs: () => 0, after: () => log },
        logger: { debug: log, info: log, warn: log, error: log },
        random: () => this.random,
      },
    );
  }

  /** Time passes for everybody. */
  pass(ms: number): void {
    this.nowMs += ms;
    this.redisMs += ms;
  }

  /** The next pass, in time; answers what was asked for. */
  async run(): Promise<readonly ReclaimRequest[]> {
    this.asked.length = 0;
    this.pass(this.nextInMs);
    this.nextInMs = await this.reclaimer.runOnce();
    return [...this.asked];
  }

  /** Whether it sweeps, or only looks at what was handed back. */
  async sweeps(): Promise<boolean> {
    return (await this.run()).some((request) => !request.releasedOnly);
  }
}

describe('a sweep', () => {
  it('says after which time it is late, by the clock of Redis', async () => {
    const bench = new Bench();

    expect((await bench.run())[0]!.notAfter).toBe(bench.redisMs + TIMES.lateMs);
  });

  it('goes on from page to page while there is room', async () => {
    const bench = new Bench();
    bench.answers = [{ cursor: cursorAt('a') }, { cursor: cursorAt('b'), deliveries: taken(3) }, {}];

    const asked = await bench.run();

    expect(asked.map((request) => request.cursor?.consumer)).toEqual([undefined, 'a', 'b']);
    expect(bench.received).toBe(3);
  });

  it('is not broken off while pages bring entries', async () => {
    const bench = new Bench();
    bench.room = 1_000;
    bench.answers = Array.from({ length: 200 }, () => ({ cursor: cursorAt('a'), deliveries: taken(1) }));

    expect(await bench.run()).toHaveLength(201);
  });

  it('is broken off after fifty pages that bring nothing, and goes on in the next pass', async () => {
    const bench = new Bench();
    bench.answers = Array.from({ length: 60 }, (_, i) => ({ cursor: cursorAt(`c${i}`) }));

    expect(await bench.run()).toHaveLength(50);
    expect((await bench.run())[0]!.cursor).toEqual(cursorAt('c49'));
  });

  it('ends where something is left for want of room, which is promised slots, and goes on there', async () => {
    const bench = new Bench();
    bench.room = 0;
    bench.answers = [{ cursor: cursorAt('dead'), left: 7 }];

    expect(await bench.run()).toHaveLength(1);
    expect(bench.promised).toBe(7);
    bench.room = 1;

    expect((await bench.run())[0]!.cursor).toEqual(cursorAt('dead'));
  });

  it('that went on is followed by one from the start: it has not seen what lies there', async () => {
    const bench = new Bench();
    bench.room = 0;
    bench.answers = [{ cursor: cursorAt('z'), left: 1 }];
    await bench.run();

    expect((await bench.run()).map((request) => request.cursor)).toEqual([cursorAt('z'), undefined]);
  });
});

describe('own entries that are silent', () => {
  it('are taken by name, but for those that the worker has in hand', async () => {
    const bench = new Bench();
    bench.held = [entry('1-0'), { lane: 'high', entryId: '2-0' }];
    bench.answers = [{ own: [entry('1-0'), entry('2-0'), entry('3-0')] }, { deliveries: taken(2) }];

    const asked = await bench.run();

    expect(asked.map((request) => request.strays)).toEqual([undefined, [entry('2-0'), entry('3-0')]]);
    expect(bench.received).toBe(2);
  });

  it('are not asked for when all of them are in hand', async () => {
    const bench = new Bench();
    bench.held = [entry('1-0')];
    bench.answers = [{ own: [entry('1-0')] }];

    expect(await bench.run()).toHaveLength(1);
  });

  it('that find no slot are promised one, beside what else was left', async () => {
    const bench = new Bench();
    bench.answers = [{ own: [entry('1-0')], left: 2 }, { left: 1 }];
    await bench.run();

    expect(bench.promised).toBe(3);
  });
});

describe('looking around', () => {
  it('keeps from asking about queues of which nobody holds anything', async () => {
    const bench = new Bench();
    bench.found = [];

    expect(await bench.run()).toEqual([]);
    expect(bench.looks).toMatchObject([{ queues: ['orders'] }]);
  });

  it('is not kept from what it should find by its own sweep of the last time', async () => {
    const bench = new Bench();
    bench.random = 0;
    const [swept] = await bench.run();

    expect(bench.nextInMs).toBeCloseTo(EVERY_MS * 0.9);
    for (const { everyMs } of [swept!, bench.looks[0]!]) expect(everyMs).toBeLessThan(bench.nextInMs);
  });

  it('is done once in a period, however often something wakes it', async () => {
    const bench = new Bench();
    await bench.run();
    bench.nextInMs = EVERY_MS / 5;
    for (let woken = 0; woken < 3; woken += 1) {
      bench.reclaimer.wake('orders', '1-0');
      await bench.reclaimer.runOnce();
      bench.pass(EVERY_MS / 5);
    }
    expect(bench.looks).toHaveLength(1);
    expect(await bench.reclaimer.runOnce()).toBeCloseTo((EVERY_MS * 2) / 5);
    bench.pass((EVERY_MS * 2) / 5);
    await bench.reclaimer.runOnce();

    expect(bench.looks).toHaveLength(2);
  });

  it('asks once more where slots are kept for what is gone by now, so that they are given up', async () => {
    const bench = new Bench();
    bench.reclaimer.wake('orders', '1-0');
    bench.answers = [{ left: 1 }, { left: 1 }, { left: 1 }];
    await bench.run();
    bench.found = [];
    bench.answers = [];
    expect(bench.promised).toBe(1);

    expect(await bench.run()).toHaveLength(1);
    expect(bench.promised).toBe(0);
    expect(await bench.run()).toEqual([]);
  });

  it('says after which time it is late, by the clock of Redis', async () => {
    const bench = new Bench();
    await bench.run();

    expect(bench.looks[0]!.notAfter).toBe(bench.redisMs + TIMES.lateMs);
  });

  it('that was late is followed by no sweep: whatever is sent now is in time, and every lease seems to be over', async () => {
    const bench = new Bench();
    bench.looked = [{ late: true }];

    expect(await bench.sweeps()).toBe(false);
    const heldUntil = bench.nowMs + TIMES.holdMs;
    while (bench.nowMs + bench.nextInMs < heldUntil) expect(await bench.sweeps()).toBe(false);
    expect(await bench.sweeps()).toBe(true);
    expect(bench.nowMs).toBe(heldUntil);
  });

  it('makes out that Redis’ clock was set forward since, though nothing was ever asked of the queue', async () => {
    const bench = new Bench();
    bench.found = [];
    await bench.run();
    bench.found = ['orders'];
    bench.redisMs += TIMES.lateMs + 1;

    expect(await bench.sweeps()).toBe(false);
  });
});

describe('nothing is swept', () => {
  it('for as long as a hold lasts; what was handed back is', async () => {
    const bench = new Bench();
    bench.reclaimer.hold(7_000);

    expect((await bench.run()).map((request) => request.releasedOnly)).toEqual([true]);
    const heldUntil = bench.nowMs + 7_000;
    while (bench.nowMs + bench.nextInMs < heldUntil) expect(await bench.sweeps()).toBe(false);
    expect(await bench.sweeps()).toBe(true);
  });

  it('in a queue that was left in the middle, either; what was handed back there is', async () => {
    const bench = new Bench();
    bench.room = 0;
    bench.answers = [{ cursor: cursorAt('dead'), left: 7 }];
    await bench.run();
    bench.reclaimer.hold(7_000);

    expect((await bench.run()).map((request) => request.releasedOnly)).toEqual([true]);
  });

  it('and the next pass comes when the hold is over, if that is sooner than usual', async () => {
    const bench = new Bench();
    bench.reclaimer.hold(7_000);

    expect(await bench.reclaimer.runOnce()).toBe(EVERY_MS);
    bench.pass(6_000);
    expect(await bench.reclaimer.runOnce()).toBe(1_000);
    bench.pass(1_000);
    expect(await bench.reclaimer.runOnce()).toBe(EVERY_MS);
  });

  it.each(['sweep', 'page of what was handed back'])('for a while after a late %s', async (what) => {
    const bench = new Bench();
    if (what !== 'sweep') bench.reclaimer.wake('orders', '1-0');
    bench.answers = [{ late: true, cursor: undefined }];

    expect(await bench.run()).toHaveLength(1);
    const heldUntil = bench.nowMs + TIMES.holdMs;
    while (bench.nowMs + bench.nextInMs < heldUntil) expect(await bench.sweeps()).toBe(false);
    expect(await bench.sweeps()).toBe(true);
    expect(bench.nowMs).toBe(heldUntil);
  });

  it('for a while after Redis’ clock was set forward, whoever was told first', async () => {
    const bench = new Bench();
    await bench.run();
    bench.pass(EVERY_MS);
    bench.redisMs += TIMES.lateMs + 1;

    expect(await bench.sweeps()).toBe(false);
    bench.pass(TIMES.holdMs);
    expect(await bench.sweeps()).toBe(true);
  });

  it('but not when the clock was only set by a little, or back', async () => {
    const bench = new Bench();
    for (const step of [TIMES.lateMs - 1, -3_600_000, 0]) {
      bench.redisMs += step;

      expect(await bench.sweeps()).toBe(true);
    }
  });
});
