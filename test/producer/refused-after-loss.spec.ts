import {
  BrokerError,
  BrokerTimeoutError,
  EnqueueOutcomeUnknownError,
  QueueFullError,
  TaskQueue,
} from '@taskq/core';
import { MemoryBroker, MemoryStore, VirtualClock } from '@taskq/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

// A refusal says that nothing was written. A server that took over without the last writes does not know whether
// there were any, and the task may have run before.
const QUEUE = 'orders';
const ROOM = 2;

type Group = Parameters<MemoryBroker['enqueue']>[0];

/** A broker in memory that loses its answers to what is enqueued, or takes in nothing. */
class UnsureBroker extends MemoryBroker {
  mood: 'answers' | 'loses answers' | 'refuses' = 'answers';

  override async enqueue(group: Group): ReturnType<MemoryBroker['enqueue']> {
    if (this.mood === 'refuses') throw new BrokerError('OOM', 'out of memory', { retryable: true });
    const reply = await super.enqueue(group);
    if (this.mood === 'answers') return reply;
    throw new BrokerTimeoutError('LINK', 'the reply was lost', { retryable: true });
  }
}

let clock: VirtualClock;
let store: MemoryStore;
let broker: UnsureBroker;
let engine: TaskQueue<UnsureBroker>;

beforeEach(async () => {
  clock = new VirtualClock();
  store = new MemoryStore({ clock, random: () => 0.5 });
  broker = new UnsureBroker({ store, clock });
  engine = TaskQueue.over(
    broker,
    { queueDefaults: { maxReady: ROOM }, producer: { timeout: '1s', reofferWindow: 0 } },
    { clock, random: () => 0.5 },
  );
  await clock.until(broker.ensureQueue(QUEUE));
});

afterEach(() => clock.until(engine.close()));

function begin(id?: string): Promise<unknown> {
  return engine.producer
    .enqueue('job', null, { queue: QUEUE, ...(id !== undefined && { id }) })
    .catch((error: unknown) => error);
}

function enqueue(id?: string): Promise<unknown> {
  return clock.until(begin(id));
}

/** The connection is lost and back: to the same server, or to one that has only what there was `before`. */
async function reconnect(before?: ReturnType<MemoryStore['snapshot']>): Promise<void> {
  broker.disconnect();
  if (before) store.restore(before);
  broker.reconnect(before !== undefined);
  await clock.advance(20);
}

function fillUp(): void {
  for (let n = 0; n < ROOM; n += 1) store.addEntry(QUEUE, 'normal', { type: 'job', payload: `${n}` });
}

/** A task that was written without an answer, and is gone or is not. */
async function doubtful({ isGone }: { isGone: boolean }): Promise<string> {
  const before = store.snapshot();
  broker.mood = 'loses answers';
  const unknown = await enqueue();
  expect(unknown).toBeInstanceOf(EnqueueOutcomeUnknownError);
  broker.mood = 'answers';
  await reconnect(isGone ? before : undefined);
  return (unknown as EnqueueOutcomeUnknownError).id;
}

describe('a task that was written without an answer and is gone since', () => {
  it('is not refused by a full queue: what became of it is unknown, and why it is not there again is told', async () => {
    const id = await doubtful({ isGone: true });
    fillUp();

    for (let n = 0; n < 2; n += 1) {
      const answer = await enqueue(id);
      expect(answer).toBeInstanceOf(EnqueueOutcomeUnknownError);
      expect(answer).toMatchObject({ id, cause: expect.any(QueueFullError) });
    }
    // Another task was never there.
    expect(await enqueue()).toBeInstanceOf(QueueFullError);
  });

  it('is not refused by a Redis that takes in nothing', async () => {
    const id = await doubtful({ isGone: true });
    broker.mood = 'refuses';

    expect(await enqueue(id)).toMatchObject({
      code: 'TASKQ_ENQUEUE_OUTCOME_UNKNOWN',
      cause: { reason: 'OOM' },
    });
  });

  it('is written again, and is like any other from then on', async () => {
    const id = await doubtful({ isGone: true });
    expect(await enqueue(id)).toMatchObject({ id, status: 'accepted' });

    fillUp();
    expect(await enqueue(id)).toMatchObject({ id, status: 'duplicate' });
    store.flush();
    fillUp();
    expect(await enqueue(id)).toBeInstanceOf(QueueFullError);
  });
});

it('a task that was written within a call, and is gone when it is repeated, is not refused', async () => {
  const before = store.snapshot();
  broker.mood = 'loses answers';
  const call = begin();
  await clock.advance(1);
  broker.mood = 'answers';
  await reconnect(before);
  fillUp();

  expect(await clock.until(call)).toMatchObject({
    code: 'TASKQ_ENQUEUE_OUTCOME_UNKNOWN',
    cause: expect.any(QueueFullError),
  });
});

it('a task that never was written is refused: the server is still the one that would know', async () => {
  fillUp();
  broker.mood = 'loses answers';
  const unknown = (await enqueue()) as EnqueueOutcomeUnknownError;
  broker.mood = 'answers';
  await reconnect();

  expect(await enqueue(unknown.id)).toBeInstanceOf(QueueFullError);
});
