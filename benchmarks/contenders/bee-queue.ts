import type { BenchPayload } from '../payload.js';
import type { Contender, Site } from './contender.js';
import { loadForeign } from './foreign.js';

/** What is used of the package. */
type BeeQueueClass = new (name: string, settings: object) => BeeQueue;
interface BeeQueue {
  ready(): Promise<unknown>;
  createJob(data: BenchPayload): BeeJob;
  saveAll(jobs: readonly BeeJob[]): Promise<ReadonlyMap<BeeJob, Error>>;
  process(concurrency: number, run: (job: { readonly data: BenchPayload }) => Promise<void>): void;
  checkHealth(): Promise<Readonly<Record<'waiting' | 'active' | 'delayed', number>>>;
  on(event: 'error', listener: (error: Error) => void): void;
  readonly client: { ping(done: (error: Error | null) => void): void };
}
interface BeeJob {
  save(): Promise<unknown>;
  delayUntil(time: number): BeeJob;
}

/** https://github.com/bee-queue/bee-queue, version 2. */
export const beeQueue: Contender = {
  name: 'bee-queue',
  foreign: true,
  settings:
    'one queue object that produces and works; `getEvents`, `sendEvents` and `storeJobs` off and `removeOnSuccess` and ' +
    '`removeOnFailure` on, as its documents advise where nobody waits for events; `activateDelayedJobs` and ' +
    '`delayedDebounce: 1` where tasks are delayed, or it would be late on purpose; `saveAll` for many',
  pace: { enqueue: { one: 9000, many: 60_000 }, process: { one: 5000, many: 25_000 } },
  open: async (site) => {
    const Queue = loadForeign('bee-queue') as BeeQueueClass;
    const queues = await Promise.all(site.queues.map((name) => ready(new Queue(name, settingsOf(site)))));
    const queue = queues[0]!;
    return {
      enqueue: (payload) => queue.createJob(payload).save(),
      enqueueMany: async (payloads) => {
        const errors = await queue.saveAll(payloads.map((payload) => queue.createJob(payload)));
        for (const error of errors.values()) throw error;
      },
      enqueueAt: (payload, dueAt) => queue.createJob(payload).delayUntil(dueAt).save(),
      work: async (handler) => {
        for (const each of queues) each.process(site.slots, ({ data }) => handler(data));
      },
      left: async () => {
        const { waiting, active, delayed } = await queue.checkHealth();
        return waiting + active + delayed;
      },
      roundTrip: () =>
        new Promise<void>((done, fail) => queue.client.ping((error) => (error ? fail(error) : done()))),
    };
  },
};

function settingsOf({ host, port, delays }: Site): object {
  return {
    redis: { host, port },
    getEvents: false,
    sendEvents: false,
    storeJobs: false,
    removeOnSuccess: true,
    removeOnFailure: true,
    ...(delays && { activateDelayedJobs: true, delayedDebounce: 1 }),
  };
}

async function ready(queue: BeeQueue): Promise<BeeQueue> {
  queue.on('error', (error) => console.error(error));
  await queue.ready();
  return queue;
}
