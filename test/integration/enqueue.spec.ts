import { defineTask, EnqueueManyError, InvalidPayloadError, LifecycleError } from '@taskq/core';
import { ConfigurationError, type TaskQueue } from '@taskq/core';
import { waitFor } from '@taskq/testing';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { gate, handler, lab, QUEUE, range, rejection, SPLIT, watch } from './harness.js';

const here = lab();

/** An engine whose group and scripts are in place, so that only the calls themselves are counted. */
async function warm(): Promise<TaskQueue> {
  const engine = await here.open();
  await engine.producer.enqueue('warm', { warm: true });
  return engine;
}

/** Commands of clients (not of scripts) that Redis received while `act` ran. */
async function commandsDuring(act: () => Promise<unknown>): Promise<string[]> {
  const monitor = await here.admin.monitor();
  const seen: string[] = [];
  monitor.on('monitor', (_time: string, args: string[], source: string) => {
    if (source !== 'lua') seen.push(args.join(' '));
  });
  await here.admin.echo('begin');
  await act();
  await here.admin.echo('end');
  await waitFor(() => seen.some((line) => /^echo end$/i.test(line)), { what: 'the end of the monitor' });
  monitor.disconnect();
  const begin = seen.findIndex((line) => /^echo begin$/i.test(line));
  const end = seen.findIndex((line) => /^echo end$/i.test(line));
  return seen.slice(begin + 1, end).map((line) => line.split(' ')[0]!.toLowerCase());
}

describe('round trips', () => {
  it.skipIf(SPLIT).each([
    [30, 1],
    [150, 2],
    [500, 4],
  ])('sends %i calls of one turn in at most %i script calls', async (calls, most) => {
    const { producer } = await warm();
    const before = await here.calls('evalsha');
    const answers = await Promise.all(range(calls).map((n) => producer.enqueue('a', { n })));

    expect((await here.calls('evalsha')) - before).toBeLessThanOrEqual(most);
    expect(new Set(answers.map(({ id }) => id)).size).toBe(calls);
    expect(answers.every(({ status }) => status === 'accepted')).toBe(true);
  });

  it('costs a lone call one command and nothing else', async () => {
    const { producer } = await warm();

    expect(await commandsDuring(() => producer.enqueue('a', { n: 1 }))).toEqual(['evalsha']);
  });

  it.skipIf(SPLIT)('sends one group for each queue of a turn', async () => {
    const { producer } = await warm();
    await producer.enqueue('warm', {}, { queue: 'other' });
    const commands = await commandsDuring(() =>
      Promise.all(range(20).map((n) => producer.enqueue('a', { n }, { queue: n % 2 ? 'other' : QUEUE }))),
    );

    expect(commands).toEqual(['evalsha', 'evalsha']);
  });
});

describe('order', () => {
  it.skipIf(SPLIT)('keeps the order of calls, over group borders too', async () => {
    const { producer } = await here.open();
    await Promise.all(range(700).map((n) => producer.enqueue('a', n)));

    expect(await here.payloads()).toEqual(range(700));
  });

  it.skipIf(SPLIT)('is the order in which one slot runs them', async () => {
    const engine = await here.open({ queues: { [QUEUE]: { concurrency: 1 } } });
    const facts = watch(engine);
    const ran: number[] = [];
    await Promise.all(range(100).map((n) => engine.producer.enqueue('a', n)));
    await here.work(
      engine,
      handler('a', (n: number) => void ran.push(n)),
    );
    await facts.until('task.completed', { count: 100 });

    expect(ran).toEqual(range(100));
  });
});

describe('enqueueMany', () => {
  const order = defineTask({ type: 'order', payload: z.object({ total: z.number().positive() }) });

  it.skipIf(SPLIT)('answers in order', async () => {
    const { producer } = await here.open();
    const items = range(250).map((n) => ({ payload: { total: n + 1 }, options: { id: `order-${n}` } }));
    const answers = await producer.enqueueMany(order, items);

    expect(answers.map(({ id }) => id)).toEqual(range(250).map((n) => `order-${n}`));
    expect(await here.admin.xlen(here.key(':tasks'))).toBe(250);
  });

  it('of nothing answers nothing', async () => {
    const { producer } = await here.open();

    expect(await producer.enqueueMany(order, [])).toEqual([]);
  });

  it('refuses what is no item, and says for the others what became of them', async () => {
    const { producer } = await here.open();
    const items = [{ payload: { total: 1 } }, undefined, 7] as unknown as readonly {
      payload: { total: number };
    }[];
    const error = await rejection(producer.enqueueMany(order, items));

    const { outcomes } = error as unknown as EnqueueManyError;
    expect(outcomes[0]).toMatchObject({ status: 'accepted' });
    expect(outcomes[1]).toMatchObject({ problems: ['item 1 must be an object'] });
    expect(outcomes[2]).toBeInstanceOf(ConfigurationError);
  });

  it('says for each what became of it when some fail, and writes the others', async () => {
    const { producer } = await here.open();
    const error = await rejection(
      producer.enqueueMany(order, [
        { payload: { total: 1 } },
        { payload: { total: -2 } },
        { payload: { total: 3 }, options: { maxAttempts: 0 } },
        { payload: { total: 4 }, options: { id: 'four' } },
      ]),
    );

    expect(error).toBeInstanceOf(EnqueueManyError);
    const { outcomes } = error as unknown as EnqueueManyError;
    expect(outcomes).toHaveLength(4);
    expect(outcomes[0]).toMatchObject({ status: 'accepted' });
    expect(outcomes[1]).toBeInstanceOf(InvalidPayloadError);
    expect(outcomes[1]).toMatchObject({ issues: [{ path: 'total' }] });
    expect(outcomes[2]).toBeInstanceOf(ConfigurationError);
    expect(outcomes[3]).toEqual({ id: 'four', status: 'accepted', durability: 'accepted' });
    expect(new Set(await here.payloads())).toEqual(new Set([{ total: 1 }, { total: 4 }]));
  });
});

describe('what reaches the handler', () => {
  it('hands over payload, headers and options', async () => {
    const engine = await here.open();
    const seen = gate<unknown>();
    await here.work(
      engine,
      handler('a', (payload: unknown, context) => {
        const { id, type, queue, priority, attempt, maxAttempts, fence, headers, enqueuedAt } = context;
        const facts = { id, type, queue, priority, attempt, maxAttempts, fence, headers };
        seen.open({ payload, facts, enqueuedAt });
      }),
    );
    const headers = { traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01', tenant: 'ä ☃' };
    const payload = { text: 'ü "quoted" \n', list: [1, null, true], nested: { deep: [[]] } };
    const { id } = await engine.producer.enqueue('a', payload, { headers, priority: 'high', maxAttempts: 7 });

    expect(await seen.passed).toEqual({
      payload,
      facts: {
        id,
        type: 'a',
        queue: QUEUE,
        priority: 'high',
        attempt: 1,
        maxAttempts: 7,
        fence: 1,
        headers,
      },
      enqueuedAt: expect.closeTo(Date.now(), -4) as number,
    });
  });

  it('gives the handler what the schema makes of the input', async () => {
    const engine = await here.open();
    const schema = z.object({ n: z.string().transform(Number), kind: z.string().default('plain') });
    const task = defineTask({ type: 'parsed', payload: schema });
    const seen = gate<unknown>();
    await here.work(engine, handler('parsed', seen.open, { payload: schema }));
    await engine.producer.enqueue(task, { n: '42' });

    expect(await seen.passed).toEqual({ n: 42, kind: 'plain' });
  });
});

describe('bad input', () => {
  const cycle: Record<string, unknown> = {};
  cycle.self = { cycle };
  let deep: unknown = 1;
  for (let i = 0; i < 70; i += 1) deep = { d: deep };

  it.each([
    ['undefined in an object', { a: { b: undefined } }, 'a.b'],
    ['a BigInt', { a: [1, 2n] }, 'a[1]'],
    ['NaN', { a: Number.NaN }, 'a'],
    ['Infinity', [1, Number.POSITIVE_INFINITY], '[1]'],
    ['a function', { list: [{ run: () => 1 }] }, 'list[0].run'],
    ['a symbol', { a: Symbol('s') }, 'a'],
    ['a Map', { a: new Map([[1, 2]]) }, 'a'],
    ['binary data', { a: { file: new Uint8Array(3) } }, 'a.file'],
    ['a cycle', cycle, 'self.cycle'],
    ['a poisoned key', JSON.parse('{"a":{"__proto__":{"admin":true}}}'), 'a.__proto__'],
    ['too deep nesting', deep, `d${'.d'.repeat(63)}`],
    ['too many bytes', 'x'.repeat(256 * 1024), ''],
  ])('refuses %s, naming the path, and writes nothing', async (_what, payload, path) => {
    const { producer } = await warm();
    const before = await here.admin.dbsize();
    const error = await rejection(producer.enqueue('a', payload));

    expect(error).toBeInstanceOf(InvalidPayloadError);
    expect(error).toMatchObject({ code: 'TASKQ_INVALID_PAYLOAD', type: 'a', issues: [{ path }] });
    expect(await here.admin.dbsize()).toBe(before);
    expect(await here.payloads()).toHaveLength(1);
  });

  it('takes a payload of exactly the bytes allowed', async () => {
    const { producer } = await here.open({ limits: { payloadBytes: 10 } });

    await expect(producer.enqueue('a', '12345678')).resolves.toMatchObject({ status: 'accepted' });
    await expect(producer.enqueue('a', '123456789')).rejects.toThrow(InvalidPayloadError);
    await expect(producer.enqueue('a', 'ää\u2603x')).resolves.toMatchObject({ status: 'accepted' });
    await expect(producer.enqueue('a', 'äää\u2603')).rejects.toThrow(InvalidPayloadError);
  });

  it.each([
    [{ maxAttempt: 3 }, /maxAttempt\b.*did you mean .?maxAttempts/],
    [{ dealy: '5s' }, /dealy.*did you mean .?delay/],
    [{ maxAttempts: 0 }, /maxAttempts.*1 to 1000/],
    [{ delay: '5' }, /delay/],
    [{ priority: 'urgent' }, /priority.*high, normal, low/],
    [{ id: 'no spaces please' }, /id/],
    [{ idempotencyKey: '' }, /idempotencyKey.*1 to 512/],
    [{ headers: { a: 1 } }, /headers/],
    [{ runAt: 'tomorrow' }, /runAt/],
    [{ delay: '5s', runAt: Date.now() }, /delay.*runAt|runAt.*delay/],
  ])('names what is wrong with the options %j', async (options, message) => {
    const { producer } = await warm();
    const before = await here.admin.dbsize();
    const error = await rejection(producer.enqueue('a', {}, options as never));

    expect(error).toBeInstanceOf(ConfigurationError);
    expect(error.message).toMatch(message);
    expect(await here.admin.dbsize()).toBe(before);
  });

  it.each(['', 'a b', 'a{b}', 'a:b', 'x'.repeat(65)])('refuses the name %j', async (name) => {
    const { producer } = await warm();

    await expect(producer.enqueue(name, {})).rejects.toThrow(ConfigurationError);
    await expect(producer.enqueue('a', {}, { queue: name })).rejects.toThrow(ConfigurationError);
  });
});

describe('when', () => {
  it.each([
    ['delay', { delay: 300 }],
    ['runAt', { runAt: new Date(Date.now() + 300) }],
  ])('%s runs a task when it is due, not before and not long after', async (_option, given) => {
    const engine = await here.open();
    const facts = watch(engine);
    await here.work(
      engine,
      handler('a', () => undefined),
    );
    const options = 'runAt' in given ? { runAt: new Date(Date.now() + 300) } : given;
    const begun = performance.now();
    const { id } = await engine.producer.enqueue('a', {}, options);
    const [started] = await facts.until('task.started', { id });

    expect(started!.at - begun).toBeGreaterThanOrEqual(298);
    expect(started!.at - begun).toBeLessThan(600);
  });

  it('runs at once what is due in the past', async () => {
    const { producer, inspector } = await here.open();
    await producer.enqueue('a', {}, { runAt: Date.now() - 60_000 });

    expect(await inspector.counts(QUEUE)).toMatchObject({ ready: { normal: 1 }, scheduled: 0 });
  });
});

describe('ids and closing', () => {
  it.skipIf(SPLIT)('recognises an id of the caller while the task exists', async () => {
    const engine = await here.open();
    const options = { id: 'mine-1' };

    expect(await engine.producer.enqueue('a', { n: 1 }, options)).toEqual({
      id: 'mine-1',
      status: 'accepted',
      durability: 'accepted',
    });
    expect(await engine.producer.enqueue('a', { n: 1 }, options)).toEqual({
      id: 'mine-1',
      status: 'duplicate',
      durability: 'accepted',
    });
    expect(await here.admin.xlen(here.key(':tasks'))).toBe(1);
  });

  it.skipIf(SPLIT)('answers what is under way when closed, and refuses what comes later', async () => {
    const engine = await here.open();
    await engine.producer.enqueue('a', 'warm');
    const underWay = Promise.all(range(1000).map((n) => engine.producer.enqueue('a', n)));
    await engine.close();

    expect((await underWay).every(({ status }) => status === 'accepted')).toBe(true);
    expect(await here.admin.xlen(here.key(':tasks'))).toBe(1001);
    await expect(engine.producer.enqueue('a', 'late')).rejects.toThrow(LifecycleError);
  });

  it('answers the first call of a queue, too, when closed in the same turn', async () => {
    const engine = await here.open();
    const underWay = engine.producer.enqueue('a', 1);
    await engine.close();

    await expect(underWay).resolves.toMatchObject({ status: 'accepted' });
  });
});
