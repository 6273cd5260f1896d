import { setImmediate as endOfTurn } from 'node:timers/promises';
import type { BenchPayload } from '../payload.js';
import { type ChainableCommander, Redis } from '../run/redis.js';
import type { Contender, Handler, Rig, Site } from './contender.js';
import { type Place, placesIn } from './places.js';

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
    '`XDEL` and the next `XREADGROUP` in one pipeline, with two rounds of half the slots in flight. On a Cluster a ' +
    'stream per partition, which turns and rounds take one after the other. No retries, no leases, no checks: a lower ' +
    'bound of the cost, not an alternative',
  pace: { enqueue: { one: 14_000, many: 200_000 }, process: { one: 9000, many: 150_000 } },
  open: async (site) => {
    const queues = await Promise.all(site.queues.map((queue) => open(site, queue)));
    return rigOf(queues, site);
  },
};

/** A stream, and a connection to the server that has it. */
interface Stream {
  readonly client: Redis;
  readonly key: string;
}

async function open(site: Site, queue: string): Promise<readonly Stream[]> {
  const streams = (await placesIn(site, `ceiling:${queue}`)).map(connected);
  for (const { client, key } of streams)
    await client.xgroup('CREATE', key, GROUP, '0', 'MKSTREAM').catch(groupExists);
  return streams;
}

/** Every other process of the trial makes the group, too. */
function groupExists(error: Error): void {
  if (!error.message.startsWith('BUSYGROUP')) throw error;
}

function connected({ host, port, key }: Place): Stream {
  return { client: new Redis({ host, port, maxRetriesPerRequest: null }), key };
}

function rigOf(queues: readonly (readonly Stream[])[], site: Site): Rig {
  const streams = queues[0]!;
  const [{ client, key }] = streams as [Stream];
  const turns = new Turns(streams);
  return {
    enqueue: (payload) => turns.add(JSON.stringify(payload)),
    enqueueMany: async (payloads) => {
      const pipeline = client.pipeline();
      for (const payload of payloads) pipeline.xadd(key, '*', 'p', JSON.stringify(payload));
      await answersOf(pipeline);
    },
    work: async (handler) => {
      for (const each of queues) startWorker(site, each, handler);
    },
    left: async () => {
      const lengths = await Promise.all(streams.map((stream) => stream.client.xlen(stream.key)));
      return lengths.reduce((sum, length) => sum + length, 0);
    },
    roundTrip: () => client.ping(),
  };
}

/**
 * Sends what is added in one turn of the event loop in one pipeline, which all of its callers wait for: a promise for
 * each of them, or ioredis' own auto-pipelining, costs a tenth more. Turns take the streams one after the other.
 */
class Turns {
  private pipeline: ChainableCommander | undefined;
  private answered: Promise<unknown> = Promise.resolve();
  private key = '';
  private begun = 0;

  constructor(private readonly streams: readonly Stream[]) {}

  add(payload: string): Promise<unknown> {
    this.pipeline ??= this.begin();
    this.pipeline.xadd(this.key, '*', 'p', payload);
    return this.answered;
  }

  private begin(): ChainableCommander {
    const { client, key } = this.streams[this.begun % this.streams.length]!;
    this.begun += 1;
    this.key = key;
    const pipeline = client.pipeline();
    this.answered = this.send(pipeline);
    return pipeline;
  }

  private async send(pipeline: ChainableCommander): Promise<unknown> {
    await endOfTurn();
    this.pipeline = undefined;
    return answersOf(pipeline);
  }
}

function startWorker(site: Site, streams: readonly Stream[], handler: Handler): void {
  const lanes = site.slots === 1 ? 1 : 2;
  for (let lane = 0; lane < lanes; lane += 1) {
    const size = Math.floor((site.slots + lane) / lanes);
    // A lane has connections of its own: a read that waits would hold the other's up.
    const own = streams.map(({ client, key }) => new Source(client.duplicate(), key));
    // A rejection ends the trial.
    void runLane(own, { size, consumer: `${WORKER}-${process.pid}-${lane}` }, handler);
  }
}

interface Reader {
  readonly size: number;
  readonly consumer: string;
}

async function runLane(sources: readonly Source[], reader: Reader, handler: Handler): Promise<never> {
  for (let round = 0, empty = 0; ; round += 1) {
    const source = sources[round % sources.length]!;
    let entries = await source.settleAndRead(reader);
    // It only waits when there was nothing anywhere.
    if (!entries && empty >= sources.length - 1) entries = await source.waitAndRead(reader);
    empty = entries ? 0 : empty + 1;
    if (!entries) continue;
    await Promise.all(entries.map(([, fields]) => handler(JSON.parse(fields[1]!) as BenchPayload)));
    source.done = entries.map(([id]) => id);
  }
}

type Entries = readonly (readonly [id: string, fields: readonly string[]])[];

/** A stream as a lane reads it. */
class Source {
  /** What is to be settled. */
  done: readonly string[] = [];

  constructor(
    private readonly client: Redis,
    private readonly key: string,
  ) {}

  async settleAndRead({ size, consumer }: Reader): Promise<Entries | undefined> {
    const { client, key, done } = this;
    const pipeline = client.pipeline();
    if (done.length > 0) pipeline.xack(key, GROUP, ...done).xdel(key, ...done);
    this.done = [];
    pipeline.xreadgroup('GROUP', GROUP, consumer, 'COUNT', size, 'STREAMS', key, '>');
    return entriesOf((await answersOf(pipeline)).at(-1));
  }

  async waitAndRead({ size, consumer }: Reader): Promise<Entries | undefined> {
    const { client, key } = this;
    return entriesOf(
      await client.xreadgroup(
        ...(['GROUP', GROUP, consumer, 'COUNT', size, 'BLOCK', BLOCK_MS, 'STREAMS', key, '>'] as const),
      ),
    );
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
