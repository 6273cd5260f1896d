import { describe, expect, it } from 'vitest';
import { QUEUE, SECOND, useStage } from './stage.js';

// What one call brings and takes along is bounded by bytes: Redis works on nothing else meanwhile.
const stage = useStage();

const KIB = 1024;
const MIB = 1024 * KIB;
const LARGE = 'x'.repeat(255 * KIB);

/** A process that runs tasks with this payload, and how much each call of `settle` brought and took along. */
async function busy(payload: string, count: number, run: () => unknown) {
  const here = stage();
  const { engine, broker, work, told } = here.process({ queueDefaults: { concurrency: 100 } });
  const brought: number[] = [];
  const tookAlong: number[] = [];
  broker.trouble('settle', async (apply, { outcomes }) => {
    const along = outcomes.map((outcome) => ('task' in outcome ? outcome.task.payload.length : 0));
    tookAlong.push(along.reduce((sum, bytes) => sum + bytes, 0));
    const answer = await apply();
    brought.push(answer.deliveries.length);
    return answer;
  });
  const calls = Array.from({ length: count }, () =>
    engine.producer.enqueue('job', payload, { queue: QUEUE }),
  );
  await here.clock.until(Promise.all(calls));
  await work({ job: run });
  return { clock: here.clock, told, brought, tookAlong };
}

describe('a call of settle', () => {
  it('brings about a megabyte of large payloads, once their size is known', async () => {
    const { clock, told, brought } = await busy(LARGE, 150, () => undefined);
    await clock.advance(SECOND);

    expect(told('task.completed')).toHaveLength(150);
    expect(brought[0]).toBeLessThanOrEqual(16);
    expect(Math.max(...brought.slice(3))).toBe(4);
  });

  it('brings a hundred small ones', async () => {
    const { clock, told, brought } = await busy('small', 1000, () => undefined);
    await clock.advance(SECOND);

    expect(told('task.completed')).toHaveLength(1000);
    expect(Math.max(...brought)).toBe(100);
    expect(brought.length).toBeLessThan(30);
  });

  it('takes along about a megabyte of those that are to run again', async () => {
    let open = (): void => undefined;
    const opened = new Promise<void>((resolve) => (open = resolve));
    const { clock, tookAlong } = await busy(LARGE, 60, () =>
      opened.then(() => {
        throw new Error('as asked');
      }),
    );
    await clock.advance(SECOND);
    open();
    await clock.advance(10);

    expect(tookAlong.reduce((sum, bytes) => sum + bytes, 0)).toBe(60 * (LARGE.length + 2));
    expect(Math.max(...tookAlong)).toBeLessThanOrEqual(MIB);
  });
});
