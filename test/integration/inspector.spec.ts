import { expect, it } from 'vitest';
import { gate, handler, lab, QUEUE, range, watch } from './harness.js';

const here = lab();

const NOTHING = { ready: { high: 0, normal: 0, low: 0 }, active: 0, scheduled: 0, dead: 0 };

it('follows a task through every state it can be in', async () => {
  const engine = await here.open();
  const { inspector, producer } = engine;
  const facts = watch(engine);
  const begun = gate();
  const go = gate<'fail' | 'die'>();
  const find = (): Promise<unknown> => inspector.find(QUEUE, 'task-1');
  const options = { id: 'task-1', delay: '150ms', headers: { a: 'b' } } as const;
  const base = { id: 'task-1', type: 'a', queue: QUEUE, payload: '{"x":1}' };

  expect(await find()).toBeUndefined();
  expect(await inspector.counts(QUEUE)).toMatchObject(NOTHING);
  const before = Date.now();
  await producer.enqueue('a', { x: 1 }, options);
  const scheduled = await inspector.find(QUEUE, 'task-1');
  expect(scheduled).toMatchObject({ ...base, state: 'scheduled', attempt: 1, meta: { headers: { a: 'b' } } });
  expect(scheduled!.dueAt! - before).toBeGreaterThan(100);
  expect(scheduled!.dueAt! - before).toBeLessThan(600);
  expect(await inspector.counts(QUEUE)).toMatchObject({ ...NOTHING, scheduled: 1 });
  expect(await inspector.scheduled(QUEUE)).toEqual([scheduled]);

  let attempts = 0;
  const worker = await here.work(
    engine,
    handler(
      'a',
      async () => {
        attempts += 1;
        if (attempts === 1) begun.open();
        if (attempts === 1) await go.passed;
        throw new Error('no');
      },
      { maxAttempts: 2, backoff: { base: '1h', max: '1h' } },
    ),
  );
  await begun.passed;
  expect(await find()).toMatchObject({ ...base, state: 'active', attempt: 1, worker: worker.consumer });
  expect(await inspector.counts(QUEUE)).toMatchObject({ ...NOTHING, active: 1 });

  go.open('fail');
  await facts.until('task.retrying', { id: 'task-1' });
  expect(await find()).toMatchObject({ ...base, state: 'retrying', attempt: 2 });
  expect(await inspector.counts(QUEUE)).toMatchObject({ ...NOTHING, scheduled: 1 });

  await here.admin.zadd(here.key(':scheduled'), 0, 'task-1');
  await facts.until('task.dead', { id: 'task-1' });
  expect(await find()).toMatchObject({
    ...base,
    state: 'dead',
    attempt: 2,
    reason: 'attempts-exhausted',
    meta: { headers: { a: 'b' }, history: [{ attempt: 1 }, { attempt: 2 }] },
  });
  expect(await inspector.counts(QUEUE)).toMatchObject({ ...NOTHING, dead: 1 });

  await worker.stop();
  await inspector.replay(QUEUE, 'task-1');
  expect(await find()).toMatchObject({ ...base, state: 'ready', attempt: 1 });
  expect(await inspector.counts(QUEUE)).toMatchObject({ ...NOTHING, ready: { normal: 1 } });

  await here.work(
    engine,
    handler('a', () => undefined),
  );
  await facts.until('task.completed', { id: 'task-1' });
  expect(await find()).toBeUndefined();
  expect(await inspector.counts(QUEUE)).toMatchObject(NOTHING);
});

it('counts by lane, and says how old the oldest ready task is', async () => {
  const engine = await here.open();
  const { producer, inspector } = engine;
  await producer.enqueue('a', 1, { priority: 'low' });
  const marked = performance.now();
  await Promise.all(range(3).map((n) => producer.enqueue('a', n)));
  await Promise.all(range(5).map((n) => producer.enqueue('a', n, { priority: 'high' })));
  await producer.enqueue('a', 1, { delay: '1h' });
  const counts = await inspector.counts(QUEUE);

  expect(counts).toMatchObject({ ready: { high: 5, normal: 3, low: 1 }, scheduled: 1, active: 0, dead: 0 });
  expect(counts.oldestReadyMs).toBeGreaterThanOrEqual(0);
  expect(counts.oldestReadyMs).toBeLessThan(performance.now() - marked + 100);
});

it('tells ready from active exactly, while tasks are taken', async () => {
  const engine = await here.open({ queues: { [QUEUE]: { concurrency: 4 } } });
  const facts = watch(engine);
  const hold = gate();
  await Promise.all(range(20).map((n) => engine.producer.enqueue('a', n)));
  await here.work(
    engine,
    handler('a', () => hold.passed),
  );
  await facts.until('task.started', { count: 4 });

  expect(await engine.inspector.counts(QUEUE)).toMatchObject({
    ready: { high: 0, normal: 16, low: 0 },
    active: 4,
    consumers: 1,
  });
  hold.open();
  await here.untilEmpty(engine);
});

it('pages through dead letters and scheduled tasks without gap or repeat', async () => {
  const engine = await here.open();
  const { producer, inspector } = engine;
  const facts = watch(engine);
  await here.work(
    engine,
    handler('dies', () => Promise.reject(new Error('no')), { maxAttempts: 1 }),
  );
  await Promise.all(range(150).map((n) => producer.enqueue('dies', n)));
  await Promise.all(range(150).map((n) => producer.enqueue('a', n, { delay: 3_600_000 + n * 1000 })));
  await facts.until('task.dead', { count: 150 });

  const first = await inspector.deadLetters(QUEUE);
  const second = await inspector.deadLetters(QUEUE, { after: first.at(-1)!.entryId, limit: 80 });
  expect([first.length, second.length]).toEqual([100, 50]);
  expect(new Set([...first, ...second].map(({ id }) => id)).size).toBe(150);

  const soon = await inspector.scheduled(QUEUE, { limit: 60 });
  const later = await inspector.scheduled(QUEUE, { offset: 60 });
  expect([...soon, ...later].map(({ payload }) => Number(payload))).toEqual(range(150));
});

it('changes nothing by looking, and knows nothing of a queue that is not there', async () => {
  const engine = await here.open();
  const before = await here.admin.dbsize();

  expect(await engine.inspector.counts('nowhere')).toMatchObject({ ...NOTHING, consumers: 0 });
  expect(await engine.inspector.find('nowhere', 'x')).toBeUndefined();
  expect(await engine.inspector.deadLetters('nowhere')).toEqual([]);
  expect(await engine.inspector.scheduled('nowhere')).toEqual([]);
  expect(await engine.inspector.replayAll('nowhere')).toBe(0);
  expect(await engine.inspector.ping()).toBeGreaterThan(0);
  expect(await here.admin.dbsize()).toBe(before);
});
