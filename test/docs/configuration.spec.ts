import {
  type Broker,
  ConfigurationError,
  durationMs,
  type EngineOptions,
  resolveContractOptions,
  resolveEngineOptions,
  systemClock,
  TaskEvents,
  TaskProducer,
} from '@taskq/core';
import { describe, expect, it } from 'vitest';
import {
  CONTRACT,
  ENGINE,
  ENQUEUE,
  groupsOf,
  known,
  namesUnder,
  optionsUnder,
  probe,
  problemsOf,
  resolve,
  resolvedAt,
  resolvedDefault,
  STRANGER,
  treeOf,
} from './documented-options.js';
import { code } from './markdown.js';
import { interfaceMembers } from './source.js';

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
    expect(ofQueue).toEqual([...namesUnder(options, 'queueDefaults'), 'partitions'].toSorted());
  });

  it('of one queue are partitions, too: 1 to 64, and by default 1', () => {
    const resolved = (written: object) =>
      resolveEngineOptions({ queues: { q: { concurrency: 64, ...written } } }).queues['q']!.partitions;

    expect([resolved({}), resolved({ partitions: 1 }), resolved({ partitions: 64 })]).toEqual([1, 1, 64]);
    for (const partitions of [0, 65, 1.5]) expect(problemsOf(() => resolved({ partitions }))).toHaveLength(1);
    expect(problemsOf(() => resolve('queueDefaults.partitions', 2))).toHaveLength(1);
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
  // An upgrade is refused where there is no version to upgrade to.
  const contract = (written: object) =>
    resolveContractOptions('t', { ...('upgrade' in written && { version: 2 }), ...written }, defaults);

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
  const here = ['signal', 'queue', 'version'];

  /** Enqueues nowhere, and answers what would have been sent. */
  async function sent(written: object) {
    const groups: Parameters<Broker['enqueue']>[0][] = [];
    const broker: Pick<Broker, 'recordedPartitions' | 'ensureQueue' | 'enqueue' | 'onReconnect'> = {
      onReconnect: () => () => undefined,
      recordedPartitions: async () => undefined,
      ensureQueue: async () => false,
      enqueue: async (group) => {
        groups.push(group);
        return { answers: group.tasks.map(() => ({ status: 'accepted' }) as const), lostAfter: undefined };
      },
    };
    const parts = {
      options: resolveEngineOptions(),
      events: new TaskEvents(),
      clock: systemClock,
      random: () => 0,
    };
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
    const path = 'libs/core/src/producer/preparation.ts';
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
