import {
  ConfigurationError,
  type EngineOptions,
  HandlerRegistry,
  TaskQueue,
  type TaskWorker,
} from '@taskq/core';
import { MemoryBroker, MemoryStore, waitFor } from '@taskq/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

// How many partitions a queue has is a matter of every process: one that believes otherwise must not put tasks where
// nobody looks. A process here is an engine over a broker of its own; they meet in one store.
let store: MemoryStore;
let engines: TaskQueue<MemoryBroker>[];
let workers: TaskWorker[];

beforeEach(() => {
  [store, engines, workers] = [new MemoryStore(), [], []];
});
afterEach(async () => {
  for (const worker of workers)
    if (worker.status().state === 'running') await worker.stop({ drainTimeoutMs: 0 });
  for (const engine of engines) await engine.close();
});

function open(partitions: number, options: EngineOptions = {}): TaskQueue<MemoryBroker> {
  const engine = TaskQueue.over(new MemoryBroker({ store }), {
    queues: { orders: { partitions, concurrency: 12 } },
    ...options,
  });
  engines.push(engine);
  return engine;
}

async function work(
  engine: TaskQueue<MemoryBroker>,
  run: () => unknown = () => undefined,
): Promise<TaskWorker> {
  const registry = new HandlerRegistry();
  registry.add({ type: 'a', run, where: 'test', options: { queue: 'orders' } });
  const worker = engine.createWorker(registry);
  workers.push(worker);
  await worker.start();
  return worker;
}

const enqueue = (engine: TaskQueue<MemoryBroker>, partitionKey = 'k') =>
  engine.producer.enqueue('a', 1, { queue: 'orders', partitionKey });

async function untilEmpty(engine: TaskQueue<MemoryBroker>): Promise<void> {
  const empty = async () => {
    const { ready, active } = await engine.inspector.counts('orders');
    return ready.normal + active === 0;
  };
  await waitFor(empty, { what: 'the queue to be empty', timeoutMs: 5000 });
}

/** Keys that lie in different parts, however many there are. */
const KEYS = 'a b c d e f g h i j k l m n o p'.split(' ');

const refused = async (call: Promise<unknown>): Promise<ConfigurationError> => {
  const error = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(ConfigurationError);
  return error as ConfigurationError;
};

describe('another number of partitions', () => {
  it.each([
    [1, 3],
    [3, 1],
    [3, 2],
    [2, 5],
  ])(
    'is refused while there are tasks (%i, then %i), with what to do, and nothing is lost',
    async (before, after) => {
      const old = open(before);
      await enqueue(old);

      for (const call of [enqueue(open(after)), work(open(after))]) {
        const { message } = await refused(call);
        expect(message).toContain(`partitions is ${after} here`);
        expect(message).toContain(`set queues.orders.partitions to ${before} in every process`);
      }

      await work(old);
      await untilEmpty(old);
    },
  );

  it('is refused while there are dead letters', async () => {
    const old = open(3);
    await work(old, () => Promise.reject(new Error('no')));
    await old.producer.enqueue('a', 1, { queue: 'orders', maxAttempts: 1 });
    await waitFor(async () => (await old.inspector.counts('orders')).dead === 1, { what: 'a dead letter' });

    await refused(enqueue(open(1)));

    expect((await old.inspector.counts('orders')).dead).toBe(1);
  });

  it.each([
    [1, 3],
    [3, 1],
    [5, 2],
  ])('is taken when the queue is empty (%i, then %i)', async (before, after) => {
    const old = open(before);
    const worker = await work(old);
    await enqueue(old);
    await untilEmpty(old);
    await worker.stop();

    const anew = open(after);
    await work(anew);
    await enqueue(anew);
    await untilEmpty(anew);
    expect((await anew.inspector.counts('orders')).dead).toBe(0);

    // From now on it is the former number that is refused.
    await anew.producer.enqueue('a', 1, { queue: 'orders', delay: '1h' });
    await refused(enqueue(open(before)));
    expect((await enqueue(open(after))).status).toBe('accepted');
  });

  it.each([
    [1, 3],
    [3, 1],
    [5, 2],
  ])(
    'closes what was there before: a process that still believes in it is refused, and told why (%i, then %i)',
    async (before, after) => {
      const old = open(before);
      await enqueue(old);
      const worker = await work(old);
      await untilEmpty(old);
      await worker.stop();
      const anew = open(after);
      await enqueue(anew);

      // Keys of each part, as the old process sees them.
      const outcomes = await Promise.allSettled(KEYS.map((key) => enqueue(old, key)));
      const reasons = outcomes.map((outcome) => outcome.status === 'rejected' && String(outcome.reason));
      for (const reason of reasons) expect(reason).toMatch(/LAYOUT|partitions is/);
      await refused(enqueue(old));

      expect((await anew.inspector.counts('orders')).ready.normal).toBe(1);
    },
  );

  it('disturbs nobody where it is refused', async () => {
    const live = open(3);
    // The last part holds something, and those before it do not.
    const [, , last] = live.inspector.partitions('orders');
    const keys: string[] = [];
    for (const key of KEYS) {
      await enqueue(live, key);
      if ((await live.inspector.counts(last!)).ready.normal > keys.length) keys.push(key);
    }
    const worker = await work(live);
    await untilEmpty(live);
    await worker.stop();
    await enqueue(live, keys[0]);
    for (const partitions of [1, 2, 5]) await refused(enqueue(open(partitions)));

    for (const key of KEYS) expect((await enqueue(live, key)).status).toBe('accepted');
  });
});

describe('names of partitions', () => {
  it('are not for others to use', async () => {
    const engine = open(3);
    const { message } = await refused(engine.producer.enqueue('a', 1, { queue: 'orders.1.1' }));
    expect(message).toContain('is a partition of "orders"');
    expect(() => engine.declareQueue('orders.2.1', {})).toThrow(ConfigurationError);
    expect(() => open(3, { queues: { orders: { partitions: 3 }, 'orders.1.1': {} } })).toThrow(
      /orders\.1\.1/,
    );
  });

  it('must be names: a queue with partitions has a shorter one', () => {
    const queues = { ['q'.repeat(63)]: { partitions: 2 } };
    expect(() => open(1, { queues })).toThrow(/shorter name/);
  });

  it('need slots: fewer than partitions are refused', () => {
    expect(() => open(1, { queues: { orders: { partitions: 3, concurrency: 2 } } })).toThrow(
      /queues\.orders\.concurrency \(2\) must be at least its partitions \(3\)/,
    );
  });
});
