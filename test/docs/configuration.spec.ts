import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Injectable, Module } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import {
  type Broker,
  ConfigurationError,
  durationMs,
  type EngineOptions,
  HandlerRegistry,
  resolveContractOptions,
  resolveEngineOptions,
  TaskEvents,
  TaskProducer,
  TaskQueue,
} from '@taskq/core';
import { TaskHandler, TaskQueueModule } from '@taskq/nestjs';
import { waitFor } from '@taskq/testing';
import { Redis } from 'ioredis';
import { afterAll, describe, expect, it } from 'vitest';
import { loadSampleConfig } from '../../apps/sample/src/config/sample-config.js';
import { code, codeBlocks, codes, tables, tableUnder } from './markdown.js';
import { shellWords, useRedis } from './redis.js';
import { interfaceMembers } from './source.js';

const DOCUMENT = 'docs/configuration.md';
const ENGINE = 'Engine options';
const MODULE = 'Module options';
const CONTRACT = 'Contract options';
const ENQUEUE = 'Enqueue options';
const SAMPLE = 'Settings of the sample application';

/** An option as a table has it. */
interface Documented {
  readonly path: string;
  /** The cell of the default: code, or words. */
  readonly fallback: string;
  readonly bounds: string;
}

function optionsUnder(heading: string): readonly Documented[] {
  return tableUnder(DOCUMENT, heading).rows.map((row) => ({
    path: code(row['option']!),
    fallback: row['default']!,
    bounds: row['bounds'] ?? '',
  }));
}

/** Values that must be accepted and values that must be refused: just inside and just outside of the bounds. */
interface Probe {
  readonly inside: readonly unknown[];
  readonly outside: readonly unknown[];
}

const NAMES = { inside: ['a', 'A-z_0.9', 'x'.repeat(64)], outside: ['', 'a b', 'a:b', 'x'.repeat(65), 7] };
const LONG_TEXT = { inside: ['k', 'k'.repeat(512)], outside: ['', 'k'.repeat(513), 7] };
const headers = (count: number, size: number) =>
  Object.fromEntries(Array.from({ length: count }, (_, i) => [`h${i}`.padEnd(8), 'x'.repeat(size - 8)]));

/** Bounds that are words. */
const WORDS: Readonly<Record<string, Probe>> = {
  'a name': NAMES,
  'a name of up to 48 characters': { inside: ['w', 'w'.repeat(48)], outside: ['', 'w'.repeat(49), 'w w'] },
  'a Redis URL or a socket path': {
    inside: ['redis://h', 'rediss://u:p@h:1/2', '/run/redis.sock'],
    outside: ['http://h', 'h:1', 'redis://', 7],
  },
  'an address': { inside: ['h', 'h:1', '/run/redis.sock'], outside: ['', 'redis://h', 7] },
  'text of up to 4096 characters': { inside: ['', 'x'.repeat(4096)], outside: ['x'.repeat(4097), 7] },
  text: { inside: ['x'], outside: [7] },
  'an object': { inside: [{}], outside: ['x', 7] },
  'a function': { inside: [() => 1], outside: ['x', 7] },
  'a list of texts': { inside: [['a', 'b']], outside: ['a', [7]] },
  'a time': { inside: [0, Date.now(), new Date()], outside: [-1, 1.5, '2030-01-01', new Date('no')] },
  '1 to 512 characters': LONG_TEXT,
  '`true` or 1 to 512 characters': {
    inside: [true, ...LONG_TEXT.inside],
    outside: [false, ...LONG_TEXT.outside],
  },
  '64 texts, 8192 characters in all': {
    inside: [headers(64, 128)],
    outside: [headers(65, 10), headers(64, 129), { a: 1 }],
  },
};

/** A value written in the document: a number, a duration in quotes, a word. */
function valueOf(text: string): unknown {
  return JSON.parse(text.replaceAll("'", '"')) as unknown;
}

function probe({ path, bounds }: Documented): Probe {
  const words = WORDS[bounds];
  if (words) return words;
  const range = /^`([^`]+)` to `([^`]+)`$/.exec(bounds);
  if (!range) {
    const choices = codes(bounds).map(valueOf);
    if (choices.length < 2) throw new Error(`the bounds of ${path} cannot be tested: ${bounds}`);
    return { inside: choices, outside: ['something else', 7] };
  }
  const [min, max] = [durationMs(valueOf(range[1]!))!, durationMs(valueOf(range[2]!))!];
  const step = path.endsWith('factor') ? 0.001 : 1;
  return { inside: [valueOf(range[1]!), valueOf(range[2]!)], outside: [min - step, max + step, 'x'] };
}

/** `{ a: { b: value } }` for `a.b`. */
function treeOf(path: string, value: unknown): Record<string, unknown> {
  const [first = '', ...rest] = path.split('.');
  return { [first]: rest.length === 0 ? value : treeOf(rest.join('.'), value) };
}

/** The value at `a.b` of what was resolved, where durations are called `bMs`. */
function resolvedAt(tree: unknown, path: string): unknown {
  return path.split('.').reduce<unknown>((node, key) => {
    const members = node as Record<string, unknown>;
    return Object.hasOwn(members, key) ? members[key] : members[`${key}Ms`];
  }, tree);
}

/** What the default of a table is once it is resolved. */
function resolvedDefault(fallback: string): unknown {
  // The consumer's name is made when the worker is.
  if (fallback === 'none' || fallback === 'host and process') return undefined;
  const value = valueOf(code(fallback));
  return typeof value === 'string' ? (durationMs(value) ?? value) : value;
}

function problemsOf(resolve: () => unknown): readonly string[] {
  try {
    resolve();
    return [];
  } catch (error) {
    if (error instanceof ConfigurationError) return error.problems;
    throw error;
  }
}

/** The names that a group of options knows, as it lists them to whoever gives one that is far from all of them. */
const STRANGER = 'q'.repeat(40);
function known(problems: readonly string[]): readonly string[] {
  const list = problems.map((problem) => /\(known: ([^)]+)\)/.exec(problem)?.[1]).find((found) => found);
  if (list === undefined) throw new Error(`no list of options in: ${problems.join('; ')}`);
  return list.split(', ').toSorted();
}

/** Names that the document has directly under a group: `a` and `b` of `g.a` and `g.b.c` for `g`. */
function namesUnder(options: readonly Documented[], group: string): readonly string[] {
  const prefix = group === '' ? '' : `${group}.`;
  const below = options
    .filter(({ path }) => path.startsWith(prefix))
    .map(({ path }) => path.slice(prefix.length));
  return [...new Set(below.map((path) => path.split('.')[0]!))].toSorted();
}

/** Groups that the document has options in: '' and `g` of `g.a`. */
function groupsOf(options: readonly Documented[]): readonly string[] {
  const above = options.flatMap(({ path }) => {
    const levels = path.split('.');
    return levels.map((_, i) => levels.slice(0, i).join('.'));
  });
  return [...new Set(above)];
}

const resolve = (path: string, value: unknown) => resolveEngineOptions(treeOf(path, value));

describe('engine options', () => {
  const options = optionsUnder(ENGINE);
  const tested = options.filter(({ path }) => path !== 'worker.heartbeat');

  it('are all documented, and no others', () => {
    for (const group of groupsOf(options)) {
      const path = group === '' ? STRANGER : `${group}.${STRANGER}`;
      const expected =
        group === '' ? [...namesUnder(options, ''), 'queues'].toSorted() : namesUnder(options, group);

      expect(known(problemsOf(() => resolve(path, 1))), `options in "${group}"`).toEqual(expected);
    }
    const ofQueue = known(problemsOf(() => resolve(`queues.orders.${STRANGER}`, 1)));
    expect(ofQueue).toEqual(namesUnder(options, 'queueDefaults'));
  });

  it.each(tested)('$path is by default $fallback, and takes $bounds', (option) => {
    const { path, fallback } = option;
    expect(resolvedAt(resolveEngineOptions(), path)).toEqual(resolvedDefault(fallback));
    const { inside, outside } = probe(option);
    for (const value of inside) {
      const resolved = resolvedAt(resolve(path, value), path);
      expect(resolved).toEqual(typeof value === 'string' ? (durationMs(value) ?? value) : value);
    }
    for (const value of outside) {
      expect(
        problemsOf(() => resolve(path, value)),
        `${path}: ${String(value)}`,
      ).toEqual([expect.stringContaining(path)]);
    }
  });

  it('of a heartbeat are a third of the lease, and stay below half of it', () => {
    const worker = (heartbeat: number | undefined, lease: number) =>
      resolveEngineOptions({ worker: { lease, ...(heartbeat !== undefined && { heartbeat }) } }).worker;

    expect(options.find(({ path }) => path === 'worker.heartbeat')).toMatchObject({
      fallback: 'a third of the lease',
      bounds: "`'50ms'` to below half of the lease",
    });
    expect(worker(undefined, 3000).heartbeatMs).toBe(1000);
    expect(worker(50, 1000).heartbeatMs).toBe(50);
    expect(worker(1_799_999, 3_600_000).heartbeatMs).toBe(1_799_999);
    expect(problemsOf(() => worker(49, 1000))).toHaveLength(1);
    expect(problemsOf(() => worker(1_800_000, 3_600_000))).toHaveLength(1);
  });

  it('of one queue have the bounds of queueDefaults, and its values where they say nothing', () => {
    for (const option of options.filter(({ path }) => path.startsWith('queueDefaults.'))) {
      const path = option.path.replace('queueDefaults', 'queues.orders');
      const { inside, outside } = probe(option);
      for (const value of inside) {
        expect(problemsOf(() => resolve(path, value))).toEqual([]);
        const inherited = { ...treeOf(option.path, value), queues: { orders: {} } } as EngineOptions;
        expect(resolvedAt(resolveEngineOptions(inherited), path)).toEqual(
          resolvedAt(resolve(path, value), path),
        );
      }
      for (const value of outside) expect(problemsOf(() => resolve(path, value))).toHaveLength(1);
    }
  });
});

describe('contract options', () => {
  const options = optionsUnder(CONTRACT);
  const defaults = resolveEngineOptions().tasks;
  const contract = (written: object) => resolveContractOptions('t', written, defaults);

  it.each(options)('$path is by default $fallback, and takes $bounds', (option) => {
    const { path, fallback } = option;
    const documented = fallback.startsWith('`tasks.')
      ? resolvedAt({ tasks: defaults }, code(fallback))
      : resolvedDefault(fallback);
    const { inside, outside } = probe(option);

    expect(resolvedAt(contract({}), path)).toEqual(documented);
    for (const value of inside) expect(problemsOf(() => contract(treeOf(path, value)))).toEqual([]);
    for (const value of outside) {
      expect(
        problemsOf(() => contract(treeOf(path, value))),
        `${path}: ${String(value)}`,
      ).toHaveLength(1);
    }
  });
});

describe('enqueue options', () => {
  const options = optionsUnder(ENQUEUE);
  const here = ['signal', 'queue'];

  /** Enqueues nowhere, and answers what would have been sent. */
  async function sent(written: object) {
    const groups: Parameters<Broker['enqueue']>[0][] = [];
    const broker: Pick<Broker, 'ensureQueue' | 'enqueue'> = {
      ensureQueue: async () => false,
      enqueue: async (group) => {
        groups.push(group);
        return group.tasks.map(() => ({ status: 'accepted' }) as const);
      },
    };
    const parts = { options: resolveEngineOptions(), events: new TaskEvents(), random: () => 0 };
    await new TaskProducer({ broker: broker as Broker, ...parts }).enqueue('t', 1, written);
    return { ...groups[0]!.tasks[0]!, queue: groups[0]!.queue };
  }

  async function refusal(written: object): Promise<readonly string[]> {
    const error: unknown = await sent(written).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    return error instanceof ConfigurationError ? error.problems : [];
  }

  it('are all documented, and no others', async () => {
    const listed = known(await refusal({ [STRANGER]: 1 }));
    const path = 'libs/core/src/producer/task-producer.ts';
    const besides = [
      ...interfaceMembers(path, 'CallOptions').keys(),
      ...interfaceMembers(path, 'NamedTarget').keys(),
    ];

    expect([...listed, ...besides].toSorted()).toEqual([...namesUnder(options, '')]);
    expect(besides.toSorted()).toEqual(here.toSorted());
  });

  it.each(options.filter(({ path }) => path !== 'signal'))('$path takes $bounds', async (option) => {
    const { path } = option;
    const { inside, outside } = probe(option);

    for (const value of inside)
      expect(await refusal(treeOf(path, value)), `${path}: ${String(value)}`).toEqual([]);
    for (const value of outside)
      expect(await refusal(treeOf(path, value)), `${path}: ${String(value)}`).toHaveLength(1);
  });

  it('have the defaults of the table', async () => {
    const fallbackOf = (path: string) =>
      resolvedDefault(options.find((option) => option.path === path)!.fallback);
    const { idempotency, unique } = await sent({ idempotencyKey: 'k', deduplicate: true });
    const plain = await sent({});

    expect(idempotency?.windowMs).toBe(fallbackOf('idempotencyWindow'));
    expect(unique?.ttlMs).toBe(fallbackOf('deduplicateFor'));
    expect(plain).toMatchObject({ queue: fallbackOf('queue'), meta: '' });
    for (const absent of ['due', 'idempotency', 'unique']) expect(plain).not.toHaveProperty(absent);
    expect(JSON.parse((await sent({ backoff: {} })).meta)).toEqual({
      backoff: { baseMs: 1000, factor: 2, maxMs: 3_600_000 },
    });
    expect(await refusal({ delay: 1, runAt: 1 })).toHaveLength(1);
  });
});

describe('options of the module', () => {
  const redis = useRedis();
  const boot = async (module: Parameters<typeof Test.createTestingModule>[0]) => {
    const app = (await Test.createTestingModule(module).compile()).createNestApplication({ logger: false });
    try {
      await app.init();
    } finally {
      await app.close();
    }
  };
  const refusal = (module: Parameters<typeof boot>[0]): Promise<Error> =>
    boot(module).then(
      () => new Error('it was expected not to start, and did'),
      (error: unknown) => error as Error,
    );
  const own = optionsUnder(MODULE);

  it('are all documented, and no others', async () => {
    const { problems } = (await refusal({
      imports: [TaskQueueModule.forRoot({ [STRANGER]: 1 })],
    })) as ConfigurationError;
    const engine = [...namesUnder(optionsUnder(ENGINE), ''), 'queues'];

    expect(known(problems)).toEqual([...engine, ...namesUnder(own, '')].toSorted());
  });

  it.each(own)('$path is by default $fallback, and takes $bounds', async (option) => {
    const written = interfaceMembers('libs/nestjs/src/task-queue.options.ts', 'TaskQueueModuleOptions');
    const wrong = { imports: [TaskQueueModule.forRoot({ [option.path]: 'something else' })] };
    const { problems } = (await refusal(wrong)) as ConfigurationError;
    const choices = codes(option.bounds).map((choice) => choice.replaceAll("'", '"'));

    expect(written.get(option.path)).toBe(code(option.fallback));
    expect(problems).toEqual([
      `${option.path} must be one of ${choices.join(', ')}, not ${JSON.stringify('something else')}`,
    ]);
  });

  it('of a handler are those of its contract, and the connection', async () => {
    @Injectable()
    class Handlers {
      @TaskHandler('t', { [STRANGER]: 1 })
      run(): void {}
    }
    const { message } = await refusal({
      imports: [TaskQueueModule.forRoot({ redis: { url: redis.server.url }, prefix: redis.prefix })],
      providers: [Handlers],
    });

    expect(known([message])).toEqual([...namesUnder(optionsUnder(CONTRACT), ''), 'connection'].toSorted());
  });

  it.each([
    ['Feature options', 'libs/nestjs/src/task-queue-feature.module.ts', 'TaskQueueFeature'],
    ['Health options', 'libs/nestjs/src/terminus/task-queue.health.ts', 'TaskQueueHealthOptions'],
  ])('%s are those of the interface, with its defaults', (heading, path, name) => {
    const members = interfaceMembers(path, name);
    const documented = optionsUnder(heading);

    expect(documented.map((option) => option.path).toSorted()).toEqual([...members.keys()].toSorted());
    for (const option of documented.filter(({ fallback }) => fallback.startsWith('`'))) {
      expect(members.get(option.path), `default of ${option.path}`).toBe(code(option.fallback));
    }
  });

  it('of a feature leave what they do not say to the defaults of the engine', async () => {
    const queues: Record<string, unknown> = {};
    @Module({ imports: [TaskQueueModule.forFeature({ queues: { orders: { concurrency: 3 } } })] })
    class Feature {
      constructor(queue: TaskQueue) {
        queues['all'] = queue.options.queues;
      }
    }
    const options = {
      redis: { url: redis.server.url },
      prefix: redis.prefix,
      queueDefaults: { maxReady: 5 },
    };
    await boot({ imports: [TaskQueueModule.forRoot(options), Feature] });

    expect(queues['all']).toMatchObject({ orders: { concurrency: 3, maxReady: 5 } });
  });

  it('a user with the rights of the document can enqueue, run, retry and look', async () => {
    const line = codeBlocks(DOCUMENT).find(({ code: text }) => text.includes('ACL SETUSER'))!.code;
    const [, command = '', ...rules] = shellWords(line.replaceAll('\\\n', ' '));
    const allowed = rules.map((rule) => rule.replace('~taskq:*', `~${redis.prefix}:*`));
    await redis.raw.call(command, ...allowed);
    const login = { url: redis.server.url, username: 'taskq', password: 'secret' };
    const engine = await TaskQueue.open({ redis: login, prefix: redis.prefix }, { random: () => 0 });
    const registry = new HandlerRegistry();
    let runs = 0;
    const run = (): void => {
      runs += 1;
      if (runs === 1) throw new Error('once');
    };
    registry.add({ type: 't', run, where: 'docs', options: { backoff: { base: 1 } } });
    const worker = engine.createWorker(registry);
    try {
      await worker.start();
      await engine.producer.enqueue('t', 1, { deduplicate: true, idempotencyKey: 'k' });
      await waitFor(() => runs === 2, { what: 'the second attempt' });
      await engine.inspector.counts('default');
    } finally {
      const report = await worker.stop();
      await engine.close();
      expect(report).toMatchObject({ released: 0, stuck: 0 });
    }
    const outsider = new Redis(redis.server.url, { ...login, retryStrategy: () => null });
    await expect(outsider.get('other')).rejects.toThrow('NOPERM');
    outsider.disconnect();
  });
});

describe('settings of the sample', () => {
  const folder = mkdtempSync(join(tmpdir(), 'taskq-docs-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const options = optionsUnder(SAMPLE);

  function load(settings: unknown, environment: NodeJS.ProcessEnv = {}) {
    const file = join(folder, 'settings.yaml');
    writeFileSync(file, typeof settings === 'string' ? settings : JSON.stringify(settings));
    return loadSampleConfig({ TASKQ_CONFIG: file, ...environment });
  }

  it('are all documented, and no others', () => {
    for (const group of groupsOf(options)) {
      const path = group === '' ? STRANGER : `${group}.${STRANGER}`;
      const engine = group === '' ? [...namesUnder(optionsUnder(ENGINE), ''), 'queues'] : [];
      const expected = [...namesUnder(options, group), ...engine].toSorted();

      expect(known(problemsOf(() => load(treeOf(path, 1)))), `options in "${group}"`).toEqual(expected);
    }
  });

  it.each(options)('$path is by default $fallback, and takes $bounds', (option) => {
    const { path, fallback } = option;
    const { inside, outside } = probe(option);

    expect(resolvedAt(load({}), path)).toEqual(resolvedDefault(fallback));
    for (const value of inside) expect(problemsOf(() => load(treeOf(path, value)))).toEqual([]);
    for (const value of outside) {
      expect(
        problemsOf(() => load(treeOf(path, value))),
        `${path}: ${String(value)}`,
      ).toHaveLength(1);
    }
  });

  it('are set by the variables of the table', () => {
    const values: Record<string, string> = {
      REDIS_URL: 'redis://h:1',
      REDIS_ADDR: 'h:1',
      REDIS_USERNAME: 'u',
      REDIS_PASSWORD: 'p',
      TASKQ_ROLE: 'worker',
      TASKQ_PREFIX: 'p',
      TASKQ_WEBHOOKS_HOSTS: 'a,b',
    };
    const table = tables(DOCUMENT)
      .filter(({ columns }) => columns.includes('variable'))
      .flatMap(({ rows }) => rows)
      .map((row) => ({ variable: code(row['variable']!), sets: codes(row['sets']!)[0]! }));

    expect(table.length).toBeGreaterThan(10);
    for (const { variable, sets } of table) {
      const value = values[variable] ?? '7';
      const { engine, ...sample } = load({}, { [variable]: value });
      const seen = resolvedAt({ ...sample, ...engine }, sets);
      const expected = sets === 'webhooks.hosts' ? ['a', 'b'] : (values[variable] ?? 7);

      expect(seen, `set by ${variable}`).toEqual(expected);
      expect(sample.sources.variables).toEqual([variable]);
    }
  });

  it('of every block of YAML in the documents are valid', () => {
    const blocks = ['README.md', DOCUMENT].flatMap(codeBlocks).filter(({ language }) => language === 'yaml');

    expect(blocks.length).toBeGreaterThanOrEqual(2);
    for (const block of blocks)
      expect(
        problemsOf(() => load(block.code)),
        `YAML in ${block.document}`,
      ).toEqual([]);
  });
});
