import { setImmediate as endOfTurn } from 'node:timers/promises';
import type { BenchPayload } from '../payload.js';
import { type ChainableCommander, Redis } from '../run/redis.js';
import type { Contender, Handler, Rig, Site } from './contender.js';

const GROUP = 'workers';
const WORKER = 'one';
/** Longest wait of a read when there is nothing. */
const BLOCK_MS = 2000;

/** What nothing built on streams and this Redis client can beat: the bare commands, without any promise kept. */
export const ceiling: Contender = {
  name: 'ceiling',
  foreign: false,
  settings:
    'no queue at all: bare ioredis on one stream. `XADD` of all callers of a turn in one pipeline; per round `XACK`, ' +
    '`XDEL` and the next `XREADGROUP` in one pipeline, with two rounds of half the slots in flight. No retries, no ' +
    'leases, no checks: a lower bound of the cost, not an alternative',
  pace: { enqueue: { one: 14_000, many: 200_000 }, process: { one: 9000, many: 150_000 } },
  open: async (site) => {
    const client = connect(site);
    const keys = site.queues.map((queue) => `ceiling:${queue}`);
    for (const key of keys) await client.xgroup('CREATE', key, GROUP, '0', 'MKSTREAM').catch(groupExists);
    return rigOf(client, keys, site);
  },
};

/** Every other process of the trial makes the group, too. */
function groupExists(error: Error): void {
  if (!error.message.startsWith('BUSYGROUP')) throw error;
}

function connect({ host, port }: Site): Redis {
  return new Redis({ host, port, maxRetriesPerRequest: null });
}

function rigOf(client: Redis, keys: readonly string[], site: Site): Rig {
  const key = keys[0]!;
  const turn = new Turn(client);
  return {
    enqueue: (payload) => turn.add(key, JSON.stringify(payload)),
    enqueueMany: async (payloads) => {
      const pipeline = client.pipeline();
      for (const payload of payloads) pipeline.xadd(key, '*', 'p', JSON.stringify(payload));
      await answersOf(pipeline);
    },
    work: async (handler) => {
      for (const each of keys) startWorker(site, each, handler);
    },
    left: () => client.xlen(key),
    roundTrip: () => client.ping(),
  };
}

/**
 * Sends what is added in one turn of the event loop in one pipeline, which all of its callers wait for: a promise for
 * each of them, or ioredis' own auto-pipelining, costs a tenth more.
 */
class Turn {
  private pipeline: ChainableCommander | undefined;
  private answered: Promise<unknown> = Promise.resolve();

  constructor(private readonly client: Redis) {}

  add(key: string, payload: string): Promise<unknown> {
    this.pipeline ??= this.begin();
    this.pipeline.xadd(key, '*', 'p', payload);
    return this.answered;
  }

  private begin(): ChainableCommander {
    const pipeline = this.client.pipeline();
    this.answered = this.send(pipeline);
    return pipeline;
  }

  private async send(pipeline: ChainableCommander): Promise<unknown> {
    await endOfTurn();
    this.pipeline = undefined;
    return answersOf(pipeline);
  }
}

function startWorker(site: Site, key: string, handler: Handler): void {
  const lanes = site.slots === 1 ? 1 : 2;
  for (let lane = 0; lane < lanes; lane += 1) {
    const size = Math.floor((site.slots + lane) / lanes);
    // A lane has a connection of its own: a read that waits would hold the other's up.
    // A rejection ends the trial.
    void runLane(connect(site), key, { size, consumer: `${WORKER}-${process.pid}-${lane}` }, handler);
  }
}

type Entries = readonly (readonly [id: string, fields: readonly string[]])[];

async function runLane(
  client: Redis,
  key: string,
  { size, consumer }: { readonly size: number; readonly consumer: string },
  handler: Handler,
): Promise<never> {
  let done: readonly string[] = [];
  for (;;) {
    const pipeline = client.pipeline();
    if (done.length > 0) pipeline.xack(key, GROUP, ...done).xdel(key, ...done);
    pipeline.xreadgroup('GROUP', GROUP, consumer, 'COUNT', size, 'STREAMS', key, '>');
    const entries =
      entriesOf((await answersOf(pipeline)).at(-1)) ??
      entriesOf(
        await client.xreadgroup(
          'GROUP',
          GROUP,
          consumer,
          'COUNT',
          size,
          'BLOCK',
          BLOCK_MS,
          'STREAMS',
          key,
          '>',
        ),
      );
    if (entries === undefined) {
      done = [];
      continue;
    }
    await Promise.all(entries.map(([, fields]) => handler(JSON.parse(fields[1]!) as BenchPayload)));
    done = entries.map(([id]) => id);
  }
}

function entriesOf(answer: unknown): Entries | undefined {
  return (answer as readonly (readonly [string, Entries])[] | null)?.[0]?.[1];
}

/** Answers of a pipeline. @throws the first error among them */
async function answersOf(pipeline: ChainableCommander): Promise<unknown[]> {
  const answers = (await pipeline.exec()) ?? [];
  return answers.map(([error, answer]) => {
    if (error) throw error;
    return answer;
  });
}
