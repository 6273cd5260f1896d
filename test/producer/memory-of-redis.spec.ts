import { defineTask, InvalidPayloadError, type TaskqError } from '@taskq/core';
import { describe, expect, it } from 'vitest';
import { lost, MINUTE, QUEUE, SECOND, useStage } from '../worker/stage.js';

// What Redis remembers of a producer, what it forgets, and what it loses.
const stage = useStage();

async function ready(): Promise<number> {
  const { ready: lanes } = await stage().process().engine.inspector.counts(QUEUE);
  return lanes.high + lanes.normal + lanes.low;
}

describe('a producer that is idle for longer than Redis remembers its last group', () => {
  it('takes that for no loss', async () => {
    const { clock } = stage();
    const { enqueue, told } = stage().process();
    await enqueue('job');
    await clock.advance(20 * MINUTE);
    await enqueue('job');

    expect(told('data.lost')).toEqual([]);
    expect(await ready()).toBe(2);
  });
});

describe('a machine that sleeps while a group is repeated', () => {
  it.each([
    ['for longer than Redis remembers the group', 20 * MINUTE, { code: 'TASKQ_ENQUEUE_OUTCOME_UNKNOWN' }],
    ['for a moment', 10 * SECOND, { status: 'accepted' }],
  ])('%s: no task is written twice', async (_, sleepMs, expected) => {
    const { clock } = stage();
    const { broker, engine } = stage().process();
    let tries = 0;
    broker.trouble('enqueue', async (apply) => {
      tries += 1;
      const answer = await apply();
      if (tries > 1) return answer;
      // The answer is lost, and the machine wakes up when Redis may have forgotten the group.
      clock.suspend(sleepMs);
      stage().store.stepTime(sleepMs);
      throw lost();
    });
    const call = engine.producer.enqueue('job', null, { queue: QUEUE });
    const outcome = await clock.until(call.catch((error: unknown) => error as TaskqError));

    expect(await ready()).toBe(1);
    expect(outcome).toMatchObject(expected);
  });
});

describe('what is offered again after a loss', () => {
  it('is what was accepted, and nothing that a full queue had refused', async () => {
    const { clock, store } = stage();
    const { broker, engine, told } = stage().process({ queues: { [QUEUE]: { maxReady: 2 } } });
    await clock.until(broker.ensureQueue(QUEUE).then(() => undefined));
    const before = store.snapshot();
    const calls = ['a', 'b', 'c', 'd'].map((type) => engine.producer.enqueue(type, null, { queue: QUEUE }));
    const outcomes = await clock.until(Promise.allSettled(calls));
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected', 'rejected']);
    broker.disconnect();
    await clock.advance(SECOND);
    store.restore(before);
    broker.reconnect();
    await clock.advance(SECOND);

    expect(told('data.reoffered')).toMatchObject([{ accepted: 2, failed: 0 }]);
    expect(await ready()).toBe(2);
  });

  it('is waited for by who closes the engine', async () => {
    const { clock, store, sleep } = stage();
    const { broker, engine, enqueue, told } = stage().process();
    await clock.until(broker.ensureQueue(QUEUE).then(() => undefined));
    const before = store.snapshot();
    for (let n = 0; n < 3; n += 1) await enqueue('job');
    broker.disconnect();
    await clock.advance(SECOND);
    store.restore(before);
    broker.trouble('enqueue', (apply, { tasks }) => (tasks.length > 0 ? sleep(SECOND).then(apply) : apply()));
    broker.reconnect();
    await clock.advance(100);
    expect(told('data.lost')).toHaveLength(1);
    await clock.until(engine.close());

    expect(told('data.reoffered')).toMatchObject([{ accepted: 3, failed: 0 }]);
    expect(await ready()).toBe(3);
  });
});

describe('a schema that answers later', () => {
  it('is waited for before anything is written', async () => {
    const { clock, sleep } = stage();
    const { engine } = stage().process();
    const contract = defineTask({
      type: 'note',
      queue: QUEUE,
      payload: {
        '~standard': {
          version: 1,
          vendor: 'spec',
          validate: (value: unknown) =>
            sleep(SECOND).then(() => (value === 'fits' ? { value } : { issues: [{ message: 'does not' }] })),
        },
      },
    });
    const [fits, not] = await clock.until(
      Promise.allSettled([
        engine.producer.enqueue(contract, 'fits'),
        engine.producer.enqueue(contract, 'does not fit'),
      ]),
    );

    expect(fits).toMatchObject({ status: 'fulfilled' });
    expect(not).toMatchObject({ status: 'rejected', reason: expect.any(InvalidPayloadError) as unknown });
    expect(await ready()).toBe(1);
  });
});
