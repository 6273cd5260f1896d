import { defineTask, type EngineOptions, HandlerRegistry, type TaskEventName, TaskQueue } from '@taskq/core';
import type { BenchPayload } from '../payload.js';
import type { Contender, Rig, Site } from './contender.js';

const TYPE = 'bench.task';

/** Options of the engine that every taskq contender opens with. */
export function engineOptions({ host, port, queues, slots, attempts, partitions }: Site): EngineOptions {
  const address = `${host}:${port}`;
  // Only the bound is lifted that two million tasks would meet.
  const queue = { concurrency: slots, maxReady: 100_000_000, partitions: partitions ?? 1 };
  return {
    redis: {
      ...(partitions === undefined ? { addr: address } : { cluster: [address] }),
      persistence: 'ignore',
    },
    queues: Object.fromEntries(queues.map((name) => [name, queue])),
    tasks: { maxAttempts: attempts, backoff: { base: 0 } },
  };
}

const settings =
  'defaults, but for `concurrency` (the slots), `maxReady` (so that two million tasks fit) and `backoff.base: 0`';

/** How fast taskq is, roughly; with Nest around it, too. */
export const TASKQ_PACE = {
  enqueue: { one: 9000, many: 130_000 },
  process: { one: 60_000, many: 90_000 },
};

/** The engine alone. */
export const taskq: Contender = {
  name: 'taskq',
  foreign: false,
  settings: `\`@taskq/core\` without Nest; ${settings}`,
  pace: TASKQ_PACE,
  open: async (site) => rigOf(await TaskQueue.open(engineOptions(site)), site),
};

/** The engine with somebody who listens to everything that happens to a task. */
export const taskqListened: Contender = {
  name: 'taskq-listened',
  foreign: false,
  settings:
    'as `taskq`, with a listener on every event of a task that counts it and records its times in a histogram',
  pace: TASKQ_PACE,
  open: async (site) => {
    const engine = await TaskQueue.open(engineOptions(site));
    listen(engine);
    return rigOf(engine, site);
  },
};

function rigOf(engine: TaskQueue, { queues }: Site): Rig {
  const [queue = 'bench'] = queues;
  const contract = defineTask({ type: TYPE, queue });
  const { producer } = engine;
  return {
    enqueue: (payload) => producer.enqueue(contract, payload),
    enqueueMany: (payloads) =>
      producer.enqueueMany(
        contract,
        payloads.map((payload) => ({ payload })),
      ),
    enqueueAt: (payload, runAt) => producer.enqueue(contract, payload, { runAt }),
    work: async (handler) => {
      const registry = new HandlerRegistry();
      const run = (payload: BenchPayload): unknown => handler(payload);
      for (const name of queues)
        registry.add({ type: TYPE, options: { queue: name }, run, where: 'the benchmark' });
      await engine.createWorker(registry).start();
    },
    left: () => leftIn(engine.inspector, queue),
    roundTrip: () => engine.broker.client.ping(),
  };
}

/** Tasks of a queue that are not done. */
export async function leftIn(inspector: TaskQueue['inspector'], queue: string): Promise<number> {
  const { ready, active, scheduled } = await inspector.counts(queue);
  return ready.high + ready.normal + ready.low + active + scheduled;
}

const TASK_EVENTS = [
  'task.enqueued',
  'task.started',
  'task.completed',
  'task.retrying',
  'task.snoozed',
  'task.discarded',
  'task.dead',
  'task.unhandled',
  'task.released',
  'task.reclaimed',
  'task.stale',
  'task.unproven',
  'task.stuck',
] as const satisfies readonly TaskEventName[];

/** Upper ends, in milliseconds. */
const BUCKETS_MS = [1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000];

/** What an exporter of metrics does for each event: count by name, queue and type, and keep a distribution. */
function listen({ events }: TaskQueue): void {
  for (const name of TASK_EVENTS) {
    const queues = new Map<string, Map<string, Series>>();
    events.on(name, (event) => {
      const series = seriesOf(queues, event.queue, event.type);
      series.count += 1;
      if ('waitMs' in event && event.waitMs !== undefined) series.add(event.waitMs);
      if ('runMs' in event) series.add(event.runMs);
    });
  }
}

function seriesOf(queues: Map<string, Map<string, Series>>, queue: string, type: string): Series {
  let types = queues.get(queue);
  if (!types) queues.set(queue, (types = new Map()));
  let series = types.get(type);
  if (!series) types.set(type, (series = new Series()));
  return series;
}

/** A counter, and a histogram with the buckets that are usual for times. */
class Series {
  count = 0;
  private sum = 0;
  private readonly buckets = new Float64Array(BUCKETS_MS.length + 1);

  add(ms: number): void {
    let bucket = 0;
    while (bucket < BUCKETS_MS.length && ms > BUCKETS_MS[bucket]!) bucket += 1;
    this.buckets[bucket]! += 1;
    this.sum += ms;
  }
}
