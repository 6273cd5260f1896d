import { BrokerError } from '@taskq/core';
import { describe, expect, it } from 'vitest';
import { lost, MINUTE, type Process, QUEUE, SECOND, useStage } from './stage.js';

const stage = useStage();

/** Enqueues so many tasks of a type in one turn. */
async function enqueueMany({ engine }: Process, type: string, count: number): Promise<void> {
  const { clock } = stage();
  const calls = Array.from({ length: count }, () => engine.producer.enqueue(type, null, { queue: QUEUE }));
  await clock.until(Promise.all(calls));
  await clock.advance(0);
}

describe('an outcome', () => {
  it('that was applied and not answered is sent again, and told of once', async () => {
    const { clock } = stage();
    const { broker, work, enqueue, told } = stage().process();
    await work({ job: () => undefined });
    let unanswered = 3;
    broker.trouble('settle', async (apply, { outcomes }) => {
      const answer = await apply();
      if (outcomes.length === 0 || unanswered === 0) return answer;
      unanswered -= 1;
      throw lost();
    });
    await enqueue('job');
    await clock.advance(MINUTE);

    expect(unanswered).toBe(0);
    expect(told('task.completed')).toHaveLength(1);
    expect(told('task.stale')).toEqual([]);
    expect(told('task.started')).toHaveLength(1);
  });

  it('that Redis never takes holds up no other of its group', async () => {
    const { clock, sleep } = stage();
    const process = stage().process({ queues: { [QUEUE]: { concurrency: 50 } } });
    const { broker, work, told } = process;
    await work({ job: () => sleep(SECOND), poison: () => sleep(SECOND) });
    await enqueueMany(process, 'job', 20);
    await enqueueMany(process, 'poison', 1);
    await enqueueMany(process, 'job', 20);
    const { id: poison } = told('task.started').find(({ type }) => type === 'poison')!;
    broker.trouble('settle', (apply, { outcomes }) =>
      outcomes.some((outcome) => 'id' in outcome && outcome.id === poison)
        ? Promise.reject(new BrokerError('OOM', 'as asked'))
        : apply(),
    );
    await clock.advance(15 * SECOND);

    expect(told('task.completed')).toHaveLength(40);
    broker.heal('settle');
    await clock.advance(5 * SECOND);
    expect(told('task.completed')).toHaveLength(41);
  });

  it('leaves in a group of 200 at most, however many handlers end together', async () => {
    const { clock } = stage();
    const process = stage().process({ queues: { [QUEUE]: { concurrency: 1500 } } });
    const sizes: number[] = [];
    process.broker.trouble('settle', (apply, { outcomes }) => {
      sizes.push(outcomes.length);
      return apply();
    });
    let open = (): void => undefined;
    const opened = new Promise<void>((resolve) => (open = resolve));
    await process.work({ job: () => opened });
    await enqueueMany(process, 'job', 1500);
    await clock.advance(SECOND);
    expect(process.told('task.started')).toHaveLength(1500);
    open();
    await clock.advance(SECOND);

    expect(process.told('task.completed')).toHaveLength(1500);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(200);
  });
});
