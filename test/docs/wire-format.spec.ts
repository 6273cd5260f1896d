import { HandlerRegistry, TaskQueue, type TaskWorker } from '@taskq/core';
import { waitFor } from '@taskq/testing';
import { afterEach, describe, expect, it } from 'vitest';
import { code, codeBlocks, codes, read, tableUnder } from './markdown.js';
import { shellWords, useRedis } from './redis.js';
import { keysOfConstant, unionType } from './source.js';

const DOCUMENT = 'docs/wire-format.md';
const QUEUE = 'orders';
const here = useRedis();
const open: { engine: TaskQueue; worker: TaskWorker }[] = [];

afterEach(async () => {
  for (const { engine, worker } of open.splice(0)) {
    await worker.stop({ drainTimeoutMs: 0 });
    await engine.close();
    await here.raw.unlink(...(await here.raw.keys(`${here.prefix}:*`)), 'none');
  }
});

/** An engine with a worker of the queue that the document is about. Its services begin at once. */
async function engineWith(handlers: Record<string, (payload: unknown) => unknown>) {
  const options = { redis: { url: here.server.url }, prefix: here.prefix };
  const engine = await TaskQueue.open(options, { random: () => 0 });
  const registry = new HandlerRegistry();
  for (const [type, handler] of Object.entries(handlers)) {
    registry.add({
      type,
      run: (payload) => handler(payload),
      where: 'docs',
      options: { queue: QUEUE, maxAttempts: 1 },
    });
  }
  const worker = engine.createWorker(registry);
  open.push({ engine, worker });
  return { engine, worker };
}

/** A documented key under the prefix of this file. */
function key(suffix: string): string {
  return `${here.prefix}:{${QUEUE}}${suffix}`;
}

/** The one entry of a stream: its id, and its fields by name in order. */
async function onlyEntry(stream: string): Promise<{ id: string; fields: Map<string, string> }> {
  const entries = await here.raw.xrange(stream, '-', '+');
  expect(entries).toHaveLength(1);
  const [id, flat] = entries[0]!;
  return { id, fields: new Map(flat.flatMap((name, i) => (i % 2 === 0 ? [[name, flat[i + 1]!]] : []))) };
}

const documented = (heading: string, column: string): readonly string[] =>
  tableUnder(DOCUMENT, heading).rows.map((row) => code(row[column]!));

describe('one XADD', () => {
  const lines = [DOCUMENT, 'README.md'].flatMap((document) =>
    codeBlocks(document).flatMap(({ language, code: text }) =>
      language === 'sh' && text.includes('XADD') ? [{ document, text }] : [],
    ),
  );

  it.each(lines)('as $document has it is a task', async ({ text }) => {
    const [program, command, ...args] = shellWords(text);
    expect([program, command]).toEqual(['redis-cli', 'XADD']);
    const sent = args.map((arg) => arg.replace(/^taskq:/, `${here.prefix}:`));
    await here.raw.call('XADD', ...sent);
    const run: unknown[] = [];
    const { worker } = await engineWith({ 'order.created': (payload) => run.push(payload) });
    await worker.start();

    await waitFor(() => run.length === 1, { what: 'the task to run' });
    expect(run).toEqual([{ id: 1 }]);
  });

  it('is the same in every language', () => {
    expect(lines).toHaveLength(2);
    const others = codeBlocks(DOCUMENT).filter(({ language }) => ['python', 'go'].includes(language));

    expect(others).toHaveLength(2);
    for (const { code: text } of others) {
      for (const word of ['taskq:{orders}:tasks', '"type"', 'order.created', '"payload"', '"id"']) {
        expect(text).toContain(word);
      }
    }
  });
});

describe('keys', () => {
  it('are those of the table, each of its kind, and no others', async () => {
    const { engine, worker } = await engineWith({ fail: () => Promise.reject(new Error('as asked')) });
    const { producer } = engine;
    for (const priority of ['high', 'normal', 'low'] as const) {
      await producer.enqueue('other', 1, { queue: QUEUE, priority });
    }
    await producer.enqueue('other', 1, { queue: QUEUE, delay: '1h', idempotencyKey: 'k' });
    await producer.enqueue('other', 2, { queue: QUEUE, deduplicate: true, delay: '1h' });
    await producer.enqueue('fail', 3, { queue: QUEUE });
    await worker.start();
    await waitFor(async () => (await engine.inspector.counts(QUEUE)).dead === 1, { what: 'the task to die' });
    await waitFor(async () => (await here.raw.exists(key(':control'))) === 1, { what: 'the promoter' });

    const found: Record<string, string> = {};
    for (const name of await here.raw.keys(`${here.prefix}:*`)) {
      const pattern = name
        .replace(here.prefix, 'taskq')
        .replace(/:(index):.*$/, ':$1:<bucket>')
        .replace(/:(dedupe):.*$/, ':$1:<hash>')
        .replace(/:(producer):.*$/, ':$1:<channel>');
      found[pattern] = await here.raw.type(name);
    }
    const kinds: Record<string, string> = { 'sorted set': 'zset' };
    const rows = tableUnder(DOCUMENT, 'Keys').rows.map((row) => [
      code(row['key']!),
      kinds[row['kind']!] ?? row['kind']!,
    ]);
    expect(found).toEqual(Object.fromEntries(rows));

    const control = tableUnder(DOCUMENT, 'Keys').rows.find((row) => row['key']!.includes(':control'))!;
    expect(codes(control['holds']!)).toEqual(
      expect.arrayContaining(Object.keys(await here.raw.hgetall(key(':control')))),
    );
    for (const dedupe of await here.raw.keys(key(':dedupe:*'))) {
      expect(dedupe).toMatch(/:dedupe:[iu][\w-]{22}$/);
      expect(await here.raw.pttl(dedupe)).toBeGreaterThan(0);
    }
  });
});

describe('a task', () => {
  it('has the fields of the table, and a place in the index as described', async () => {
    const { engine } = await engineWith({});
    const { id } = await engine.producer.enqueue('other', { a: 1 }, { queue: QUEUE, headers: { a: 'b' } });
    const entry = await onlyEntry(key(':tasks'));

    // The first attempt goes without saying, as the text below the table has it.
    expect([...entry.fields.keys()]).toEqual(
      documented('Fields of a task', 'field').filter((field) => field !== 'attempt'),
    );
    expect(Object.fromEntries(entry.fields)).toMatchObject({ id, payload: '{"a":1}' });
    expect(id).toMatch(/^[\w-]{12}\.[0-9a-z]+$/);
    expect(await here.raw.hgetall(key(`:index:${id.slice(0, -1)}`))).toEqual({
      [`~${id.slice(-1)}`]: `n${entry.id}~${entry.id}`,
      '#': '1',
    });
  });

  it('that waits is the six lines of the document', async () => {
    const { engine } = await engineWith({});
    const payload = { text: 'one\ntwo' };
    const { id } = await engine.producer.enqueue('other', payload, {
      queue: QUEUE,
      delay: '1h',
      priority: 'low',
    });
    const lines = (await here.raw.hget(key(':scheduled:data'), id))!.split('\n');
    const block = codeBlocks(DOCUMENT).find(({ code: text }) => text.startsWith('lane letter\n'))!;

    expect(block.code.split('\n')).toHaveLength(6);
    expect(lines).toEqual([
      'l',
      '1',
      expect.stringMatching(/^\d{13}$/),
      'other',
      '',
      JSON.stringify(payload),
    ]);
    const record = await here.raw.get((await here.raw.keys(key(':producer:*')))[0]!);
    expect(record).toBe('1 a1');
    expect((await onlyEntry(key(':wake'))).fields).toEqual(new Map([['why', 'due']]));
  });

  it('knows the members of meta, and no others', () => {
    expect(documented('Members of `meta`', 'member').toSorted()).toEqual(
      [...keysOfConstant('libs/core/src/contract/task-message.ts', 'META_SHAPE')].toSorted(),
    );
  });
});

describe('a dead letter', () => {
  it('has the fields of the table; raw only when it was no task', async () => {
    const { engine, worker } = await engineWith({ fail: () => Promise.reject(new Error('as asked')) });
    const { id } = await engine.producer.enqueue('fail', null, { queue: QUEUE });
    await worker.start();
    const dead = (count: number) => async () => (await engine.inspector.counts(QUEUE)).dead === count;
    await waitFor(dead(1), { what: 'the task to die' });
    const letter = await onlyEntry(key(':tasks-dead'));
    const fields = documented('Dead letters', 'field');

    expect([...letter.fields.keys(), 'raw'].toSorted()).toEqual([...fields].toSorted());
    expect(letter.fields.get('lane')).toBe('n');
    const { bucket, field } = {
      bucket: (await here.raw.keys(key(':index:*')))[0]!,
      field: id.split('.')[1]!,
    };
    expect(await here.raw.hget(bucket, field)).toBe(`d${letter.id}`);

    await here.raw.del(key(':tasks-dead'));
    await here.raw.xadd(key(':tasks'), '*', 'no', 'task');
    await waitFor(dead(1), { what: 'the entry that is no task to be dead' });
    const malformed = await onlyEntry(key(':tasks-dead'));
    expect([...malformed.fields.keys()].toSorted()).toEqual([...fields].toSorted());
    expect(malformed.fields.get('raw')).toBe('["no","task"]');
  });

  it('has one of the reasons of the table', () => {
    const row = tableUnder(DOCUMENT, 'Dead letters').rows.find(({ field }) => field === '`reason`')!;

    expect(codes(row['holds']!).toSorted()).toEqual(
      [...unionType('libs/core/src/policy/outcome.ts', 'DeadLetterReason')].toSorted(),
    );
  });
});

describe('numbers of the document', () => {
  it.each([
    ['kept for 15 minutes', 'libs/core/src/redis/requests.ts', 'RECORD_TTL_MS = 15 * 60_000'],
    ['up to 131,072 characters', 'libs/core/src/contract/task-message.ts', 'META_LIMIT = 131_072'],
    ['at most 20: the first and the latest', 'libs/core/src/contract/task-message.ts', 'HISTORY_LIMIT = 20'],
    ['modulo 1024', 'libs/core/src/contract/task-id.ts', 'FOREIGN_BUCKETS = 1024'],
    ['whose ids differ in the last digit', 'libs/core/src/contract/task-id.ts', 'bucket: id.slice(0, -1)'],
  ])('%s', (text, path, constant) => {
    expect(read(DOCUMENT)).toContain(text);
    expect(read(path)).toContain(constant);
  });
});
