import { defineTask } from '@taskq/core';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { handler, lab, QUEUE, range, SPLIT, watch } from './harness.js';

const here = lab();

describe('replay', () => {
  it('puts a task back by id with its attempts reset and its fence still growing', async () => {
    const engine = await here.open();
    const facts = watch(engine);
    let mended = false;
    const seen: { attempt: number; fence: number; history: number; payload: unknown }[] = [];
    await here.work(
      engine,
      handler(
        'a',
        (payload: unknown, { attempt, fence, history }) => {
          seen.push({ attempt, fence, history: history.length, payload });
          if (!mended) throw new Error('broken');
        },
        { maxAttempts: 2 },
      ),
    );
    const { id } = await engine.producer.enqueue('a', { x: 1 }, { headers: { tenant: 't' } });
    await facts.until('task.dead', { id });
    mended = true;

    expect(await engine.inspector.replay(QUEUE, id)).toBe(true);
    await facts.until('task.completed', { id });
    expect(seen).toEqual([
      { attempt: 1, fence: 1, history: 0, payload: { x: 1 } },
      { attempt: 2, fence: 2, history: 1, payload: { x: 1 } },
      { attempt: 1, fence: 3, history: 0, payload: { x: 1 } },
    ]);
    expect(await engine.inspector.replay(QUEUE, id)).toBe(false);
    expect(await engine.inspector.replay(QUEUE, 'never-was')).toBe(false);
    expect(await engine.inspector.counts(QUEUE)).toMatchObject({ dead: 0 });
  });

  it('gives a replayed task all its attempts again, and lets it die again', async () => {
    const engine = await here.open();
    const facts = watch(engine);
    await here.work(
      engine,
      handler('a', () => Promise.reject(new Error('always')), { maxAttempts: 3 }),
    );
    const { id } = await engine.producer.enqueue('a', 1);
    await facts.until('task.dead', { id });
    await engine.inspector.replay(QUEUE, id);
    await facts.until('task.dead', { id, count: 2 });

    expect(facts.of('task.started', id).map(({ attempt }) => attempt)).toEqual([1, 2, 3, 1, 2, 3]);
    expect(facts.of('task.started', id).map(({ fence }) => fence)).toEqual([1, 2, 3, 4, 5, 6]);
  });

  it('puts back all that are dead, more than a page of them, each once', async () => {
    const engine = await here.open();
    const facts = watch(engine);
    let mended = false;
    await here.work(
      engine,
      handler(
        'a',
        () => {
          if (!mended) throw new Error('broken');
        },
        { maxAttempts: 1 },
      ),
    );
    await Promise.all(range(250).map((n) => engine.producer.enqueue('a', n)));
    await facts.until('task.dead', { count: 250 });
    mended = true;

    expect(await engine.inspector.replayAll(QUEUE)).toBe(250);
    const done = await facts.until('task.completed', { count: 250 });
    await here.untilEmpty(engine);
    expect(new Set(done.map(({ id }) => id)).size).toBe(250);
    expect(await engine.inspector.counts(QUEUE)).toMatchObject({ dead: 0 });
  });

  it.skipIf(SPLIT)('puts large ones back in several calls, none longer than a moment', async () => {
    const engine = await here.open();
    const facts = watch(engine);
    const worker = await here.work(
      engine,
      handler('a', () => Promise.reject(new Error('no')), { maxAttempts: 1 }),
    );
    const payload = 'x'.repeat(200 * 1024);
    await Promise.all(range(12).map(() => engine.producer.enqueue('a', payload)));
    await facts.until('task.dead', { count: 12 });
    await worker.stop();
    const letters = await engine.inspector.deadLetters(QUEUE);
    const before = await scriptCalls();

    expect(await engine.broker.replay(QUEUE, letters)).toBe(12);
    // A mebibyte each, and what lies across its edge: six of 200 KiB.
    expect((await scriptCalls()) - before).toBe(2);
  });

  it('replays a task once, however many ask for it at once', async () => {
    const engine = await here.open();
    const facts = watch(engine);
    const worker = await here.work(
      engine,
      handler('a', () => Promise.reject(new Error('no')), { maxAttempts: 1 }),
    );
    const { id } = await engine.producer.enqueue('a', 1);
    await facts.until('task.dead', { id });
    await worker.stop();
    const answers = await Promise.all(range(10).map(() => engine.inspector.replay(QUEUE, id)));

    expect(answers.filter(Boolean)).toHaveLength(1);
    expect(await engine.inspector.counts(QUEUE)).toMatchObject({ ready: { normal: 1 }, dead: 0 });
  });
});

describe('entries that are no task', () => {
  it('keep their raw fields among the dead while the worker goes on', async () => {
    const engine = await here.open();
    const facts = watch(engine);
    await here.work(
      engine,
      handler('a', () => undefined),
    );
    const foreign: string[][] = [
      ['hello', 'world'],
      ['type', 'a'],
      ['payload', '{}'],
      ['type', 'no spaces', 'payload', '{}'],
      ['type', 'a', 'payload', '{}', 'attempt', 'minus one'],
      ['type', 'a', 'payload', '{}', 'meta', '{"headers":"no"}'],
      ['type', 'a', 'payload', '{}', 'meta', 'not json'],
      ['type', 'a', 'payload', '{}', 'id', 'bad id\n\u0000'],
    ];
    for (const fields of foreign) await here.admin.xadd(here.key(':tasks'), '*', ...fields);
    const { id } = await engine.producer.enqueue('a', 1);
    await facts.until('task.completed', { id });
    await facts.until('task.malformed', { count: foreign.length });
    await here.untilEmpty(engine);
    const letters = await engine.inspector.deadLetters(QUEUE);

    expect(letters.map(({ reason }) => reason)).toEqual(foreign.map(() => 'malformed'));
    expect(letters.map(({ raw }) => JSON.parse(raw!) as unknown)).toEqual(foreign);
    expect(letters.every(({ detail }) => detail.length > 0)).toBe(true);
  });

  it('are dead-lettered, too, when the payload is no JSON, too large or too deep', async () => {
    const engine = await here.open({ limits: { payloadBytes: 1000, payloadDepth: 10 } });
    const facts = watch(engine);
    let ran = 0;
    await here.work(
      engine,
      handler('a', () => void (ran += 1)),
    );
    const bad = [
      '{"open',
      `"${'x'.repeat(1001)}"`,
      '['.repeat(20) + ']'.repeat(20),
      '{"__proto__":{"admin":1}}',
    ];
    for (const payload of bad)
      await here.admin.xadd(here.key(':tasks'), '*', 'type', 'a', 'payload', payload);
    await facts.until('task.malformed', { count: 4 });
    const letters = await engine.inspector.deadLetters(QUEUE);

    expect(letters.map(({ reason }) => reason)).toEqual(bad.map(() => 'malformed'));
    expect(letters.map(({ raw }) => (JSON.parse(raw!) as string[])[3])).toEqual(bad);
    expect(ran).toBe(0);
  });

  it('are found by their id and give their key free when they are tasks of ours after all', async () => {
    const strict = await here.open({ limits: { payloadBytes: 10 } });
    const engine = await here.open();
    const facts = watch(strict);
    const large = 'more than ten bytes';
    const { id } = await engine.producer.enqueue('a', large, { deduplicate: 'key' });
    await here.work(
      strict,
      handler('a', () => undefined),
    );
    await facts.until('task.malformed');

    expect(await engine.inspector.counts(QUEUE)).toMatchObject({ ready: { normal: 0 }, dead: 1 });
    expect(await engine.inspector.find(QUEUE, id)).toMatchObject({ id, state: 'dead', reason: 'malformed' });
    expect(await engine.producer.enqueue('b', 1, { deduplicate: 'key', delay: '1h' })).toMatchObject({
      status: 'accepted',
    });
  });

  it('can be replayed by the id of their entry once a worker understands them', async () => {
    const strict = await here.open({ limits: { payloadBytes: 10 } });
    const facts = watch(strict);
    const seen: unknown[] = [];
    const definition = handler('a', (payload: unknown) => void seen.push(payload));
    const worker = await here.work(strict, definition);
    await here.admin.xadd(here.key(':tasks'), '*', 'type', 'a', 'payload', '"more than ten bytes"');
    await facts.until('task.malformed');
    await worker.stop();
    const engine = await here.open();
    const [letter] = await engine.inspector.deadLetters(QUEUE);

    expect(await engine.inspector.replay(QUEUE, letter!.entryId)).toBe(true);
    const done = watch(engine);
    await here.work(engine, definition);
    await done.until('task.completed');
    expect(seen).toEqual(['more than ten bytes']);
  });
});

describe('payload against the schema of its handler', () => {
  const schema = z.object({ to: z.email(), items: z.array(z.object({ n: z.number() })) });

  it('is dead-lettered as invalid-payload at once, naming the paths, and never retried', async () => {
    const engine = await here.open();
    const facts = watch(engine);
    let ran = 0;
    await here.work(
      engine,
      handler('mail', () => void (ran += 1), { payload: schema }),
    );
    const { id } = await engine.producer.enqueue('mail', { to: 'nobody', items: [{ n: 'one' }] });
    const [dead] = await facts.until('task.dead', { id });

    expect(dead).toMatchObject({ reason: 'invalid-payload', attempt: 1 });
    expect(dead!.detail).toContain('to');
    expect(dead!.detail).toContain('items[0].n');
    expect(facts.of('task.retrying')).toEqual([]);
    expect(ran).toBe(0);
  });

  it('is refused where it is enqueued with the contract', async () => {
    const { producer } = await here.open();
    const mail = defineTask({ type: 'mail', payload: schema });

    await expect(producer.enqueue(mail, { to: 'nobody', items: [] })).rejects.toMatchObject({
      code: 'TASKQ_INVALID_PAYLOAD',
      issues: [{ path: 'to' }],
    });
  });
});

describe('a type without a handler', () => {
  it('is offered again without spending an attempt, then dead after the time allowed', async () => {
    const engine = await here.open({ worker: { noHandlerDelay: '100ms', noHandlerTimeout: '700ms' } });
    const facts = watch(engine);
    await here.work(
      engine,
      handler('known', () => undefined),
    );
    const { id } = await engine.producer.enqueue('unknown', { x: 1 });
    const [first] = await facts.until('task.unhandled', { id });
    const [dead] = await facts.until('task.dead', { id });

    expect(facts.of('task.unhandled', id).length).toBeGreaterThanOrEqual(3);
    expect(facts.of('task.unhandled', id).length).toBeLessThanOrEqual(9);
    expect(new Set(facts.of('task.unhandled', id).map(({ attempt }) => attempt))).toEqual(new Set([1]));
    expect(dead).toMatchObject({ reason: 'no-handler', attempt: 1 });
    expect(dead!.at - first!.at).toBeGreaterThanOrEqual(690);
    expect(dead!.at - first!.at).toBeLessThan(1500);
    expect(facts.of('task.started', id)).toEqual([]);
  });

  it('runs with attempt 1 as soon as a capable worker has joined', async () => {
    const engine = await here.open({ worker: { noHandlerDelay: '100ms' } });
    const facts = watch(engine);
    await here.work(
      engine,
      handler('known', () => undefined),
    );
    const { id } = await engine.producer.enqueue('later', 1, { maxAttempts: 1 });
    await facts.until('task.unhandled', { id, count: 2 });
    const capable = await here.open({ worker: { noHandlerDelay: '100ms' } });
    const joined = performance.now();
    const done = watch(capable);
    await here.work(
      capable,
      handler('later', () => undefined),
    );
    const [completed] = await done.until('task.completed', { id });

    expect(completed!.attempt).toBe(1);
    // Half of the offers go to the worker that cannot run it: a dozen of them is one in 4,096.
    expect(completed!.at - joined).toBeLessThan(2000);
  });

  it.each(['constructor', 'toString', '__proto__'])('is not mistaken for a handler: %s', async (type) => {
    const engine = await here.open({ worker: { noHandlerTimeout: 0 } });
    const facts = watch(engine);
    await here.work(
      engine,
      handler('known', () => undefined),
    );
    const { id } = await engine.producer.enqueue(type, 1);
    const [dead] = await facts.until('task.dead', { id });

    expect(dead).toMatchObject({ reason: 'no-handler' });
  });
});

/** How many scripts the server has run. */
async function scriptCalls(): Promise<number> {
  return Number(/cmdstat_evalsha:calls=(\d+)/.exec(await here.admin.info('commandstats'))?.[1] ?? 0);
}
