import { describe, expect, it } from 'vitest';
import { MINUTE, QUEUE, SECOND, useStage } from './stage.js';

const stage = useStage();
const one = { queues: { [QUEUE]: { concurrency: 1 } } } as const;

/** A handler that takes its time, and how many of it ran at once at most. */
function crowd(ms: number) {
  const { sleep } = stage();
  const counted = { now: 0, most: 0, starts: 0 };
  const run = async (): Promise<void> => {
    counted.now += 1;
    counted.starts += 1;
    counted.most = Math.max(counted.most, counted.now);
    await sleep(ms);
    counted.now -= 1;
  };
  return { counted, run };
}

describe('a slot', () => {
  it('has one handler, though a read brings an entry of each lane', async () => {
    const { clock } = stage();
    const { work, engine, told } = stage().process(one);
    const { counted, run } = crowd(SECOND);
    await work({ job: run });
    const priorities = ['high', 'normal', 'low'] as const;
    await Promise.all(
      priorities.map((priority) => engine.producer.enqueue('job', null, { queue: QUEUE, priority })),
    );
    await clock.advance(5 * SECOND);

    expect(told('task.completed')).toHaveLength(3);
    expect(counted.most).toBe(1);
  });

  it('is not filled any more once the worker stops: a peer has what a read still brings, at once', async () => {
    const { clock } = stage();
    const [stops, peer] = [stage().process(), stage().process()];
    const worker = await stops.work({ job: () => undefined });
    let late = (): void => undefined;
    const isLate = new Promise<void>((resolve) => (late = resolve));
    // The read that is under way is answered after the worker was told to stop.
    stops.broker.trouble('fetch', async (apply) => {
      const answer = await apply();
      await isLate;
      return answer;
    });
    await clock.advance(3 * SECOND);
    await stops.enqueue('job');
    const stopping = worker.stop();
    await clock.advance(0);
    late();
    await clock.until(stopping);
    await peer.work({ job: () => undefined });
    await clock.advance(SECOND);

    expect(stops.told('task.started')).toEqual([]);
    expect(peer.told('task.completed')).toHaveLength(1);
  });

  it('is kept for tasks of the dead, though there is always something ready, and never idle meanwhile', async () => {
    const { clock } = stage();
    const { work, engine, enqueue, told } = stage().process({ queues: { [QUEUE]: { concurrency: 2 } } });
    for (const _ of [1, 2, 3]) await enqueue('dead');
    await stage().die(3);
    await Promise.all(
      Array.from({ length: 500 }, () => engine.producer.enqueue('job', null, { queue: QUEUE })),
    );
    const { counted, run } = crowd(700);
    await work({ job: run, dead: run });
    await clock.advance(MINUTE);

    expect(told('task.completed').filter(({ type }) => type === 'dead')).toHaveLength(3);
    // Two slots, always taken: a minute holds 85 turns of each, and the 86th has begun.
    expect(counted).toMatchObject({ most: 2, starts: 2 * 86 });
  });
});

describe('a suspect', () => {
  it('runs alone among suspects: the next is taken over when it has ended', async () => {
    const { clock } = stage();
    const { work, enqueue, told } = stage().process();
    for (const _ of [1, 2, 3]) await enqueue('suspect');
    await stage().die(3, 2);
    const { counted, run } = crowd(10 * SECOND);
    await work({ suspect: run });
    await clock.advance(2 * MINUTE);

    expect(told('task.completed')).toHaveLength(3);
    expect(counted).toMatchObject({ most: 1, starts: 3 });
  });

  it.each([
    [2, 'is started', { started: 1, dead: [] }],
    [3, 'is buried as a crash loop', { started: 0, dead: [{ reason: 'crash-loop', attempt: 1 }] }],
  ])('that has outlived %i deliveries of 3 %s', async (deaths, _, expected) => {
    const { clock } = stage();
    const { work, enqueue, told } = stage().process({ worker: { maxDeliveries: 3 } });
    await enqueue('poison');
    await stage().die(1, deaths);
    await work({ poison: () => undefined });
    await clock.advance(MINUTE);

    expect(told('task.started')).toHaveLength(expected.started);
    expect(told('task.dead')).toMatchObject(expected.dead);
  });
});

describe('a fence', () => {
  it('grows over retries, and over a group that was made again', async () => {
    const { clock, store } = stage();
    const { work, enqueue } = stage().process();
    const fences: number[] = [];
    await work({
      job: ({ fence }) => {
        fences.push(fence);
        if (fences.length === 2) store.dropGroup(QUEUE);
        if (fences.length < 4) throw new Error('as asked');
      },
    });
    await enqueue('job');
    await clock.advance(MINUTE);

    expect(fences.length).toBeGreaterThanOrEqual(4);
    expect(fences).toEqual([...new Set(fences)].toSorted((a, b) => a - b));
    expect(fences.slice(0, 2)).toEqual([1, 2]);
    // Delivered anew by a group that had forgotten it: no count of starts alone would be greater.
    expect(fences[2]).toBeGreaterThan(1_000_000);
  });
});

describe('two workers', () => {
  it('never have one name, also when they are given one', async () => {
    const named = { worker: { name: 'mailer' } } as const;
    const [first, second] = [stage().process(named), stage().process(named)];
    const workers = [first.worker({}), first.worker({}), second.worker({})];

    expect(new Set(workers.map(({ consumer }) => consumer)).size).toBe(3);
    for (const { consumer } of workers) expect(consumer).toMatch(/^mailer-/);
  });
});

describe('a signal', () => {
  it('that is looked at after the timeout is aborted by then', async () => {
    const { clock, sleep } = stage();
    const { work, enqueue } = stage().process();
    const seen: unknown[] = [];
    await work({
      job: async (context) => {
        await sleep(2 * SECOND);
        seen.push(context.signal.aborted, (context.signal.reason as Error).name);
      },
    });
    await enqueue('job', { timeout: '1s' });
    await clock.advance(5 * SECOND);

    expect(seen).toEqual([true, 'TaskTimeoutError']);
  });
});
