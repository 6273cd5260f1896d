import { describe, expect, it } from 'vitest';
import { HOUR, MINUTE, QUEUE, SECOND, useStage } from './stage.js';

const stage = useStage();

describe('the promoter', () => {
  it('moves a task in the very moment in which it is due', async () => {
    const { clock } = stage();
    const { work, enqueue } = stage().process();
    const at: number[] = [];
    await work({ job: () => at.push(clock.monotonicMs()) });
    const from = clock.monotonicMs();
    for (const delay of [3333, 1234, 777]) await enqueue('job', { delay });
    await clock.advance(10 * SECOND);

    expect(at.map((ms) => ms - from)).toEqual([777, 1234, 3333]);
  });

  it('of a worker that is woken takes the duty over from one that has no slot', async () => {
    const { clock, sleep } = stage();
    const [busy, idle] = [stage().process({ queues: { [QUEUE]: { concurrency: 1 } } }), stage().process()];
    const at: number[] = [];
    await busy.work({ job: () => sleep(HOUR) });
    await busy.enqueue('job');
    await busy.enqueue('job', { delay: '1h' });
    await clock.advance(10 * SECOND);
    await idle.work({ job: () => at.push(clock.monotonicMs()) });
    await clock.advance(10 * SECOND);
    const from = clock.monotonicMs();
    await busy.enqueue('job', { delay: 333 });
    await clock.advance(SECOND);

    expect(at.map((ms) => ms - from)).toEqual([333]);
  });
});

describe('a promoter of queues in which nothing had waited', () => {
  it('finds within 3 s a task whose word was given to a worker that died, whenever that was', async () => {
    const { clock, sleep } = stage();
    const lives = stage().process({ queues: { [QUEUE]: { concurrency: 1 } } });
    const dies = stage().process().broker;
    // It has no slot, so that it is not given the word itself.
    await lives.work({ job: () => sleep(HOUR) });
    await lives.enqueue('job');
    for (let phase = 1; phase <= 25; phase += 1) {
      await clock.advance(10 * SECOND + phase * 87);
      await lives.enqueue('job', { delay: 10 });
      // With the word it is given what was promoted the last time.
      const { woken } = await dies.fetch({ consumer: 'dies', blockMs: 0, count: 1, queues: [QUEUE] });
      const { entryId: wakeEntryId } = woken[0]!;
      const duty = { queue: QUEUE, consumer: 'dies', dutyMs: 1250, takeOver: true };
      expect(await dies.promote({ ...duty, wakeEntryId })).toMatchObject({ onDuty: true, promoted: 0 });
      await clock.advance(3 * SECOND);

      expect((await dies.counts(QUEUE)).ready.normal).toBe(1);
    }
  });
});

describe('the janitor', () => {
  const one = { queues: { [QUEUE]: { concurrency: 1 } }, limits: { consumerAge: '1h' } } as const;
  /** A task is what makes a worker known as a consumer. */
  const job = () => ({ job: () => stage().sleep(SECOND) });
  const consumers = async (): Promise<readonly string[]> => {
    const { broker } = stage().process();
    return (await broker.listConsumers(QUEUE)).map(({ name }) => name).toSorted();
  };

  it('removes consumers that have been silent for limits.consumerAge, not sooner, and never itself', async () => {
    const { clock } = stage();
    const [dies, lives] = [stage().process(one), stage().process(one)];
    await dies.work(job());
    const { consumer } = await lives.work(job());
    for (let n = 0; n < 2; n += 1) await lives.enqueue('job');
    await clock.advance(MINUTE);
    dies.broker.disconnect();
    await clock.advance(50 * MINUTE);
    expect(await consumers()).toHaveLength(2);
    await clock.advance(20 * MINUTE);

    expect(await consumers()).toEqual([consumer]);
  });

  it.each([
    ['the newest of too many', { deadLetters: 3 }, 3],
    ['none that is too old', { deadLetterAge: '2m' }, 0],
    ['the rest', {}, 5],
  ] as const)('keeps of dead letters %s', async (_, limits, kept) => {
    const { clock } = stage();
    const { work, enqueue, engine } = stage().process({ limits, tasks: { maxAttempts: 1 } });
    await work({
      job: () => {
        throw new Error('as asked');
      },
    });
    const ids: string[] = [];
    for (let n = 0; n < 5; n += 1) ids.push(await enqueue('job'));
    await clock.advance(10 * MINUTE);
    const letters = await engine.inspector.deadLetters(QUEUE);

    expect(letters.map(({ id }) => id)).toEqual(ids.slice(5 - kept));
  });
});

describe('a reader', () => {
  it('that does not get on says for how long', async () => {
    const { clock } = stage();
    const { broker, work } = stage().process();
    const worker = await work({ job: () => undefined });
    await clock.advance(MINUTE);
    expect(worker.status().lastProgressMs).toBeLessThanOrEqual(2 * SECOND);
    let end = (): void => undefined;
    const over = new Promise<void>((resolve) => (end = resolve));
    broker.trouble('fetch', (apply) => over.then(apply));
    await clock.advance(30 * SECOND);
    const { lastProgressMs } = worker.status();
    end();
    await clock.advance(5 * SECOND);

    expect(lastProgressMs).toBeGreaterThan(25 * SECOND);
    expect(worker.status().lastProgressMs).toBeLessThanOrEqual(2 * SECOND);
  });
});
