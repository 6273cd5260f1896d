import { execFile } from 'node:child_process';
import { existsSync, readFileSync, readlinkSync } from 'node:fs';
import { connect } from 'node:net';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { gate, handler, lab, QUEUE, range, watch } from './harness.js';

const here = lab();

describe('a plain XADD', () => {
  it('is a task, whoever sends it, before and after any worker', async () => {
    await here.admin.xadd(here.key(':tasks', 'orders'), '*', 'type', 'order.created', 'payload', '{"n":1}');
    const engine = await here.open();
    const facts = watch(engine);
    const seen: unknown[] = [];
    await here.work(
      engine,
      handler('order.created', (payload: unknown) => void seen.push(payload), { queue: 'orders' }),
    );
    await facts.until('task.completed');
    await here.admin.xadd(here.key(':tasks', 'orders'), '*', 'type', 'order.created', 'payload', '{"n":2}');
    await facts.until('task.completed', { count: 2 });

    expect(seen).toEqual([{ n: 1 }, { n: 2 }]);
  });

  it('works for bytes on a socket', async () => {
    const engine = await here.open();
    const facts = watch(engine);
    const seen = gate<unknown>();
    await here.work(engine, handler('order.created', seen.open));
    const words = [
      'XADD',
      here.key(':tasks'),
      '*',
      'type',
      'order.created',
      'payload',
      '{"city":"Zürich ☃"}',
    ];
    const socket = connect(here.server.url);
    const frame = words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join('');
    socket.write(`*${words.length}\r\n${frame}`);
    const reply = await new Promise<string>((resolve) =>
      socket.once('data', (data) => resolve(String(data))),
    );
    socket.destroy();
    const [done] = await facts.until('task.completed');

    expect(await seen.passed).toEqual({ city: 'Zürich ☃' });
    expect(reply).toContain(done!.id);
  });

  it('is a task of its own, whatever its id: of two with one id none vanishes', async () => {
    const engine = await here.open();
    const facts = watch(engine);
    for (const n of [1, 2]) {
      await here.admin.xadd(here.key(':tasks'), '*', 'id', 'twin', 'type', 'a', 'payload', String(n));
    }
    const done: unknown[] = [];
    const fails = handler('a', (payload: unknown, { attempt }) => {
      if (attempt === 1) throw new Error('as asked');
      done.push(payload);
    });
    await here.work(engine, { ...fails, options: { ...fails.options, backoff: { base: 300, max: 300 } } });
    const [dead] = await facts.until('task.dead');
    await facts.until('task.completed');

    expect(dead).toMatchObject({ id: 'twin', reason: 'duplicate-id' });
    const letters = await engine.broker.listDeadLetters(QUEUE, '', 10);
    expect(letters).toMatchObject([{ id: 'twin', reason: 'duplicate-id', attempt: 2 }]);
    await engine.broker.replay(QUEUE, letters);
    await facts.until('task.completed', { count: 2 });
    expect(new Set(done)).toEqual(new Set([1, 2]));
  });

  it('works with redis-cli', async ({ skip }) => {
    const cli = redisCli(here.server.pid);
    if (!cli) return skip('no redis-cli beside the server');
    const engine = await here.open();
    const facts = watch(engine);
    const seen = gate<unknown>();
    await here.work(engine, handler('order.created', seen.open));
    const words = ['XADD', here.key(':tasks'), '*', 'type', 'order.created', 'payload', '{"orderId":42}'];
    await promisify(execFile)(cli.path, ['-s', here.server.url, ...words], { env: cli.env });
    await facts.until('task.completed');

    expect(await seen.passed).toEqual({ orderId: 42 });
  });

  it('is taken from the lanes of priority, too', async () => {
    const engine = await here.open();
    const facts = watch(engine);
    const seen: string[] = [];
    await here.work(
      engine,
      handler('a', (_payload, { priority }) => void seen.push(priority)),
    );
    await here.admin.xadd(here.key(':tasks:high'), '*', 'type', 'a', 'payload', '1');
    await here.admin.xadd(here.key(':tasks:low'), '*', 'type', 'a', 'payload', '1');
    await facts.until('task.completed', { count: 2 });

    expect(seen.toSorted()).toEqual(['high', 'low']);
  });

  it('is retried with its payload and an id, and found while it waits', async () => {
    const engine = await here.open();
    const facts = watch(engine);
    const seen: unknown[] = [];
    await here.work(
      engine,
      handler(
        'a',
        (payload: unknown, { id, attempt, enqueuedAt }) => {
          seen.push({ payload, id, attempt, enqueuedAt });
          throw new Error('no');
        },
        { maxAttempts: 2, backoff: { base: 0 } },
      ),
    );
    const entry = await here.admin.xadd(here.key(':tasks'), '*', 'type', 'a', 'payload', '[1,2]');
    await facts.until('task.dead');

    expect(seen).toEqual([
      { payload: [1, 2], id: entry, attempt: 1, enqueuedAt: undefined },
      { payload: [1, 2], id: entry, attempt: 2, enqueuedAt: undefined },
    ]);
    expect(await engine.inspector.find(QUEUE, entry!)).toMatchObject({ state: 'dead', payload: '[1,2]' });
    expect(await engine.inspector.replay(QUEUE, entry!)).toBe(true);
  });

  it('may bring its own id, attempt, time and headers', async () => {
    const engine = await here.open();
    const seen = gate<unknown>();
    await here.work(
      engine,
      handler('a', (_payload, { id, attempt, enqueuedAt, headers }) =>
        seen.open({ id, attempt, enqueuedAt, headers }),
      ),
    );
    const meta = JSON.stringify({ headers: { from: 'go' }, ofLater: true });
    const fields = [
      'id',
      'go-1',
      'type',
      'a',
      'payload',
      'null',
      'attempt',
      '2',
      'enqueuedAt',
      '1700000000000',
    ];
    await here.admin.xadd(here.key(':tasks'), '*', ...fields, 'meta', meta, 'unknownField', 'ignored');

    expect(await seen.passed).toEqual({
      id: 'go-1',
      attempt: 2,
      enqueuedAt: 1_700_000_000_000,
      headers: { from: 'go' },
    });
  });
});

describe('what we write', () => {
  it('can be read by others: text fields of wire format 1, in one entry', async () => {
    const { producer } = await here.open();
    const { id } = await producer.enqueue('order.created', { n: 1 }, { headers: { a: 'b' } });
    const [[, fields]] = (await here.admin.xrange(here.key(':tasks'), '-', '+')) as [[string, string[]]];
    // The first attempt goes without saying.
    const entry = Object.fromEntries(range(fields.length / 2).map((i) => [fields[i * 2], fields[i * 2 + 1]]));

    expect(entry).toMatchObject({ id, type: 'order.created', payload: '{"n":1}' });
    expect(Number(entry.enqueuedAt)).toBeGreaterThan(Date.now() - 60_000);
    expect(JSON.parse(String(entry.meta))).toEqual({ headers: { a: 'b' } });
    expect(await here.admin.xinfo('GROUPS', here.key(':tasks'))).toEqual([
      expect.arrayContaining(['name', 'workers']),
    ]);
  });

  it('keeps every key of a queue in one cluster slot', async () => {
    const engine = await here.open();
    const facts = watch(engine);
    await here.work(
      engine,
      handler('a', () => Promise.reject(new Error('no')), { maxAttempts: 1 }),
    );
    await engine.producer.enqueue('a', 1, { idempotencyKey: 'i', deduplicate: 'd' });
    await engine.producer.enqueue('a', 1, { delay: '1h' });
    await facts.until('task.dead');
    const keys = await here.admin.keys(`${here.prefix}:*`);

    expect(keys.length).toBeGreaterThan(5);
    expect(keys.filter((key) => !key.startsWith(`${here.prefix}:{${QUEUE}}:`))).toEqual([]);
  });
});

/** The redis-cli beside the server's program, and where the libraries are that both need. */
function redisCli(pid: number | undefined): { path: string; env: NodeJS.ProcessEnv } | undefined {
  if (pid === undefined || process.platform !== 'linux') return undefined;
  const path = join(dirname(readlinkSync(`/proc/${pid}/exe`)), 'redis-cli');
  if (!existsSync(path)) return undefined;
  const libraries = readFileSync(`/proc/${pid}/maps`, 'utf8').matchAll(/(\/\S+)\/[^/\s]+\.so\S*$/gm);
  const folders = new Set([...libraries].map(([, folder]) => folder!));
  return { path, env: { ...process.env, LD_LIBRARY_PATH: [...folders].join(':') } };
}
