import {
  HandlerRegistry,
  type HandlerDefinition,
  type TaskEventName,
  TaskQueue,
  type TaskWorker,
} from '@taskq/core';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { VirtualClock } from '../virtual-clock.js';
import { MemoryBroker } from './memory-broker.js';
import { MemoryStore } from './memory-store.js';

// The whole engine over the memory broker: hours of its life in milliseconds.
const QUEUE = 'orders';
const MINUTE = 60_000;

let clock: VirtualClock;
let store: MemoryStore;
let open: { readonly engine: Process; readonly workers: TaskWorker[] }[];

type Process = TaskQueue<MemoryBroker>;

beforeEach(() => {
  clock = new VirtualClock();
  store = new MemoryStore({ clock, random: () => 0.5 });
  open = [];
});

afterEach(async () => {
  for (const { engine, workers } of open) {
    for (const worker of workers) await clock.until(worker.stop({ drainTimeoutMs: 0 }));
    await clock.until(engine.close());
  }
  if (clock.pending > 0) throw new Error(`the test left ${clock.pending} timers behind`);
});

/** A process of its own. */
function start(options: Parameters<typeof TaskQueue.over>[1] = {}): Process {
  const broker = new MemoryBroker({ store, clock });
  const engine = TaskQueue.over(broker, options, { clock, random: () => 0.5 });
  open.push({ engine, workers: [] });
  return engine;
}

type Handler = Pick<HandlerDefinition, 'run'> & { readonly options?: HandlerDefinition['options'] };

async function work(engine: Process, handlers: Readonly<Record<string, Handler>>): Promise<TaskWorker> {
  const registry = new HandlerRegistry();
  for (const [type, { run, options }] of Object.entries(handlers))
    registry.add({ type, run, where: 'spec', options: { queue: QUEUE, ...options } });
  const worker = engine.createWorker(registry);
  open.find((each) => each.engine === engine)!.workers.push(worker);
  await clock.until(worker.start());
  await clock.advance(0);
  return worker;
}

function counted(engine: Process, ...names: readonly TaskEventName[]): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const name of names) {
    counts[name] = 0;
    engine.events.on(name, () => (counts[name]! += 1));
  }
  return counts;
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => clock.after(ms, resolve));

describe('the engine in memory', () => {
  it('runs a task at once, and one with a delay to the millisecond', async () => {
    const engine = start();
    const ran: [unknown, number][] = [];
    await work(engine, { note: { run: (payload) => ran.push([payload, clock.monotonicMs()]) } });
    const since = clock.monotonicMs();
    await clock.until(engine.producer.enqueue('note', 'now', { queue: QUEUE }));
    await clock.until(engine.producer.enqueue('note', 'later', { queue: QUEUE, delay: '2h' }));
    await clock.advance(0);
    expect(ran).toEqual([['now', since]]);

    await clock.advance(120 * MINUTE - 1);
    expect(ran).toHaveLength(1);
    await clock.advance(1);
    expect(ran[1]).toEqual(['later', since + 120 * MINUTE]);
  });

  it('retries with growing pauses, then buries the task; replayed it runs again', async () => {
    const engine = start();
    const at: number[] = [];
    let works = false;
    const run = (): void => {
      at.push(clock.monotonicMs());
      if (!works) throw new Error('as asked');
    };
    const backoff = { base: 10_000, factor: 2, max: '1h' } as const;
    await work(engine, { flaky: { run, options: { maxAttempts: 4, backoff } } });
    const { id } = await clock.until(engine.producer.enqueue('flaky', null, { queue: QUEUE }));
    await clock.advance(10 * MINUTE);

    const pauses = at.slice(1).map((ms, i) => ms - at[i]!);
    expect(pauses).toHaveLength(3);
    for (const [i, pause] of pauses.entries()) {
      expect(pause).toBeGreaterThan(0);
      expect(pause).toBeLessThanOrEqual(10_000 * 2 ** i);
    }
    expect(await engine.inspector.find(QUEUE, id)).toMatchObject({ state: 'dead', attempt: 4 });

    works = true;
    expect(await engine.inspector.replay(QUEUE, id)).toBe(true);
    await clock.advance(0);
    expect(at).toHaveLength(5);
    expect(await engine.inspector.find(QUEUE, id)).toBeUndefined();
  });

  it('gives the task of a process that died to another when its lease is over, and not before', async () => {
    const [dies, lives] = [start(), start()];
    const fences: number[] = [];
    const hang = (): Promise<void> => new Promise(() => {});
    await work(dies, { job: { run: (_payload, { fence }) => (fences.push(fence), hang()) } });
    await clock.until(lives.producer.enqueue('job', null, { queue: QUEUE }));
    await clock.advance(2 * MINUTE);
    expect(fences).toEqual([1]);

    dies.broker.disconnect();
    const died = clock.monotonicMs();
    const counts = counted(lives, 'task.reclaimed', 'task.completed');
    const ran: number[] = [];
    await work(lives, {
      job: { run: (_payload, { fence }) => (fences.push(fence), ran.push(clock.monotonicMs())) },
    });
    await clock.advance(10 * MINUTE);

    const { leaseMs } = lives.options.worker;
    expect(fences).toEqual([1, 2]);
    expect(ran[0]! - died).toBeGreaterThan(leaseMs / 2);
    expect(ran[0]! - died).toBeLessThan(leaseMs * 1.5);
    expect(counts).toEqual({ 'task.reclaimed': 1, 'task.completed': 1 });
  });

  it('leaves leases that are over alone at its start: their owner may be about to find the way back', async () => {
    const [lives, starts] = [start(), start()];
    let runs = 0;
    const job: Handler = { run: () => ((runs += 1), sleep(5 * MINUTE)), options: { timeout: '1h' } };
    await work(lives, { job });
    await clock.until(starts.producer.enqueue('job', null, { queue: QUEUE }));
    await clock.advance(MINUTE);
    lives.broker.disconnect();
    await clock.advance(MINUTE);
    await work(starts, { job });
    await clock.advance(4_000);
    lives.broker.reconnect();
    await clock.advance(10 * MINUTE);

    expect(runs).toBe(1);
  });

  it('takes nothing over when the clock of the store is set forward, or back and forward', async () => {
    const [first, second] = [start(), start()];
    let runs = 0;
    const job: Handler = { run: () => ((runs += 1), sleep(30 * MINUTE)), options: { timeout: '2h' } };
    await work(first, { job });
    await work(second, { job });
    await clock.until(first.producer.enqueue('job', null, { queue: QUEUE }));
    for (const step of [60, -60, 60].map((minutes) => minutes * MINUTE)) {
      await clock.advance(MINUTE + 137);
      store.stepTime(step);
    }
    await clock.advance(60 * MINUTE);

    expect(runs).toBe(1);
  });

  it('keeps a lease for as long as the process lives', async () => {
    const [first, second] = [start(), start()];
    let runs = 0;
    const job: Handler = { run: () => ((runs += 1), sleep(50 * MINUTE)), options: { timeout: '1h' } };
    await work(first, { job });
    await work(second, { job });
    await clock.until(first.producer.enqueue('job', null, { queue: QUEUE }));
    await clock.advance(60 * MINUTE);

    expect(runs).toBe(1);
    expect(await first.inspector.counts(QUEUE)).toMatchObject({ active: 0, dead: 0 });
  });

  it('hands a task back when a worker stops, and a peer starts it at once', async () => {
    const [first, second] = [start(), start()];
    const runs: string[] = [];
    const job = (name: string): Handler => ({
      run: () => (runs.push(name), name === 'first' ? new Promise<void>(() => {}) : sleep(1_000)),
    });
    const worker = await work(first, { job: job('first') });
    await clock.until(first.producer.enqueue('job', null, { queue: QUEUE }));
    await clock.advance(0);
    await work(second, { job: job('second') });

    const report = await clock.until(worker.stop({ drainTimeoutMs: 5_000 }));
    await clock.advance(0);

    expect(report).toMatchObject({ released: 1 });
    expect(runs).toEqual(['first', 'second']);
    await clock.advance(2_000);
    expect(await second.inspector.counts(QUEUE)).toMatchObject({ active: 0, consumers: 1 });
  });

  it('makes its groups anew when they are gone, and goes on', async () => {
    const engine = start();
    let runs = 0;
    await work(engine, { job: { run: () => (runs += 1) } });
    const counts = counted(engine, 'queue.recreated');
    store.dropGroup(QUEUE);
    await clock.advance(1_000);
    await clock.until(engine.producer.enqueue('job', null, { queue: QUEUE }));
    await clock.advance(1_000);

    expect(runs).toBe(1);
    expect(counts['queue.recreated']).toBe(1);
  });

  it('notices that the store went back, and offers again what was accepted since', async () => {
    const engine = start();
    const later = (payload: number) =>
      clock.until(engine.producer.enqueue('job', payload, { queue: QUEUE, delay: '1h' }));
    await later(1);
    const before = store.snapshot();
    await later(2);
    const losses: unknown[] = [];
    engine.events.on('data.lost', (loss) => losses.push(loss));
    store.restore(before);
    engine.broker.disconnect();
    await clock.advance(1_000);
    engine.broker.reconnect(true);
    await clock.advance(1_000);
    await later(3);
    await clock.advance(5_000);

    expect(losses).toMatchObject([{ queue: QUEUE, how: 'rolled-back', seenBy: 'producer', reoffered: 1 }]);
    expect(await engine.inspector.counts(QUEUE)).toMatchObject({ scheduled: 3 });
  });

  it('gives a lost task that is offered again a greater fence, though all eras are lost with it', async () => {
    const engine = start();
    const fences: number[] = [];
    let finish = (): void => undefined;
    const run = (_: unknown, { fence }: { readonly fence: number }): Promise<void> | undefined => {
      fences.push(fence);
      return fences.length === 1 ? new Promise((resolve) => (finish = resolve)) : undefined;
    };
    await work(engine, { job: { run } });
    store.dropGroup(QUEUE);
    await clock.advance(1_000);
    await clock.until(engine.producer.enqueue('job', null, { queue: QUEUE }));
    await clock.advance(10);
    expect(fences[0]).toBeGreaterThan(1_000_000);

    engine.broker.disconnect();
    store.flush();
    engine.broker.reconnect(true);
    await clock.advance(30_000);
    finish();
    await clock.advance(10);

    expect(fences).toHaveLength(2);
    expect(fences[1]).toBeGreaterThan(fences[0]!);
  });

  it('announces a loss once, and keeps all that was found of it', async () => {
    const engine = start();
    const counts = counted(engine, 'data.lost', 'data.lost.more');
    await work(engine, { job: { run: () => undefined } });
    for (let i = 0; i < 3; i += 1) {
      await clock.until(engine.producer.enqueue('job', i, { queue: QUEUE }));
      await clock.advance(10);
    }
    engine.broker.disconnect();
    store.flush();
    await clock.advance(1_000);
    engine.broker.reconnect();
    await clock.advance(5_000);

    expect(counts).toEqual({ 'data.lost': 1, 'data.lost.more': 1 });
    const { last } = engine.losses;
    expect(last).toMatchObject({ loss: 1, queue: QUEUE, how: 'replaced', reoffered: 3 });
    expect(last!.ranges.map((range) => range.of).toSorted()).toEqual(['groups', 'normal']);

    store.flush();
    await clock.until(engine.producer.enqueue('job', 4, { queue: QUEUE }));
    await clock.advance(5_000);
    expect(counts['data.lost']).toBe(2);
    expect(engine.losses).toMatchObject({ count: 2, last: { loss: 2, how: 'deleted' } });
  });

  describe('stops', () => {
    it('at the very moment in which the last handler ends', async () => {
      const engine = start();
      const worker = await work(engine, { job: { run: () => sleep(123.5) } });
      await clock.until(engine.producer.enqueue('job', null, { queue: QUEUE }));
      await clock.advance(100);
      const before = clock.monotonicMs();
      await clock.until(worker.stop());

      expect(clock.monotonicMs() - before).toBe(23.5);
    });

    it('when a handler is stuck: what it does then is nobody’s business', async () => {
      const engine = start({ worker: { abortGrace: '1s' } });
      let end = (): void => undefined;
      const run = (): Promise<void> => new Promise((resolve) => (end = resolve));
      const worker = await work(engine, { job: { run, options: { timeout: '5s', maxAttempts: 1 } } });
      await clock.until(engine.producer.enqueue('job', null, { queue: QUEUE }));
      await clock.advance(10);
      const before = clock.monotonicMs();
      const report = await clock.until(worker.stop());

      expect(report).toMatchObject({ stuck: 1, released: 0 });
      expect(clock.monotonicMs() - before).toBeCloseTo(5_990, -1);
      end();
    });

    it('when a handler has lost its task, as soon as that is known', async () => {
      const engine = start({ worker: { lease: '15s', heartbeat: '5s' } });
      let end = (): void => undefined;
      const worker = await work(engine, {
        job: { run: () => new Promise<void>((resolve) => (end = resolve)) },
      });
      await clock.until(engine.producer.enqueue('job', null, { queue: QUEUE }));
      await clock.advance(10);
      const before = clock.monotonicMs();
      const stopping = worker.stop();
      store.dropGroup(QUEUE);
      const report = await clock.until(stopping);

      expect(report).toMatchObject({ stuck: 1, released: 0 });
      expect(clock.monotonicMs() - before).toBeLessThan(6_000);
      end();
    });

    it('sooner, when it is told so while it waits', async () => {
      const engine = start();
      const worker = await work(engine, { job: { run: () => sleep(MINUTE) } });
      await clock.until(engine.producer.enqueue('job', null, { queue: QUEUE }));
      await clock.advance(10);
      const before = clock.monotonicMs();
      const stopping = worker.stop();
      await clock.advance(1_000);
      void worker.stop({ drainTimeoutMs: 500 });
      await clock.until(stopping);

      // The drain, then as long as aborted handlers may take.
      expect(clock.monotonicMs() - before).toBe(6_500);
      await clock.advance(MINUTE);
    });
  });

  it('sees the same in every run', async () => {
    const runs: unknown[] = [];
    for (const _ of [1, 2]) {
      clock = new VirtualClock();
      store = new MemoryStore({ clock, random: () => 0.5 });
      const engine = start();
      const facts: unknown[] = [];
      const run = (payload: unknown): void => {
        facts.push([payload, clock.monotonicMs()]);
        if (facts.length % 3 === 0) throw new Error('as asked');
      };
      await work(engine, { job: { run, options: { maxAttempts: 3 } } });
      for (let i = 0; i < 10; i += 1) {
        await clock.until(
          engine.producer.enqueue('job', i, { queue: QUEUE, ...(i % 2 === 0 && { delay: i * 1_000 }) }),
        );
      }
      await clock.advance(60 * MINUTE);
      runs.push(facts);
      const { workers } = open.pop()!;
      await clock.until(workers[0]!.stop());
      await clock.until(engine.close());
    }

    expect(runs[0]).toEqual(runs[1]);
    expect((runs[0] as unknown[]).length).toBeGreaterThan(10);
  });
});
