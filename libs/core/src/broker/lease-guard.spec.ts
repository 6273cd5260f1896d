import { readFileSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import ts from 'typescript';
import { afterEach, describe, expect, it } from 'vitest';
import { LANES } from '../contract/lane.js';
import { LeaseBoard, sharedMs } from './lease-guard.js';
import type { Lease } from './lease.js';

const QUEUES = ['orders', 'mail'];
const FOR_EVER = Number.MAX_SAFE_INTEGER;

function lease(n: number, over: Partial<Lease> = {}): Lease {
  return { lane: 'normal', entryId: `${n}-0`, delivery: 1, ...over };
}

const idsOf = (board: LeaseBoard, nowMs = 0) => board.held(nowMs).map(({ entryId }) => entryId);

describe('LeaseBoard', () => {
  it('is empty at first, with the rows that were asked for', () => {
    const board = new LeaseBoard(QUEUES, 3);

    expect(board.rows).toBe(3);
    expect(board.held(0)).toEqual([]);
    expect(board.lastBeat).toBe(0);
    expect(board.lastRenewal).toBe(0);
  });

  it('shows what is held: queue, lane, entry and delivery, as they were', () => {
    const board = new LeaseBoard(QUEUES, 8);
    const longest = `${'9'.repeat(20)}-${'9'.repeat(19)}`;
    const leases: [queue: number, lease: Lease][] = [
      [0, { lane: 'high', entryId: '1700000000000-0', delivery: 1 }],
      [0, { lane: 'normal', entryId: '1700000000000-1', delivery: 2 }],
      [1, { lane: 'low', entryId: '0-1', delivery: 2 ** 31 - 1 }],
      [1, { lane: 'high', entryId: longest, delivery: 1001 }],
    ];
    const rows = leases.map(([queue, held]) => board.hold(queue, held, FOR_EVER));

    expect(new Set(rows).size).toBe(4);
    expect(board.held(0)).toEqual(leases.map(([queue, held]) => ({ queue: QUEUES[queue], ...held })));
  });

  it('shows no more what was let go, and gives its row to the next', () => {
    const board = new LeaseBoard(QUEUES, 2);
    const first = board.hold(0, lease(1), FOR_EVER);
    board.hold(0, lease(2), FOR_EVER);
    board.letGo(first);
    expect(idsOf(board)).toEqual(['2-0']);

    // A shorter id in the row of a longer one.
    expect(board.hold(0, lease(12_345), FOR_EVER)).toBe(first);
    board.letGo(first);
    expect(board.hold(1, lease(3), FOR_EVER)).toBe(first);

    expect(board.held(0)).toEqual(
      expect.arrayContaining([
        { queue: 'mail', ...lease(3) },
        { queue: 'orders', ...lease(2) },
      ]),
    );
    expect(board.held(0)).toHaveLength(2);
  });

  it('answers -1 when it is full, and goes on when there is room', () => {
    const board = new LeaseBoard(QUEUES, 2);
    const [first] = [board.hold(0, lease(1), FOR_EVER), board.hold(0, lease(2), FOR_EVER)];

    expect(board.hold(0, lease(3), FOR_EVER)).toBe(-1);
    expect(idsOf(board).toSorted()).toEqual(['1-0', '2-0']);
    board.letGo(-1);
    expect(board.hold(0, lease(3), FOR_EVER)).toBe(-1);
    board.letGo(first);
    expect(board.hold(0, lease(3), FOR_EVER)).toBe(first);
    expect(idsOf(board).toSorted()).toEqual(['2-0', '3-0']);
  });

  it('has no room for an id that is longer than any of a stream, and loses no row to it', () => {
    const board = new LeaseBoard(QUEUES, 1);

    expect(board.hold(0, lease(1, { entryId: '1'.repeat(41) }), FOR_EVER)).toBe(-1);
    expect(board.held(0)).toEqual([]);
    expect(board.hold(0, lease(1, { entryId: '1'.repeat(40) }), FOR_EVER)).toBe(0);
    expect(idsOf(board)).toEqual(['1'.repeat(40)]);
  });

  it('shows a lease until its time, not at it', () => {
    const board = new LeaseBoard(QUEUES, 3);
    board.hold(0, lease(1), 1000);
    board.hold(0, lease(2), 2000.5);

    expect(idsOf(board, 999.999)).toEqual(['1-0', '2-0']);
    expect(idsOf(board, 1000)).toEqual(['2-0']);
    expect(idsOf(board, 2000.5)).toEqual([]);
  });

  it('leaves out a row that names a queue which is not there', () => {
    const board = new LeaseBoard(QUEUES, 2);
    board.hold(2, lease(1), FOR_EVER);
    board.hold(1, lease(2), FOR_EVER);

    expect(idsOf(board)).toEqual(['2-0']);
  });

  it('can be used for longer than a count of changes lasts', () => {
    const board = new LeaseBoard(QUEUES, 1);
    const state = new Int32Array(board.memory, 64, 1);
    // The last change before the count becomes negative.
    state[0] = 2 ** 31 - 2;
    const row = board.hold(0, lease(1), FOR_EVER);
    expect(idsOf(board)).toEqual(['1-0']);
    board.letGo(row);
    expect(state[0]).toBe(-(2 ** 31));
    expect(idsOf(board)).toEqual([]);
    board.hold(0, lease(2), FOR_EVER);
    expect(idsOf(board)).toEqual(['2-0']);
  });

  it('says when this process was last well, by a clock that every thread shares', () => {
    const board = new LeaseBoard(QUEUES, 1);
    const before = sharedMs();
    board.beat();

    expect(board.lastBeat).toBeGreaterThanOrEqual(before);
    expect(board.lastBeat).toBeLessThanOrEqual(sharedMs());
    expect(Math.abs(performance.now() + board.offsetMs - sharedMs())).toBeLessThan(50);
  });

  it('is the same board to whoever has its memory, who needs no rows for that', () => {
    const board = new LeaseBoard(QUEUES, 4);
    const other = new LeaseBoard(QUEUES, 0, board.memory);
    board.hold(1, lease(7), FOR_EVER);
    board.beat();
    other.renewed(board.lastBeat + 0.5);

    expect(other.rows).toBe(4);
    expect(other.held(0)).toEqual([{ queue: 'mail', ...lease(7) }]);
    expect(other.lastBeat).toBe(board.lastBeat);
    expect(board.lastRenewal).toBe(board.lastBeat + 0.5);
    expect(other.hold(0, lease(8), FOR_EVER)).toBe(-1);
  });
});

describe('a row that changes while it is read', () => {
  /** A second board on the same memory that calls `meanwhile` in the middle of reading a row. */
  function slowReader(board: LeaseBoard, meanwhile: () => void): LeaseBoard {
    const reader = new LeaseBoard(QUEUES, 0, board.memory);
    const bytes = new Uint8Array(board.memory);
    const slice = (from: number, to: number): Uint8Array => {
      const copy = bytes.slice(from, to);
      meanwhile();
      return copy;
    };
    Object.defineProperty(reader, 'bytes', { value: { slice } });
    return reader;
  }

  it('is left out, since it would be half of two leases', () => {
    const board = new LeaseBoard(QUEUES, 1);
    let row = board.hold(0, lease(1), FOR_EVER);
    const reader = slowReader(board, () => {
      board.letGo(row);
      row = board.hold(1, lease(2, { delivery: 9 }), FOR_EVER);
    });

    expect(reader.held(0)).toEqual([]);
    expect(idsOf(board)).toEqual(['2-0']);
  });

  it('is left out, too, when it was let go', () => {
    const board = new LeaseBoard(QUEUES, 1);
    const row = board.hold(0, lease(1), FOR_EVER);

    expect(slowReader(board, () => board.letGo(row)).held(0)).toEqual([]);
  });
});

describe('another thread', () => {
  const threads: Worker[] = [];
  afterEach(async () => {
    await Promise.all(threads.splice(0).map((thread) => thread.terminate()));
  });

  /** The board as the thread gets it: this file's own source, since a thread does not load TypeScript. */
  const source = ['../contract/lane.ts', './lease-guard.ts']
    .map((path) => readFileSync(new URL(path, import.meta.url), 'utf8'))
    .map((text) => ts.transpile(text, { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext }))
    .map((text) => text.replace(/^import .*$/gm, '').replace(/^export /gm, ''))
    .join('\n');

  /** Runs code in a thread, where `board` is over this one's memory; `answer` is resolved with what it posts. */
  function run<T>(
    board: LeaseBoard,
    code: string,
    more: object = {},
  ): { started: Promise<void>; answer: Promise<T> } {
    const text = `
      const { parentPort, workerData } = require('node:worker_threads');
      ${source}
      const board = new LeaseBoard(workerData.queues, 0, workerData.memory);
      ${code}`;
    const workerData = { queues: board.queues, memory: board.memory, ...more };
    const thread = new Worker(text, { eval: true, workerData });
    threads.push(thread);
    const failed = new Promise<never>((_, reject) => thread.once('error', reject));
    failed.catch(() => undefined);
    const posted = (): Promise<unknown> => new Promise((resolve) => thread.once('message', resolve));
    const started = Promise.race([failed, posted()]).then(() => undefined);
    return { started, answer: started.then(() => Promise.race([failed, posted()])) as Promise<T> };
  }

  it('reads leases and beats, and has the same clock', async () => {
    const board = new LeaseBoard(QUEUES, 4);
    board.hold(0, lease(1), FOR_EVER);
    board.hold(1, lease(2, { lane: 'low', delivery: 3 }), FOR_EVER);
    board.letGo(board.hold(1, lease(3), FOR_EVER));
    board.beat();
    const before = sharedMs();
    const { answer } = run<{ held: unknown; lastBeat: number; now: number }>(
      board,
      `parentPort.postMessage('started');
      parentPort.postMessage({ held: board.held(0), lastBeat: board.lastBeat, now: sharedMs() });`,
    );
    const { held, lastBeat, now } = await answer;

    expect(held).toEqual(board.held(0));
    expect(held).toHaveLength(2);
    expect(lastBeat).toBe(board.lastBeat);
    expect(now).toBeGreaterThan(before);
    expect(now).toBeLessThan(sharedMs());
  });

  it('sees whole leases only, however fast they come and go while this thread never rests', async () => {
    const board = new LeaseBoard(QUEUES, 16);
    const over = new Int32Array(new SharedArrayBuffer(4));
    const { started, answer } = run<{ looks: number; seen: number; torn: unknown[] }>(
      board,
      `let looks = 0, seen = 0;
      const torn = [];
      parentPort.postMessage('started');
      while (Atomics.load(workerData.over, 0) === 0) {
        looks += 1;
        for (const held of board.held(0)) {
          seen += 1;
          const n = held.delivery;
          const whole = held.entryId === n + '-' + 'x'.repeat(n % 20)
            && held.queue === workerData.queues[n % 2] && held.lane === LANES[n % 3];
          if (!whole && torn.length < 5) torn.push(held);
        }
      }
      parentPort.postMessage({ looks, seen, torn });`,
      { over },
    );
    await started;
    const rows: number[] = [];
    let n = 0;
    // Without a rest, as a handler that computes: nothing of this loop gives way to the event loop.
    for (const until = performance.now() + 400; performance.now() < until;) {
      for (let i = 0; i < 100; i += 1) {
        n += 1;
        const entryId = `${n}-${'x'.repeat(n % 20)}`;
        rows.push(board.hold(n % 2, { lane: LANES[n % 3]!, entryId, delivery: n }, FOR_EVER));
        if (rows.length > 8) board.letGo(rows.shift()!);
      }
    }
    Atomics.store(over, 0, 1);
    const { looks, seen, torn } = await answer;

    expect(torn).toEqual([]);
    expect(looks).toBeGreaterThan(10);
    expect(seen).toBeGreaterThan(10);
  });
});
