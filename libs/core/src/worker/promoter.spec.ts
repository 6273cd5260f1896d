import { describe, expect, it } from 'vitest';
import type { Broker, DutyAnswer, DutyRequest, PromoteAnswer, PromoteRequest } from '../broker/broker.js';
import { Promoter } from './promoter.js';

const EVERY_MS = 1_000;
const NOTHING: DutyAnswer = { duties: [], waiting: false };
const ELSEWHERE: DutyAnswer = { duties: [], waiting: true };
const dutyIn = (queue: string, nextInMs: number): DutyAnswer => ({
  duties: [{ queue, nextInMs }],
  waiting: true,
});

/** A promoter of two queues before a broker that does as it is told. */
class Bench {
  nowMs = 1_000;
  readonly looks: DutyRequest[] = [];
  readonly passes: PromoteRequest[] = [];
  readonly log: string[] = [];
  /** What the broker says of the queues together; what of each, in turn, and then that nothing waits. */
  duties: DutyAnswer = NOTHING;
  answers: (Partial<PromoteAnswer> | Error)[] = [];
  readonly promoter: Promoter;

  constructor() {
    const broker: Partial<Broker> = {
      takeDuties: async (request) => {
        this.looks.push(request);
        return this.duties;
      },
      promote: async (request) => {
        this.passes.push(request);
        const answer = this.answers.shift() ?? {};
        if (answer instanceof Error) throw answer;
        return { onDuty: true, promoted: 0, nextInMs: undefined, ...answer };
      },
    };
    const log = (message = ''): void => void this.log.push(message);
    this.promoter = new Promoter(broker as Broker, 'w1', ['a', 'b'], {
      name: 'promoter',
      everyMs: EVERY_MS,
      clock: { monotonicMs: () => this.nowMs, wallMs: () => 0, after: () => log },
      logger: { debug: log, info: log, warn: log, error: log },
      random: () => 0.5,
    });
  }

  /** A pass after so long; answers in how long the next one comes. */
  async after(ms: number): Promise<number> {
    this.nowMs += ms;
    return this.promoter.runOnce();
  }
}

describe('looking around', () => {
  it('is one question for all queues, and where nothing waits the only one', async () => {
    const bench = new Bench();
    await bench.after(0);

    expect(bench.looks).toEqual([{ queues: ['a', 'b'], consumer: 'w1', dutyMs: 1_250 }]);
    expect(bench.passes).toEqual([]);
  });

  it('is done half as often while nothing waits anywhere', async () => {
    const bench = new Bench();
    expect(await bench.after(0)).toBe(2 * EVERY_MS);
    bench.duties = ELSEWHERE;

    expect(await bench.after(2 * EVERY_MS)).toBe(EVERY_MS);
  });

  it('comes soon enough to keep a duty that was taken when nothing had waited', async () => {
    const bench = new Bench();
    await bench.after(0);
    bench.promoter.wake('a', '1-0');
    bench.answers = [{ nextInMs: 60_000 }];

    expect(await bench.after(500)).toBe(EVERY_MS);
    await bench.after(EVERY_MS);
    expect(bench.looks).toHaveLength(2);
  });

  it('is not done by every pass', async () => {
    const bench = new Bench();
    await bench.after(0);
    for (let woken = 0; woken < 3; woken += 1) {
      bench.promoter.wake('a', '1-0');
      await bench.after(10);
    }

    expect(bench.looks).toHaveLength(1);
    expect(bench.passes).toHaveLength(3);
  });
});

describe('a queue in which it has the duty', () => {
  it('is promoted when a task is due there, and no other is', async () => {
    const bench = new Bench();
    bench.duties = dutyIn('b', 300);

    expect(await bench.after(0)).toBe(300);
    expect(bench.passes).toEqual([]);
    await bench.after(300);
    expect(bench.passes).toMatchObject([{ queue: 'b', takeOver: false, dutyMs: 1_250 }]);
  });

  it('is promoted at once when a task is due already', async () => {
    const bench = new Bench();
    bench.duties = dutyIn('a', 0);
    await bench.after(0);

    expect(bench.passes).toMatchObject([{ queue: 'a' }]);
  });

  it('is left to whoever has taken the duty over meanwhile', async () => {
    const bench = new Bench();
    bench.duties = dutyIn('a', 100);
    await bench.after(0);
    bench.answers = [{ onDuty: false }];

    expect(await bench.after(100)).toBe(EVERY_MS - 100);
    expect(bench.passes).toHaveLength(1);
  });

  it('that cannot be promoted delays no other', async () => {
    const bench = new Bench();
    bench.duties = { waiting: true, duties: [...dutyIn('a', 100).duties, ...dutyIn('b', 150).duties] };
    await bench.after(0);
    bench.answers = [new Error('as asked')];

    expect(await bench.after(100)).toBe(50);
    await bench.after(50);
    expect(bench.passes.map(({ queue }) => queue)).toEqual(['a', 'b']);
    expect(bench.log).toEqual(['promoter: as asked']);
  });
});
