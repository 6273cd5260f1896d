import type { Redis } from 'ioredis';
import { describe, expect, it } from 'vitest';
import type { Durability } from '../contract/durability.js';
import { BrokerError, BrokerTimeoutError } from '../contract/errors.js';
import { type BarrierParts, DurabilityBarrier } from './durability-barrier.js';

const WAIT_MS = 4000;

/** One call to Redis that the test answers when it likes. */
interface Call<T> {
  readonly what: string;
  readonly answer: (value: T) => void;
  readonly fail: (error: Error) => void;
}

/** A Redis that knows every group and reaches whatever is asked, unless told otherwise. */
class FakeRedis {
  readonly log: string[] = [];
  readonly confirmed: (readonly [record: string, sequence: number][])[] = [];
  readonly waits: Call<number>[] = [];
  unknown = new Set<string>();
  confirmFails: Error | undefined;
  /** Waits are answered by the test. */
  held = false;
  reached = 1;

  readonly parts = (durability: Durability): BarrierParts => ({
    durability,
    waitMs: WAIT_MS,
    confirm: async (records, sequences) => {
      this.log.push(`confirm ${records.length}`);
      this.confirmed.push(records.map((record, i) => [record, sequences[i]!] as [string, number]));
      if (this.confirmFails) throw this.confirmFails;
      return records.map((record) => (this.unknown.has(record) ? 0 : 1));
    },
    wait: (command) => command(this.link),
  });

  private readonly link = {
    wait: (replicas: number, ms: number) => this.waited(`WAIT ${replicas} ${ms}`),
    call: async (...words: unknown[]) => [await this.waited(words.join(' ')), 0],
  } as unknown as Redis;

  private waited(what: string): Promise<number> {
    this.log.push(what);
    if (!this.held) return Promise.resolve(this.reached);
    return new Promise((answer, fail) => this.waits.push({ what, answer, fail }));
  }
}

function barrier(durability: Durability = { replicated: 1 }, over: Partial<FakeRedis> = {}) {
  const redis = Object.assign(new FakeRedis(), over);
  return { redis, barrier: new DurabilityBarrier(redis.parts(durability)) };
}

/** Lets everything happen that needs no answer of Redis. */
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

const outcomes = async (calls: readonly Promise<void>[]): Promise<readonly string[]> =>
  (await Promise.allSettled(calls)).map((call) =>
    call.status === 'fulfilled' ? 'reached' : (call.reason as Error).message,
  );

describe('DurabilityBarrier', () => {
  it.each([
    ['durable', `WAITAOF 1 0 ${WAIT_MS}`],
    [{ replicated: 1 }, `WAIT 1 ${WAIT_MS}`],
    [{ replicated: 3 }, `WAIT 3 ${WAIT_MS}`],
  ] as const)('of %j confirms the group, then waits on the same link', async (durability, command) => {
    const { redis, barrier: made } = barrier(durability, { reached: 3 });
    await made.reached('r1', 7);

    expect(redis.confirmed).toEqual([[['r1', 7]]]);
    expect(redis.log).toEqual(['confirm 1', command]);
  });

  it('lets one wait serve all groups that came before it, and those that come meanwhile share the next', async () => {
    const { redis, barrier: made } = barrier(undefined, { held: true });
    const settled: string[] = [];
    const reach = (record: string): Promise<void> =>
      made.reached(record, 1).then(() => void settled.push(record));
    const first = reach('a');
    await turn();
    const others = ['b', 'c', 'd'].map(reach);
    await turn();
    expect(redis.log).toEqual(['confirm 1', `WAIT 1 ${WAIT_MS}`]);
    expect(settled).toEqual([]);

    redis.waits[0]!.answer(1);
    await first;
    await turn();
    expect(settled).toEqual(['a']);
    expect(redis.confirmed[1]).toEqual([
      ['b', 1],
      ['c', 1],
      ['d', 1],
    ]);

    redis.waits[1]!.answer(1);
    await Promise.all(others);
    expect(settled).toEqual(['a', 'b', 'c', 'd']);
    expect(redis.waits).toHaveLength(2);
  });

  it('confirms a hundred groups at a time', async () => {
    const { redis, barrier: made } = barrier(undefined, { held: true });
    const first = made.reached('first', 1);
    await turn();
    const many = Array.from({ length: 250 }, (_, i) => made.reached(`r${i}`, i));
    for (let pass = 0; pass < 4; pass += 1) {
      redis.waits[pass]!.answer(1);
      await turn();
    }
    await Promise.all([first, ...many]);

    expect(redis.confirmed.map((page) => page.length)).toEqual([1, 100, 100, 50]);
    expect(redis.confirmed.slice(1).flat()).toEqual(
      Array.from({ length: 250 }, (_, i) => [`r${i}`, i] as const),
    );
  });

  it.each([
    [{ replicated: 2 }, 1, 'replicated(2): 1 of 2 in time'],
    [{ replicated: 1 }, 0, 'replicated(1): 0 of 1 in time'],
    ['durable', 0, 'durable: 0 of 1 in time'],
  ] as const)(
    'of %j rejects when only %i got it in time: repeat the group',
    async (durability, reached, why) => {
      const { barrier: made } = barrier(durability, { reached });
      const error: unknown = await made.reached('r', 1).catch((thrown: unknown) => thrown);

      expect(error).toBeInstanceOf(BrokerTimeoutError);
      expect(error).toMatchObject({
        reason: 'UNCONFIRMED',
        retryable: true,
        message: `not confirmed: ${why}`,
      });
    },
  );

  it('is content with more than was asked for', async () => {
    await expect(barrier({ replicated: 2 }, { reached: 5 }).barrier.reached('r', 1)).resolves.toBeUndefined();
  });

  it('rejects a group that the server it waits on does not know, and no other', async () => {
    const { redis, barrier: made } = barrier(undefined, { unknown: new Set(['b']) });
    redis.held = true;
    const first = made.reached('first', 1);
    await turn();
    const calls = ['a', 'b', 'c'].map((record) => made.reached(record, 1));
    redis.held = false;
    redis.waits[0]!.answer(1);
    await first;

    expect(await outcomes(calls)).toEqual([
      'reached',
      'not confirmed: the server that would confirm it does not know it',
      'reached',
    ]);
  });

  it('rejects with what went wrong when it cannot ask, and goes on with the next', async () => {
    const { redis, barrier: made } = barrier();
    const broken = new BrokerError('UNAVAILABLE', 'not connected', { retryable: true });
    redis.confirmFails = broken;
    await expect(made.reached('a', 1)).rejects.toBe(broken);
    redis.confirmFails = undefined;

    await expect(made.reached('a', 1)).resolves.toBeUndefined();
    expect(redis.log).toEqual(['confirm 1', 'confirm 1', `WAIT 1 ${WAIT_MS}`]);
  });

  it('rejects those of a wait that broke, and not those that came meanwhile', async () => {
    const { redis, barrier: made } = barrier(undefined, { held: true });
    const first = made.reached('a', 1);
    await turn();
    const second = made.reached('b', 1);
    redis.held = false;
    redis.waits[0]!.fail(new BrokerTimeoutError('TIMEOUT', 'no answer'));

    expect(await outcomes([first, second])).toEqual(['no answer', 'reached']);
  });
});
