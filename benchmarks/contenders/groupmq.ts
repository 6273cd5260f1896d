import type { BenchPayload } from '../payload.js';
import type { Contender, Site } from './contender.js';
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
  getJobCounts(): Promise<Readonly<Record<'active' | 'waiting' | 'delayed', number>>>;
}
interface Client {
  ping(): Promise<string>;
  on(event: 'error', listener: (error: Error) => void): void;
}

/** https://github.com/Openpanel-dev/groupmq, version 1.1. */
export const groupmq: Contender = {
  name: 'groupmq',
  foreign: true,
  settings:
    'as many groups as slots: a group runs one task at a time, and a slot that stays with its group takes the next task ' +
    'with the outcome of the last; `keepCompleted: 0`, `orderingDelayMs: 0`, `concurrency` = slots, and `autoBatch` ' +
    '(1 ms, up to 100, or 1000 for many) where several callers enqueue',
  pace: { enqueue: { one: 6000, many: 20_000 }, process: { one: 3000, many: 6000 } },
  open: async (site) => {
    const { Queue, Worker } = loadForeign('groupmq') as GroupMq;
    const open = (name: string, more: object) =>
      new Queue({
        redis: connect(site),
        namespace: name,
        keepCompleted: 0,
        maxAttempts: site.attempts,
        ...more,
      });
    const autoBatch =
      site.callers > 1 ? { autoBatch: { size: Math.min(site.callers, 100), maxWaitMs: 1 } } : {};
    const queues = site.queues.map((name) => open(name, autoBatch));
    const queue = queues[0]!;
    const many = open(site.queues[0]!, { autoBatch: { size: 1000, maxWaitMs: 1 } });
    const job = (data: BenchPayload) => ({ groupId: `g${data.n % site.slots}`, data });
    return {
      enqueue: (payload) => queue.add(job(payload)),
      enqueueMany: (payloads) => Promise.all(payloads.map((payload) => many.add(job(payload)))),
      enqueueAt: (payload, runAt) => queue.add({ ...job(payload), runAt }),
      work: async (handler) => {
        for (const each of queues) {
          const run = ({ data }: { readonly data: BenchPayload }): Promise<void> => handler(data);
          const worker = new Worker({ queue: each, concurrency: site.slots, handler: run });
          worker.on('error', (error) => console.error(error));
        }
      },
      left: async () => {
        const { active, waiting, delayed } = await queue.getJobCounts();
        return active + waiting + delayed;
      },
    };
  },
};

function connect({ host, port }: Site): Client {
  const { Redis } = loadForeign('ioredis') as { Redis: new (options: object) => Client };
  const client = new Redis({ host, port, maxRetriesPerRequest: null });
  client.on('error', (error) => console.error(error));
  return client;
}
