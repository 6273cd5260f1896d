import { deadLetter, discard, snooze } from '@taskq/core';
import { expect, it } from 'vitest';
import { handler, lab, QUEUE, watch } from './harness.js';

const here = lab();

it('snooze runs the task again later and spends no attempt', async () => {
  const engine = await here.open();
  const facts = watch(engine);
  const seen: { attempt: number; fence: number }[] = [];
  await here.work(
    engine,
    handler(
      'a',
      (_payload, { attempt, fence }) => {
        seen.push({ attempt, fence });
        return seen.length < 5 ? snooze(60) : undefined;
      },
      { maxAttempts: 2 },
    ),
  );
  const { id } = await engine.producer.enqueue('a', { keep: 'me' });
  await facts.until('task.completed', { id });
  const starts = facts.of('task.started', id);

  expect(seen.map(({ attempt }) => attempt)).toEqual([1, 1, 1, 1, 1]);
  expect(seen.map(({ fence }) => fence)).toEqual([1, 2, 3, 4, 5]);
  expect(facts.of('task.snoozed', id).map(({ delayMs }) => delayMs)).toEqual([60, 60, 60, 60]);
  expect(starts[1]!.at - starts[0]!.at).toBeGreaterThan(50);
  expect(facts.of('task.retrying')).toEqual([]);
});

it('snooze between failures leaves the attempts as they were', async () => {
  const engine = await here.open();
  const facts = watch(engine);
  const attempts: number[] = [];
  await here.work(
    engine,
    handler(
      'a',
      (_payload, { attempt }) => {
        attempts.push(attempt);
        if (attempts.length % 2 === 0) return snooze(5);
        throw new Error('no');
      },
      { maxAttempts: 3 },
    ),
  );
  const { id } = await engine.producer.enqueue('a', 1);
  await facts.until('task.dead', { id });

  expect(attempts).toEqual([1, 2, 2, 3, 3]);
  expect((await engine.inspector.find(QUEUE, id))!.meta.history).toHaveLength(3);
});

it('discard drops the task for good and says why', async () => {
  const engine = await here.open();
  const facts = watch(engine);
  await here.work(
    engine,
    handler('a', () => discard('the order was cancelled')),
  );
  const { id } = await engine.producer.enqueue('a', 1);
  const [fact] = await facts.until('task.discarded', { id });

  expect(fact).toMatchObject({ reason: 'the order was cancelled', attempt: 1 });
  expect(facts.story(id)).toEqual(['task.started', 'task.discarded']);
  expect(await engine.inspector.find(QUEUE, id)).toBeUndefined();
  expect(await engine.inspector.counts(QUEUE)).toMatchObject({ active: 0, scheduled: 0, dead: 0 });
});

it('deadLetter puts the task to the dead now, whatever attempts are left', async () => {
  const engine = await here.open();
  const facts = watch(engine);
  await here.work(
    engine,
    handler('a', () => deadLetter('needs a human')),
  );
  const { id } = await engine.producer.enqueue('a', { x: 1 });
  const [fact] = await facts.until('task.dead', { id });

  expect(fact).toMatchObject({ reason: 'handler', detail: 'needs a human', attempt: 1 });
  expect(facts.of('task.started', id)).toHaveLength(1);
  expect(await engine.inspector.find(QUEUE, id)).toMatchObject({
    state: 'dead',
    reason: 'handler',
    detail: 'needs a human',
    payload: '{"x":1}',
  });
});

it('takes a result that merely looks like a directive for a result', async () => {
  const engine = await here.open();
  const facts = watch(engine);
  await here.work(
    engine,
    handler('a', () => ({ kind: 'discard', reason: 'a business object' })),
  );
  const { id } = await engine.producer.enqueue('a', 1);
  await facts.until('task.completed', { id });

  expect(facts.of('task.discarded')).toEqual([]);
});
