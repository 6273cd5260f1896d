import { describe, expect, it } from 'vitest';
import { LeaseBoard } from '../broker/lease-guard.js';
import { LeaseUnprovenError } from '../contract/errors.js';
import type { TaskMessage } from '../contract/task-message.js';
import { resolveEngineOptions, type WorkerOptions } from '../policy/engine-options.js';
import { TASK_DEFAULTS } from '../policy/task-options.js';
import { silentLogger } from '../runtime/logger.js';
import { type TaskEventMap, TaskEvents } from '../telemetry/task-events.js';
import { Execution } from './execution.js';
import { LeaseWatch } from './lease-watch.js';
import type { QueueRunner } from './queue-runner.js';

const LEASE_MS = 10_000;
/** A lease counts as proven for nine tenths. */
const PROVEN_MS = 9_000;
const EVERY_MS = 2_000;

/** A watch over two queues whose handlers are those that the test puts there. */
class Bench {
  nowMs = 100_000;
  readonly told: TaskEventMap['task.unproven'][] = [];
  readonly board = new LeaseBoard(['orders', 'mail'], 4);
  readonly running: Record<'orders' | 'mail', Execution[]> = { orders: [], mail: [] };
  /** How often the handlers of a queue were looked at. */
  looks = 0;
  readonly orders = this.runner('orders');
  readonly mail = this.runner('mail');
  readonly watch: LeaseWatch;

  constructor(worker: WorkerOptions = {}) {
    const events = new TaskEvents();
    events.on('task.unproven', (event) => void this.told.push(event));
    const options = resolveEngineOptions({ worker: { lease: LEASE_MS, ...worker } });
    this.watch = new LeaseWatch(
      [this.orders, this.mail],
      this.board,
      { events, options },
      {
        name: 'watch',
        everyMs: EVERY_MS,
        clock: { monotonicMs: () => this.nowMs, wallMs: () => 0, after: () => () => undefined },
        logger: silentLogger,
        random: () => 0.5,
      },
    );
  }

  /** A handler that begins now, with a row on the board unless told otherwise. */
  start(queue: 'orders' | 'mail' = 'orders', row = 0): Execution {
    const id = `${queue}-${this.running[queue].length}`;
    const delivery = { queue, lane: 'normal', entryId: '1-0', delivery: 1, era: 0, fields: [] } as const;
    const message: TaskMessage = { id, type: 'job', payload: '1', attempt: 1, enqueuedAt: 0, meta: {} };
    const execution = new Execution(delivery, message, TASK_DEFAULTS, this.nowMs, { queue, worker: 'w' });
    execution.row = row;
    this.running[queue].push(execution);
    return execution;
  }

  /** The guard has renewed, so long ago. */
  guarded(agoMs: number): void {
    this.board.renewed(this.nowMs - agoMs + this.board.offsetMs);
  }

  /** Time passes, and then the watch looks; answers when it comes again. */
  after(ms: number): Promise<number> {
    this.nowMs += ms;
    return this.watch.runOnce();
  }

  private runner(queue: 'orders' | 'mail'): QueueRunner {
    const undecided = (): readonly Execution[] => {
      this.looks += 1;
      return this.running[queue];
    };
    return { queue, undecided } as unknown as QueueRunner;
  }
}

describe('a lease', () => {
  it('is proven for nine tenths after the start of its handler, and no longer', async () => {
    const bench = new Bench();
    bench.start();

    await bench.after(PROVEN_MS - 1);
    expect(bench.told).toEqual([]);
    await bench.after(1);
    expect(bench.told).toEqual([
      { queue: 'orders', type: 'job', id: 'orders-0', attempt: 1, silentMs: PROVEN_MS },
    ]);
  });

  it('is proven for nine tenths after its last renewal was sent, whenever the answer came', async () => {
    const bench = new Bench();
    bench.start();
    const sentAt = bench.nowMs + 5_000;
    bench.nowMs += 7_000;
    bench.watch.renewed(bench.orders, sentAt);

    await bench.after(sentAt + PROVEN_MS - 1 - bench.nowMs);
    expect(bench.told).toEqual([]);
    await bench.after(51);
    expect(bench.told).toMatchObject([{ silentMs: PROVEN_MS + 50 }]);
  });

  it('that began after the last renewal is proven from its own begin', async () => {
    const bench = new Bench();
    bench.start();
    bench.watch.renewed(bench.orders, bench.nowMs);
    bench.nowMs += 4_000;
    bench.start();

    await bench.after(PROVEN_MS - 4_000);
    expect(bench.told.map(({ id }) => id)).toEqual(['orders-0']);
    await bench.after(4_000);
    expect(bench.told.map(({ id }) => id)).toEqual(['orders-0', 'orders-1']);
  });

  it('of one queue is not proven by a renewal of another', async () => {
    const bench = new Bench();
    bench.start('orders');
    bench.start('mail');
    bench.watch.renewed(bench.mail, bench.nowMs + 5_000);

    await bench.after(PROVEN_MS);
    expect(bench.told.map(({ id }) => id)).toEqual(['orders-0']);
  });

  it('is proven by what the guard renewed, if it is on the board', async () => {
    const bench = new Bench();
    bench.start();
    bench.start('orders', -1);
    bench.nowMs += 3 * LEASE_MS;
    bench.guarded(PROVEN_MS - 1);

    await bench.after(0);
    expect(bench.told).toMatchObject([{ id: 'orders-1', silentMs: 3 * LEASE_MS }]);
    await bench.after(1);
    expect(bench.told.map(({ id }) => id)).toEqual(['orders-1', 'orders-0']);
  });
});

describe('a handler whose lease is not proven any more', () => {
  it('is told of once, though its lease is renewed and silent again', async () => {
    const bench = new Bench();
    bench.start();
    await bench.after(PROVEN_MS);
    await bench.after(EVERY_MS);
    bench.watch.renewed(bench.orders, bench.nowMs);
    await bench.after(2 * LEASE_MS);

    expect(bench.told).toHaveLength(1);
  });

  it('goes on, unless the worker is to abort it', async () => {
    const bench = new Bench();
    const { context } = bench.start();
    await bench.after(PROVEN_MS);

    expect(bench.told).toHaveLength(1);
    expect(context.signal.aborted).toBe(false);
  });

  it('is aborted, if the worker is to do that, before the event is told', async () => {
    const bench = new Bench({ whenUnproven: 'abort' });
    const { context } = bench.start();
    let heardAfter = -1;
    context.signal.addEventListener('abort', () => (heardAfter = bench.told.length));
    await bench.after(PROVEN_MS);

    expect(context.signal.reason).toBeInstanceOf(LeaseUnprovenError);
    expect(context.signal.reason).toMatchObject({ message: expect.stringContaining('9000 ms') as string });
    expect(heardAfter).toBe(0);
    expect(bench.told).toHaveLength(1);
  });
});

describe('the watch', () => {
  it('comes when the next lease runs out, and else after the usual time', async () => {
    const bench = new Bench();
    expect(await bench.after(0)).toBe(EVERY_MS);
    bench.start();
    expect(await bench.after(PROVEN_MS - EVERY_MS)).toBe(EVERY_MS);
    expect(await bench.after(500)).toBe(EVERY_MS - 500);
    bench.start();
    expect(await bench.after(EVERY_MS - 500)).toBe(EVERY_MS);
    expect(bench.told).toHaveLength(1);
  });

  it('looks at no handler while the last renewal is young, and comes when it is not', async () => {
    const bench = new Bench();
    bench.start();
    for (const runner of [bench.orders, bench.mail]) bench.watch.renewed(runner, bench.nowMs);

    expect(await bench.after(PROVEN_MS - 300)).toBe(300);
    expect(bench.looks).toBe(0);
    await bench.after(300);
    expect(bench.looks).toBe(2);
  });
});
