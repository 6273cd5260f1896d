import { LANES } from '@taskq/core';
import { type Call, type OutcomeCall, type TaskCall, TIMES } from './calls.js';

/** Numbers that a seed decides (mulberry32, public domain). */
export class Chance {
  constructor(private state: number) {}

  /** Uniform in [0, 1). */
  next(): number {
    this.state = (this.state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.state ^ (this.state >>> 15), 1 | this.state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  /** A whole number below `end`. */
  below(end: number): number {
    return Math.floor(this.next() * end);
  }

  often(share: number): boolean {
    return this.next() < share;
  }

  one<T>(of: readonly T[]): T {
    return of[this.below(of.length)]!;
  }

  many<T>(longest: number, make: () => T): readonly T[] {
    return Array.from({ length: this.below(longest + 1) }, make);
  }
}

/** Verbs, as often as they are named. */
const VERBS: readonly Call['verb'][] = [
  ...Array.from({ length: 10 }, () => 'enqueue' as const),
  ...Array.from({ length: 12 }, () => 'settle' as const),
  ...['fetch', 'fetch', 'fetch', 'repeat', 'resolve', 'wait', 'interrupt'].map((verb) => verb as 'fetch'),
  ...['extend', 'extend', 'promote', 'promote', 'promote'].map((verb) => verb as 'promote'),
  ...['reclaim', 'reclaim', 'reclaim', 'reclaim', 'reclaim'].map((verb) => verb as 'reclaim'),
  ...['passTime', 'passTime', 'passTime', 'passTime'].map((verb) => verb as 'passTime'),
  ...['takeDuties', 'takeDuties', 'sweepsDue', 'sweepsDue', 'cleaningDue'].map(
    (verb) => verb as 'takeDuties',
  ),
  ...['removeConsumer', 'counts', 'counts', 'listConsumers', 'find', 'find'].map((verb) => verb as 'find'),
  ...['listDeadLetters', 'listDeadLetters', 'listScheduled', 'replay', 'replay'].map(
    (verb) => verb as 'replay',
  ),
  ...['deleteDeadLetters', 'addEntry', 'addEntry', 'addEntry'].map((verb) => verb as 'addEntry'),
];

/** What befalls a queue is rare, or nothing else would come about. */
const RARE: readonly Call['verb'][] = ['dropGroup', 'flush', 'ensureQueue', 'ensureQueue'];

const PAYLOADS = ['1', '{"a":[1,2]}', '"a\\nb"', '"ž\u{1F600}"', 'line\nline\n'];
const RAWS = ['["no","task"]', '{"a":', '["odd"]', '[]', ''];

/** A sequence of calls that the seed decides. */
export function generate(seed: number, length: number): readonly Call[] {
  const chance = new Chance(seed);
  let made = 0;
  const number = (): number => (made += 1);
  const recent = (): number => made - chance.below(Math.min(made, 8));
  return Array.from({ length }, () => {
    const verb = chance.often(0.03) ? chance.one(RARE) : chance.one(VERBS);
    return {
      verb,
      broker: chance.below(2),
      consumer: `w${chance.below(3)}`,
      ...detailsOf(verb, chance, number, recent),
    } as Call;
  });
}

/** `number` is another one each time, `recent` one of the last of these. */
function detailsOf(verb: Call['verb'], chance: Chance, number: () => number, recent: () => number): object {
  const picks = (longest: number): readonly number[] => chance.many(longest, () => chance.below(1000));
  switch (verb) {
    case 'enqueue': {
      const absolute = chance.often(0.5);
      return {
        channel: `c${chance.below(3)}`,
        step: chance.often(0.1) ? 3 : 1,
        forgets: chance.often(0.2) ? chance.below(4) : 0,
        maxReady: chance.often(0.2) ? 1 + chance.below(8) : 0,
        tasks: chance.many(chance.often(0.1) ? 12 : 4, () => task(chance, number, recent, absolute)),
      };
    }
    case 'repeat':
    case 'resolve':
      return { pick: chance.below(1000), behind: chance.below(3) };
    case 'fetch':
      return { count: 1 + chance.below(4) };
    case 'settle': {
      const want = chance.often(0.5)
        ? [chance.below(9), ...[0, 0, 0].map(() => chance.below(4))]
        : [0, 0, 0, 0];
      return { outcomes: chance.many(5, () => outcome(chance, number)), want };
    }
    case 'extend':
      return { picks: picks(4), wrong: chance.often(0.2) };
    case 'promote':
      return { takeOver: chance.often(0.5), acknowledge: chance.often(0.5) };
    case 'sweepsDue':
      return { everyMs: chance.one(TIMES.every), late: chance.often(0.2) };
    case 'cleaningDue':
      return { deadLetters: chance.below(4) };
    case 'reclaim':
      return {
        leaseMs: chance.one(TIMES.lease),
        everyMs: chance.one(TIMES.every),
        limit: chance.one([0, 1, 3, 100]),
        suspects: chance.often(0.7),
        releasedOnly: chance.often(0.3),
        goOn: chance.often(0.3),
        strays: chance.often(0.3) ? chance.below(2 ** 30) : 0,
        late: chance.often(0.1),
        acknowledge: chance.often(0.3),
      };
    case 'find':
      return {
        id: chance.often(0.3) ? `own${chance.below(3)}` : idOf(1 + chance.below(80)),
      };
    case 'listDeadLetters':
      return { after: chance.below(4), limit: 1 + chance.below(5) };
    case 'listScheduled':
      return { offset: chance.below(3), limit: 1 + chance.below(5) };
    case 'replay':
    case 'deleteDeadLetters':
      return { picks: picks(3) };
    case 'passTime':
      return { ms: chance.often(0.9) ? chance.one(TIMES.passes.slice(0, 4)) : TIMES.passes[4] };
    case 'addEntry':
      return {
        lane: chance.one(LANES),
        n: number(),
        ...(chance.often(0.6) && { id: ownId(chance, recent) }),
      };
    default:
      return {};
  }
}

function task(chance: Chance, number: () => number, recent: () => number, absolute: boolean): TaskCall {
  const own = chance.often(0.2);
  return {
    id: own ? ownId(chance, recent) : idOf(number()),
    own,
    lane: chance.one(LANES),
    payload: chance.one(PAYLOADS),
    meta: chance.one(['', '{"starts":1}']),
    ...(chance.often(0.35) && {
      due: { ms: later(chance.one(TIMES.due), number), absolute },
    }),
    ...(chance.often(0.15) && {
      idempotency: { key: `i${chance.below(2)}`, fingerprint: chance.one(['f', 'g']) },
    }),
    ...(chance.often(0.2) && { unique: `u${chance.below(2)}` }),
  };
}

/** An id that a caller gives: one of its own, or one that a producer gave and that is enqueued again. */
function ownId(chance: Chance, recent: () => number): string {
  return chance.often(0.5) ? `own${chance.below(3)}` : idOf(recent());
}

/** Ids as producers make them, over two buckets, and some of another form. */
function idOf(n: number): string {
  return n % 5 === 0 ? `x-${n}` : `abcdefghijkl.${(50 + n).toString(36)}`;
}

function later(ms: number, number: () => number): number {
  return ms > 0 ? ms + number() : ms;
}

function outcome(chance: Chance, number: () => number): OutcomeCall {
  return {
    pick: chance.below(1000),
    kind: chance.one(['remove', 'remove', 'schedule', 'dead-letter', 'release']),
    anyHolder: chance.often(0.2),
    wrong: chance.often(0.1),
    ...(chance.often(0.3) && { key: `u${chance.below(2)}` }),
    delayMs: later(chance.one(TIMES.delay), number),
    ...(chance.often(0.3) && { raw: chance.one(RAWS) }),
    started: chance.often(0.5),
  };
}
