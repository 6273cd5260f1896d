import { BrokerError } from '@taskq/core';
import { describe, expect, it } from 'vitest';
import { lost, MINUTE, QUEUE, refused, SECOND, useStage } from './stage.js';

// Outcomes in hand while Redis does not take them.
const stage = useStage();

function handy() {
  const here = stage();
  return { clock: here.clock, sleep: here.sleep, process: here.process.bind(here) };
}

const LEASE_MS = 15 * SECOND;
const ONE = { queues: { [QUEUE]: { concurrency: 4 } } } as const;

/** Refused for good: trying again cannot help. */
const outOfMemory = (): BrokerError => new BrokerError('OOM', 'as asked');

describe('an outcome in hand', () => {
  it('is kept while the link is away for four leases: as many starts as tasks', async () => {
    const { clock, process, sleep } = handy();
    const { broker, work, enqueue, told } = process(ONE);
    await work({ job: () => sleep(SECOND) });
    for (let n = 0; n < 4; n += 1) await enqueue('job');
    broker.disconnect();
    await clock.advance(4.5 * LEASE_MS);
    expect(told('task.started')).toHaveLength(4);
    expect(told('task.completed')).toEqual([]);
    broker.reconnect();
    await clock.advance(MINUTE);

    expect(told('task.completed')).toHaveLength(4);
    expect(told('task.started')).toHaveLength(4);
    expect(await process().engine.inspector.counts(QUEUE)).toMatchObject({ active: 0, dead: 0 });
  });

  it.each([
    ['is not sent', refused],
    ['is sent and not answered', lost],
  ])('is kept while it %s for four leases, though peers wait', async (_, failure) => {
    const { clock, process, sleep } = handy();
    const [runs, waits] = [process(ONE), process(ONE)];
    await runs.work({ job: () => sleep(SECOND) });
    for (let n = 0; n < 4; n += 1) await runs.enqueue('job');
    await waits.work({ job: () => undefined });
    runs.broker.trouble('settle', () => Promise.reject(failure()));
    await clock.advance(4.5 * LEASE_MS);
    runs.broker.heal('settle');
    await clock.advance(MINUTE);

    expect(runs.told('task.completed')).toHaveLength(4);
    expect([...runs.told('task.started'), ...waits.told('task.started')]).toHaveLength(4);
  });

  it('is given up after two leases when Redis refuses it for good', async () => {
    const { clock, process } = handy();
    const { broker, work, enqueue, told, log } = process(ONE);
    await work({ job: () => undefined });
    broker.trouble('settle', (apply, { outcomes }) =>
      outcomes.length > 0 ? Promise.reject(outOfMemory()) : apply(),
    );
    await enqueue('job');
    const givenUp = () => log.filter((line) => line.includes('could not be settled'));
    await clock.advance(1.8 * LEASE_MS);
    expect(givenUp()).toEqual([]);
    await clock.advance(0.4 * LEASE_MS);

    expect(givenUp()).toHaveLength(1);
    broker.heal('settle');
    await clock.advance(2 * MINUTE);
    expect(told('task.completed')).toHaveLength(1);
    expect(told('task.started')).toHaveLength(2);
  });

  it('of those that are refused there are never more than twice as many as slots', async () => {
    const { clock, process } = handy();
    const { broker, work, engine, told } = process(ONE);
    broker.trouble('settle', (apply, { outcomes }) =>
      outcomes.some(({ kind }) => kind === 'schedule') ? Promise.reject(outOfMemory()) : apply(),
    );
    const calls = Array.from({ length: 100 }, (_, n) =>
      engine.producer.enqueue(n % 2 === 0 ? 'good' : 'bad', n, { queue: QUEUE }),
    );
    await clock.until(Promise.all(calls));
    let unsettled = 0;
    await work({
      good: () => undefined,
      bad: () => {
        unsettled = Math.max(unsettled, told('task.started').length - told('task.completed').length);
        throw new Error('as asked');
      },
    });
    await clock.advance(1.5 * LEASE_MS);

    expect(unsettled).toBeGreaterThan(4);
    expect(unsettled).toBeLessThanOrEqual(2 * 4 + 4);
  });

  it('that can be settled does not wait behind those that are refused', async () => {
    const { clock, process, sleep } = handy();
    const { broker, work, enqueue, told } = process(ONE);
    broker.trouble('settle', (apply, { outcomes }) =>
      outcomes.some(({ kind }) => kind === 'schedule') ? Promise.reject(outOfMemory()) : apply(),
    );
    await work({
      good: () => sleep(8 * SECOND),
      bad: () => {
        throw new Error('as asked');
      },
    });
    await enqueue('good');
    for (let n = 0; n < 3; n += 1) await enqueue('bad');
    await clock.advance(11 * SECOND);

    expect(told('task.completed')).toHaveLength(1);
  });

  it('is not sent any more once the worker has stopped, and that is said', async () => {
    const { clock, process } = handy();
    const { broker, work, enqueue, log } = process(ONE);
    const worker = await work({ job: () => undefined });
    let sent = 0;
    broker.trouble('settle', () => {
      sent += 1;
      return Promise.reject(refused());
    });
    await enqueue('job');
    const { tookMs } = await clock.until(worker.stop({ drainTimeoutMs: 0 }));
    const before = sent;
    await clock.advance(MINUTE);

    expect(tookMs).toBeLessThan(11 * SECOND);
    expect(sent).toBe(before);
    expect(log.filter((line) => line.includes('1 outcomes could not be settled'))).toHaveLength(1);
    broker.heal('settle');
  });
});

describe('an outcome whose fate was not heard', () => {
  /** A worker settles a task, hears nothing of it, and loses the lease to a peer which works on the task still. */
  async function takenOver(applied: boolean) {
    const { clock, process, sleep } = handy();
    const [first, second] = [process(ONE), process(ONE)];
    await first.work({ job: () => undefined });
    let fail!: () => void;
    first.broker.trouble('settle', (apply, { outcomes }) => {
      if (outcomes.length === 0) return apply();
      if (applied) apply().catch(() => undefined);
      return new Promise((_, reject) => (fail = () => reject(lost())));
    });
    for (const verb of ['extend', 'reclaim'] as const)
      first.broker.trouble(verb, () => Promise.reject(refused()));
    await first.enqueue('job');
    await second.work({ job: () => sleep(10 * MINUTE) });
    await clock.advance(MINUTE);
    first.broker.heal('settle');
    fail();
    await clock.advance(5 * SECOND);
    for (const verb of ['extend', 'reclaim'] as const) first.broker.heal(verb);
    return { first, second };
  }

  it('is stale, and not completed, when a peer works on the task', async () => {
    const { first, second } = await takenOver(false);

    expect(second.told('task.started')).toHaveLength(1);
    expect(first.told('task.completed')).toEqual([]);
    expect(first.told('task.stale')).toMatchObject([{ what: 'outcome' }]);
  });

  it('is completed when the task is gone: it was applied', async () => {
    const { first, second } = await takenOver(true);

    expect(second.told('task.started')).toEqual([]);
    expect(first.told('task.completed')).toHaveLength(1);
    expect(first.told('task.stale')).toEqual([]);
  });
});
