import {
  BacklogFullError,
  BrokerError,
  BrokerTimeoutError,
  type EngineOptions,
  EnqueueOutcomeUnknownError,
  TaskQueue,
} from '@taskq/core';
import { MemoryBroker, MemoryStore, VirtualClock } from '@taskq/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

// Calls of `enqueue` while Redis takes nothing in, by a clock that moves when it is told to.
const QUEUE = 'orders';
const KIB = 1024;
const MIB = 1024 * KIB;

type Group = Parameters<MemoryBroker['enqueue']>[0];

/** A broker in memory that may be frozen: calls are neither carried out nor answered until it thaws. */
class FrozenBroker extends MemoryBroker {
  readonly groups: Group[] = [];
  private frozen = false;
  private backlog: (() => void)[] = [];

  freeze(): void {
    this.frozen = true;
  }

  /** What was asked meanwhile is carried out now. */
  thaw(): void {
    this.frozen = false;
    for (const run of this.backlog.splice(0)) run();
  }

  override async enqueue(group: Group): ReturnType<MemoryBroker['enqueue']> {
    this.groups.push(group);
    await this.thawed();
    return super.enqueue(group);
  }

  override async resolveGroup(
    group: Parameters<MemoryBroker['resolveGroup']>[0],
  ): ReturnType<MemoryBroker['resolveGroup']> {
    await this.thawed();
    return super.resolveGroup(group);
  }

  private async thawed(): Promise<void> {
    if (this.frozen) await new Promise<void>((resolve) => this.backlog.push(resolve));
  }
}

let clock: VirtualClock;
let store: MemoryStore;
let open: TaskQueue<FrozenBroker>[];

beforeEach(() => {
  clock = new VirtualClock();
  store = new MemoryStore({ clock, random: () => 0.5 });
  open = [];
});

afterEach(async () => {
  for (const engine of open) {
    engine.broker.thaw();
    await clock.until(engine.close());
  }
  if (clock.pending > 0) throw new Error(`the test left ${clock.pending} timers behind`);
});

/** A producer that has enqueued a task already; `call` enqueues another and says when and how it was answered. */
async function producer(producerOptions: EngineOptions['producer'] = { timeout: '1s' }) {
  const broker = new FrozenBroker({ store, clock });
  const engine = TaskQueue.over(
    broker,
    { producer: { reofferWindow: 0, ...producerOptions } },
    { clock, random: () => 0.5 },
  );
  open.push(engine);
  const call = async (payload: unknown = 1, options: { id?: string; queue?: string } = {}) => {
    const calledAt = clock.monotonicMs();
    const answer = await engine.producer.enqueue('job', payload, { queue: QUEUE, ...options }).then(
      ({ status, id }) => ({ status, id, error: undefined }),
      (error: unknown) => ({ status: 'rejected', id: undefined, error: error as BrokerError }),
    );
    return { ...answer, calledAt, tookMs: clock.monotonicMs() - calledAt };
  };
  await clock.until(call());
  broker.groups.length = 0;
  return { engine, broker, call };
}

function many<T>(count: number, make: (n: number) => T): T[] {
  return Array.from({ length: count }, (_, n) => make(n));
}

describe('while Redis does not answer', () => {
  it('every call is answered within producer.timeout, however many there are', async () => {
    const { broker, call } = await producer();
    broker.freeze();
    const answers = await clock.until(Promise.all(many(8000, () => call())));

    expect(Math.max(...answers.map(({ tookMs }) => tookMs))).toBeLessThanOrEqual(1000);
    const unsent = answers.filter(({ error }) => !(error instanceof EnqueueOutcomeUnknownError));
    expect(unsent).toHaveLength(8000 - 400);
    for (const { error } of unsent) {
      expect(error).toBeInstanceOf(BrokerError);
      expect(error).toMatchObject({ reason: 'UNAVAILABLE', retryable: true });
    }
    expect(unsent[0]!.error!.message).toContain('nothing was sent');
    expect(clock.pending).toBe(0);
  });

  it('so is every call that comes later, and none much sooner', async () => {
    const { broker, call } = await producer();
    broker.freeze();
    const calls: ReturnType<typeof call>[] = [];
    for (let n = 0; n < 100; n += 1) {
      calls.push(call(), call());
      await clock.advance(50);
    }
    const took = (await clock.until(Promise.all(calls))).map(({ tookMs }) => tookMs);

    expect(Math.max(...took)).toBeLessThanOrEqual(1000);
    expect(Math.min(...took)).toBeGreaterThan(600);
  });

  it('so is one that was given up and is made again with its id', async () => {
    const { broker, call } = await producer();
    broker.freeze();
    const { error } = await clock.until(call());
    const { id } = error as unknown as EnqueueOutcomeUnknownError;
    const again = await clock.until(call(1, { id }));

    expect(again.error).toBeInstanceOf(EnqueueOutcomeUnknownError);
    expect(again.tookMs).toBeLessThanOrEqual(1000);
  });

  it('calls that need not wait for longer are sent when it answers again, in order', async () => {
    const { broker, call } = await producer();
    broker.freeze();
    const calls = many(1000, (n) => call(n));
    await clock.advance(850);
    broker.thaw();
    const answers = await clock.until(Promise.all(calls));

    expect(answers.filter(({ status }) => status === 'accepted')).toHaveLength(1000);
    const { entries } = store.inspect().queues[QUEUE]!.lanes.normal;
    const payloads = entries.slice(1).map(({ fields }) => Number(fields[5]));
    expect(payloads).toEqual(many(1000, (n) => n));
    expect(clock.pending).toBe(0);
  });

  it('a group that leaves late has time to be answered', async () => {
    const { broker, call } = await producer();
    broker.freeze();
    const first = many(400, () => call());
    const late = call();
    await clock.advance(890);
    broker.thaw();
    broker.freeze(); // the first groups are answered, the next is not yet
    await clock.advance(60);
    broker.thaw();

    expect((await clock.until(late)).status).toBe('accepted');
    await clock.until(Promise.all(first));
  });
});

describe('what waits to be sent', () => {
  it('is bounded by producer.waitingBytes, over all queues: what is more is refused at once', async () => {
    const { broker, call } = await producer({ timeout: '1s', waitingBytes: MIB });
    await clock.until(call(1, { queue: 'mails' }));
    broker.freeze();
    const payload = 'x'.repeat(100 * KIB);
    const queues = many(60, (n) => (n % 2 === 0 ? QUEUE : 'mails'));
    const answers = await clock.until(Promise.all(queues.map((queue) => call(payload, { queue }))));

    const refused = answers.filter(({ error }) => error instanceof BacklogFullError);
    expect(refused.length).toBeGreaterThan(0);
    for (const { error, tookMs } of refused) {
      expect(tookMs).toBe(0);
      expect(error).toMatchObject({ code: 'TASKQ_BACKLOG_FULL', waitingBytes: MIB, retryable: true });
    }
    // Ten of them fit into the line, whichever queue they are for.
    expect(answers.length - refused.length).toBe(10);
    broker.thaw();
    await clock.advance(1000);
    expect((await clock.until(call(payload))).status).toBe('accepted');
  });

  it('is as much again when it was sent, or given up', async () => {
    const { broker, call } = await producer({ timeout: '1s', waitingBytes: MIB });
    const payload = 'x'.repeat(200 * KIB);
    broker.freeze();
    const underWay = [call()];
    await clock.advance(10);
    underWay.push(call());
    await clock.advance(300);
    const refused = async (): Promise<number> => {
      const answers = await clock.until(Promise.all(many(8, () => call(payload))));
      return answers.filter(({ error }) => error instanceof BacklogFullError).length;
    };
    const rounds = [await refused(), await refused(), await refused()];

    expect(rounds).toEqual([3, 3, 3]);
    broker.thaw();
    await clock.until(Promise.all(underWay));
  });

  it('is one task at least, however large it is', async () => {
    const broker = new FrozenBroker({ store, clock });
    const engine = TaskQueue.over(
      broker,
      { producer: { waitingBytes: MIB, reofferWindow: 0 }, limits: { payloadBytes: 4 * MIB } },
      { clock, random: () => 0.5 },
    );
    open.push(engine);
    const enqueued = engine.producer.enqueue('job', 'x'.repeat(3 * MIB), { queue: QUEUE });

    expect(await clock.until(enqueued)).toMatchObject({ status: 'accepted' });
  });
});

describe('a group', () => {
  const bytesOf = ({ tasks }: Group): number => tasks.reduce((sum, { payload }) => sum + payload.length, 0);

  it('holds a megabyte at most', async () => {
    const { broker, call } = await producer();
    const answers = await clock.until(Promise.all(many(200, () => call('x'.repeat(255 * KIB)))));

    expect(answers.every(({ status }) => status === 'accepted')).toBe(true);
    expect(Math.max(...broker.groups.map(bytesOf))).toBeLessThanOrEqual(MIB);
    expect(broker.groups).toHaveLength(50);
  });

  it('holds 200 small tasks', async () => {
    const { broker, call } = await producer();
    await clock.until(Promise.all(many(1000, (n) => call(n))));

    expect(broker.groups.map(({ tasks }) => tasks.length)).toEqual([200, 200, 200, 200, 200]);
  });
});

describe('a machine that slept for longer than Redis remembers', () => {
  const SLEPT = 20 * 60_000;

  /** Time passes for Redis and for the wall clock, and stands still here. */
  function sleep(): void {
    clock.suspend(SLEPT);
    store.stepTime(SLEPT);
  }

  it('does not take what was forgotten for lost', async () => {
    const { engine, call } = await producer({ reofferWindow: '5m' });
    const told: unknown[] = [];
    engine.events.on('data.lost', (loss) => told.push(loss));
    engine.events.on('data.reoffered', (loss) => told.push(loss));
    sleep();
    const { status } = await clock.until(call());
    engine.broker.disconnect();
    engine.broker.reconnect();
    await clock.advance(1000);

    expect(status).toBe('accepted');
    expect(told).toEqual([]);
    expect(await engine.inspector.counts(QUEUE)).toMatchObject({ ready: { normal: 2 } });
  });

  it('does not send a group again that it had sent before', async () => {
    const { engine, broker, call } = await producer({ timeout: '10s' });
    const apply = MemoryBroker.prototype.enqueue.bind(broker);
    let sent = 0;
    broker.enqueue = async (group) => {
      sent += 1;
      await apply(group);
      throw new BrokerTimeoutError('TIMEOUT', 'as asked', { retryable: true });
    };
    const calling = call();
    await clock.advance(5);
    sleep();
    const { error } = await clock.until(calling);

    expect(error).toBeInstanceOf(EnqueueOutcomeUnknownError);
    expect(sent).toBe(1);
    expect(await engine.inspector.counts(QUEUE)).toMatchObject({ ready: { normal: 2 } });
    // Nor is it said of that task that it was not accepted: nobody can tell any more.
    broker.enqueue = apply;
    const { id } = error as unknown as EnqueueOutcomeUnknownError;
    expect((await clock.until(call(1, { id }))).error).toBeInstanceOf(EnqueueOutcomeUnknownError);
  });
});
