import type { Lane } from '@taskq/core';
import { expect, it } from 'vitest';
import { handler, lab, QUEUE, range, SPLIT, watch } from './harness.js';

const here = lab();

it.skipIf(SPLIT)('runs high before normal before low', async () => {
  const engine = await here.open({ queues: { [QUEUE]: { concurrency: 1 } } });
  const facts = watch(engine);
  const ran: Lane[] = [];
  for (const priority of ['low', 'normal', 'high'] as const) {
    await engine.producer.enqueue('a', 1, { priority });
  }
  await here.work(
    engine,
    handler('a', (_payload, { priority }) => void ran.push(priority)),
  );
  await facts.until('task.completed', { count: 3 });

  expect(ran).toEqual(['high', 'normal', 'low']);
});

it('never starves low with one slot under constant load of high', async () => {
  const engine = await here.open({ queues: { [QUEUE]: { concurrency: 1 } } });
  const facts = watch(engine);
  const ran: Lane[] = [];
  const lowDone = (): number => ran.filter((lane) => lane === 'low').length;
  const enqueue = (priority: Lane): Promise<unknown> => engine.producer.enqueue('a', 1, { priority });
  await Promise.all(range(20).map(() => enqueue('low')));
  await Promise.all(range(20).map(() => enqueue('normal')));
  await Promise.all(range(50).map(() => enqueue('high')));
  await here.work(
    engine,
    handler('a', async (_payload, { priority }) => {
      ran.push(priority);
      // As long as anything low waits, another high takes the place of the one that ran.
      if (priority === 'high' && lowDone() < 20) await enqueue('high');
    }),
  );
  await facts.until('task.completed', { count: 20, where: () => lowDone() >= 20, timeoutMs: 10_000 });
  const until = ran.lastIndexOf('low') + 1;
  const high = ran.slice(0, until).filter((lane) => lane === 'high').length;

  expect(ran[0]).toBe('high');
  expect(until).toBeLessThan(400);
  expect(high / until).toBeGreaterThan(0.5);
  await here.untilEmpty(engine);
});

it('gives an idle lane its turn to the others', async () => {
  const engine = await here.open({ queues: { [QUEUE]: { concurrency: 1 } } });
  const facts = watch(engine);
  await Promise.all(range(300).map((n) => engine.producer.enqueue('a', n, { priority: 'low' })));
  await here.work(
    engine,
    handler('a', () => undefined),
  );
  const done = await facts.until('task.completed', { count: 300 });

  expect(done.at(-1)!.at - done[0]!.at).toBeLessThan(2000);
});

it('keeps its lane over a retry', async () => {
  const engine = await here.open();
  const facts = watch(engine);
  const lanes: Lane[] = [];
  await here.work(
    engine,
    handler('a', (_payload, { priority, attempt }) => {
      lanes.push(priority);
      if (attempt < 2) throw new Error('once more');
    }),
  );
  const { id } = await engine.producer.enqueue('a', 1, { priority: 'high' });
  await facts.until('task.completed', { id });

  expect(lanes).toEqual(['high', 'high']);
});
