import type { BenchPayload } from '../payload.js';
import type { Contender, Handler, Rig, Site } from './contender.js';
import { loadForeign } from './foreign.js';

/** What is used of the package. */
interface BullMq {
  readonly Queue: new (name: string, options: object) => BullQueue;
  readonly Worker: new (
    name: string,
    run: (job: { readonly data: BenchPayload }) => Promise<void>,
    options: object,
  ) => {
    on(event: 'error' | 'failed', listener: (...args: unknown[]) => void): void;
    waitUntilReady(): Promise<unknown>;
  };
}
interface BullQueue {
  waitUntilReady(): Promise<unknown>;
  add(name: string, data: BenchPayload, options?: { readonly delay: number }): Promise<unknown>;
  addBulk(jobs: readonly { readonly name: string; readonly data: BenchPayload }[]): Promise<unknown>;
  getJobCounts(...states: readonly string[]): Promise<Record<string, number>>;
}
type Client = { ping(): Promise<string> };

const NAME = 'bench';

/** https://docs.bullmq.io, version 6. */
export const bullmq: Contender = {
  name: 'bullmq',
  foreign: true,
  settings:
    'one ioredis connection shared by queues and workers (`maxRetriesPerRequest: null`, as it demands), one `Worker` per ' +
    'queue with `concurrency` = slots, `removeOnComplete` and `removeOnFail` (dead letters are kept where they are the ' +
    'case), retries without backoff, `addBulk` for many. No auto-pipelining: its documents do not ask for it, and it is not known to be safe there',
  pace: { enqueue: { one: 7000, many: 40_000 }, process: { one: 4000, many: 20_000 } },
  open: async (site) => {
    const { Queue, Worker } = loadForeign('bullmq') as BullMq;
    const connection = connect(site);
    const { attempts, keepFailed } = site;
    const defaultJobOptions = { removeOnComplete: true, removeOnFail: !keepFailed, attempts };
    const queues = site.queues.map((name) => new Queue(name, { connection, defaultJobOptions }));
    const queue = queues[0]!;
    await queue.waitUntilReady();
    return {
      ...rigOf(queue),
      roundTrip: () => connection.ping(),
      work: async (handler) => {
        for (const name of site.queues)
          await startWorker(Worker, name, { connection, concurrency: site.slots }, handler);
      },
    };
  },
};

function connect({ host, port }: Site): Client {
  const { Redis } = loadForeign('ioredis') as { Redis: new (options: object) => Client };
  return new Redis({ host, port, maxRetriesPerRequest: null });
}

function rigOf(queue: BullQueue): Omit<Rig, 'work'> {
  return {
    enqueue: (payload) => queue.add(NAME, payload),
    enqueueMany: (payloads) => queue.addBulk(payloads.map((data) => ({ name: NAME, data }))),
    enqueueAt: (payload, dueAt) => queue.add(NAME, payload, { delay: Math.max(0, dueAt - Date.now()) }),
    left: async () => {
      const counts = await queue.getJobCounts('wait', 'active', 'delayed', 'prioritized');
      return Object.values(counts).reduce((sum, count) => sum + count, 0);
    },
  };
}

async function startWorker(
  Worker: BullMq['Worker'],
  name: string,
  options: object,
  handler: Handler,
): Promise<void> {
  const worker = new Worker(name, ({ data }) => handler(data), options);
  worker.on('error', (error) => console.error(error));
  await worker.waitUntilReady();
}
