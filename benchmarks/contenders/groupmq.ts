import type { BenchPayload } from '../payload.js';
import type { Contender, Handler, Site } from './contender.js';
import { loadForeign } from './foreign.js';

/** What is used of the package. */
interface GroupMq {
  readonly Queue: new (options: object) => GroupQueue;
  readonly Worker: new (options: object) => { on(event: 'error', listener: (error: unknown) => void): void };
}
interface GroupQueue {
  add(job: {
    readonly groupId: string;
    readonly data: BenchPayload;
    readonly runAt?: number;
  }): Promise<unknown>;
  getJobCounts(): Promise<Readonly<Record<'active' | 'waiting', number>>>;
}
interface Client {
  ping(): Promise<string>;
  on(event: 'error', listener: (error: Error) => void): void;
}

/** Tasks of one call at most. */
const LARGEST_BATCH = 1000;

/** https://github.com/Openpanel-dev/groupmq, version 1.1. */
export const groupmq: Contender = {
  name: 'groupmq',
  foreign: true,
  settings:
    'as many groups as slots: a group runs one task at a time, and a slot that stays with its group takes the next task ' +
    'with the outcome of the last; `keepCompleted: 0`, `orderingDelayMs: 0`, `concurrency` = slots, and `autoBatch` ' +
    '(1 ms, as many as there are callers, at most 1000) where several callers enqueue; where tasks are delayed, a ' +
    'group for each, since a group would start those behind a task that is due before their time, and the fastest scheduler that its documents name (10 ms, with a lock of 50 ms)',
  pace: { enqueue: { one: 6000, many: 20_000 }, process: { one: 3000, many: 15_000 } },
  open: async (site) => {
    const queues = site.queues.map((name) => openQueue(site, name, site.callers > 1 ? site.callers : 0));
    const queue = queues[0]!;
    // Another batch size needs another queue object; it is there only where it is used.
    let many: GroupQueue | undefined;
    // A group runs in order: a task that is due would draw those behind it along before their time.
    const groups = site.delays ? Number.POSITIVE_INFINITY : site.slots;
    const job = (data: BenchPayload) => ({ groupId: `g${data.n % groups}`, data });
    return {
      enqueue: (payload) => queue.add(job(payload)),
      enqueueMany: (payloads) => {
        many ??= openQueue(site, site.queues[0]!, payloads.length);
        const all = many;
        return Promise.all(payloads.map((payload) => all.add(job(payload))));
      },
      enqueueAt: (payload, runAt) => queue.add({ ...job(payload), runAt }),
      work: async (handler) => {
        for (const each of queues) startWorker(site, each, handler);
      },
      left: async () => {
        // Those that are delayed are counted as waiting, too.
        const { active, waiting } = await queue.getJobCounts();
        return active + waiting;
      },
    };
  },
};

function openQueue(site: Site, namespace: string, batch: number): GroupQueue {
  const { Queue } = loadForeign('groupmq') as GroupMq;
  return new Queue({
    redis: connect(site),
    namespace,
    keepCompleted: 0,
    maxAttempts: site.attempts,
    ...(batch > 0 && { autoBatch: { size: Math.min(batch, LARGEST_BATCH), maxWaitMs: 1 } }),
    ...(site.delays && { schedulerLockTtlMs: 50 }),
  });
}

function startWorker({ slots, delays }: Site, queue: GroupQueue, handler: Handler): void {
  const { Worker } = loadForeign('groupmq') as GroupMq;
  const worker = new Worker({
    queue,
    concurrency: slots,
    handler: ({ data }: { readonly data: BenchPayload }) => handler(data),
    ...(delays && { schedulerIntervalMs: 10 }),
  });
  worker.on('error', (error) => console.error(error));
}

function connect({ host, port }: Site): Client {
  const { Redis } = loadForeign('ioredis') as { Redis: new (options: object) => Client };
  const client = new Redis({ host, port, maxRetriesPerRequest: null });
  client.on('error', (error) => console.error(error));
  return client;
}
