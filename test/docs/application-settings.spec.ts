import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Injectable, Module } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { ConfigurationError, TaskQueue } from '@taskq/core';
import { TaskHandler, TaskQueueModule } from '@taskq/nestjs';
import { afterAll, describe, expect, it } from 'vitest';
import { loadSampleConfig } from '../../apps/sample/src/config/sample-config.js';
import {
  CONTRACT,
  DOCUMENT,
  ENGINE,
  groupsOf,
  known,
  MODULE,
  namesUnder,
  optionsUnder,
  probe,
  problemsOf,
  resolvedAt,
  resolvedDefault,
  SAMPLE,
  STRANGER,
  treeOf,
} from './documented-options.js';
import { code, codeBlocks, codes, tables } from './markdown.js';
import { useRedis } from './redis.js';
import { interfaceMembers } from './source.js';

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
      TASKQ_REDIS_SENTINELS: 'a,b',
      TASKQ_REDIS_CLUSTER: 'a,b',
    };
    const lists = ['webhooks.hosts', 'redis.sentinels', 'redis.cluster'];
    const table = tables(DOCUMENT)
      .filter(({ columns }) => columns.includes('variable'))
      .flatMap(({ rows }) => rows)
      .map((row) => ({ variable: code(row['variable']!), sets: codes(row['sets']!)[0]! }));

    expect(table.length).toBeGreaterThan(10);
    for (const { variable, sets } of table) {
      const value = values[variable] ?? '7';
      const { engine, ...sample } = load({}, { [variable]: value });
      const seen = resolvedAt({ ...sample, ...engine }, sets);
      const expected = lists.includes(sets) ? ['a', 'b'] : (values[variable] ?? 7);

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
