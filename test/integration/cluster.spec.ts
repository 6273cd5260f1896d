import { type EngineOptions, RedisUnusableError, type TaskQueue } from '@taskq/core';
import { type RedisCluster, type RedisClusterNode, startRedisCluster, waitFor } from '@taskq/testing';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { handler, lab, lasting, range, rejection, watch } from './harness.js';

const here = lab({ listen: 'port' });

/** Names of queues that live on three different masters. */
async function apart(cluster: RedisCluster): Promise<[string, string, string]> {
  const byMaster = new Map<RedisClusterNode, string>();
  for (let i = 0; byMaster.size < 3; i += 1) {
    const master = await cluster.masterOf(`{queue-${i}}`);
    if (!byMaster.has(master)) byMaster.set(master, `queue-${i}`);
  }
  return [...byMaster.values()] as [string, string, string];
}

function seedsOf({ seeds }: Pick<RedisCluster, 'seeds'>): string[] {
  return seeds.map(({ host, port }) => `${host}:${port}`);
}

function open(cluster: RedisCluster, options: EngineOptions = {}): Promise<TaskQueue> {
  const redis = {
    url: undefined,
    cluster: seedsOf(cluster),
    commandTimeout: '1s',
    ...options.redis,
  } as const;
  return here.open({ ...options, redis });
}

/** What one node answers, past everything that knows of a Cluster. */
async function ask(node: RedisClusterNode, ...[name, ...args]: [string, ...string[]]): Promise<unknown> {
  const admin = new Redis(node.port, node.host);
  const answer = await admin.call(name, ...args);
  admin.disconnect();
  return answer;
}

/** Cuts a master off from its replica, but not from its clients; nobody new is let in. */
async function cutOff(master: RedisClusterNode): Promise<void> {
  const admin = new Redis(master.port, master.host);
  await admin.config('SET', 'requirepass', 'x');
  await admin.call('CLIENT', 'KILL', 'TYPE', 'replica');
  admin.disconnect();
}

describe('in a Cluster', () => {
  let cluster: RedisCluster;
  let queues: [string, string, string];

  /** Links that wait for tasks, on all nodes together. */
  const readers = async (): Promise<number> => {
    const lists = await Promise.all(cluster.nodes.map((node) => ask(node, 'CLIENT', 'LIST')));
    return lists.join('').split('name=taskq:blocking').length - 1;
  };

  beforeAll(async () => {
    cluster = await startRedisCluster();
    queues = await apart(cluster);
  }, 60_000);
  afterAll(() => cluster?.stop());

  it('tasks of queues on every master are enqueued, run, retried, delayed, buried and replayed', async () => {
    const engine = await open(cluster);
    const facts = watch(engine);
    const ran: string[] = [];
    await here.work(
      engine,
      ...queues.map((queue) =>
        handler(
          'a',
          (payload, { attempt }) => {
            ran.push(`${queue} ${JSON.stringify(payload)}`);
            if (payload === 'dies' || (payload === 'fails' && attempt === 1)) throw new Error('asked to');
          },
          { queue, maxAttempts: 2 },
        ),
      ),
    );
    const begun = performance.now();
    const answers = await Promise.all(
      queues.flatMap((queue) => [
        ...range(10).map((n) => engine.producer.enqueue('a', n, { queue })),
        engine.producer.enqueue('a', 'fails', { queue }),
        engine.producer.enqueue('a', 'dies', { queue }),
        engine.producer.enqueue('a', 'later', { queue, delay: 300 }),
        engine.producer.enqueue('a', 'mine', { queue, id: 'mine' }),
      ]),
    );
    await facts.until('task.completed', { count: 39 });
    await facts.until('task.dead', { count: 3 });
    const [later] = await facts.until('task.completed', { id: answers[12]!.id });

    expect(later!.at - begun).toBeGreaterThan(290);
    expect(ran).toHaveLength(3 * (10 + 2 + 2 + 1 + 1));
    for (const queue of queues) {
      expect(await engine.inspector.counts(queue)).toMatchObject({ active: 0, scheduled: 0, dead: 1 });
      const [letter] = await engine.broker.listDeadLetters(queue, '', 10);
      expect(await engine.broker.replay(queue, [letter!])).toBe(1);
    }
    await facts.until('task.dead', { count: 6 });
  });

  it('one worker reads queues of one slot together, and those of others each by itself', async () => {
    const engine = await open(cluster);

    expect((await engine.broker.fetchGroups(queues)).map((part) => [...part])).toEqual(
      queues.map((queue) => [queue]),
    );
    expect((await engine.broker.fetchGroups([queues[0], queues[0]])).length).toBe(1);
  });

  it('the slot of every name is what Redis says it is', async () => {
    const engine = await open(cluster);
    // Two queues are read together when, and only when, they are in one slot.
    const names = range(40).map((n) => `q_${n * n}.${'x'.repeat(n % 7)}-${n}`);
    const slots = await Promise.all(names.map((name) => cluster.slotOf(`{${name}}`)));
    const parts = await engine.broker.fetchGroups(names);

    expect(parts.length).toBe(new Set(slots).size);
    for (const name of names.slice(0, 6)) await engine.producer.enqueue('a', name, { queue: name });
  });

  it('a level of durability is confirmed by the replica of the queue’s own master', async () => {
    const engine = await open(cluster, { tasks: { durability: { replicated: 1 } } });
    for (const queue of queues) {
      await expect(engine.producer.enqueue('a', 1, { queue })).resolves.toMatchObject({
        status: 'accepted',
        durability: { replicated: 1 },
      });
    }
    const refused = await rejection(
      engine.producer.enqueue('a', 1, { queue: queues[0], durability: { replicated: 2 } }),
    );

    expect(refused).toMatchObject({ code: 'TASKQ_DURABILITY_UNAVAILABLE' });
  });

  it('a client for the application’s own use finds every key', async () => {
    const engine = await open(cluster);
    const { client } = engine.broker;
    for (const n of range(10)) await client.set(`${here.prefix}:own:${n}`, n);

    expect(await client.get(`${here.prefix}:own:7`)).toBe('7');
  });

  it('an idle worker follows its queue to another master, and everybody is answered meanwhile', async () => {
    const engine = await open(cluster);
    const facts = watch(engine);
    const [queue, other] = queues;
    await here.work(
      engine,
      handler('a', () => undefined, { queue }),
    );
    await engine.producer.enqueue('a', 'before', { queue });
    await facts.until('task.completed');
    const slot = await cluster.slotOf(`{${queue}}`);
    const [home, away] = await Promise.all([cluster.masterOf(`{${queue}}`), cluster.masterOf(`{${other}}`)]);
    for (const [i, to] of [away, home].entries()) {
      await cluster.migrateSlot(slot, to, { pauseMsBetweenKeys: 20 });
      // Nobody has told this process yet: neither call may end with "it has moved".
      expect((await engine.inspector.counts(queue)).active).toBe(0);
      const begun = performance.now();
      const { id } = await engine.producer.enqueue('a', i, { queue });
      const [done] = await facts.until('task.completed', { id });
      expect(done!.at - begun).toBeLessThan(1500);
    }

    expect(facts.of('data.lost')).toEqual([]);
    expect(facts.of('task.reclaimed')).toEqual([]);
    // Nothing is left where the queue was: one link reads, at home.
    await waitFor(async () => (await readers()) === 1, { what: 'one blocking link' });
  });

  it('calls are answered while a slot is on its way, half here and half there', async () => {
    const engine = await open(cluster);
    const [queue, other] = queues;
    await Promise.all(range(30).map((n) => engine.producer.enqueue('a', n, { queue, id: `own-${n}` })));
    const slot = await cluster.slotOf(`{${queue}}`);
    const [home, away] = await Promise.all([cluster.masterOf(`{${queue}}`), cluster.masterOf(`{${other}}`)]);
    const over = new AbortController();
    const moving = cluster.migrateSlot(slot, away, { pauseMsBetweenKeys: 3 }).then(() => over.abort());
    let asked = 0;
    for (; !over.signal.aborted; asked += 1) {
      expect((await engine.inspector.counts(queue)).ready.normal).toBe(30 + asked);
      await engine.producer.enqueue('a', 'meanwhile', { queue });
    }
    await moving;
    await cluster.migrateSlot(slot, home);

    expect(asked).toBeGreaterThan(0);
    expect((await engine.inspector.counts(queue)).ready.normal).toBe(30 + asked);
  });

  it('a worker that stops while it waits on two masters stops at once', async () => {
    const engine = await open(cluster);
    const worker = await here.work(
      engine,
      ...queues.map((queue) => handler('a', () => undefined, { queue })),
    );
    await lasting(300);
    const { tookMs } = await worker.stop();

    expect(tookMs).toBeLessThan(1000);
  });
});

describe('a master that hands over by command', () => {
  it('is followed under load: nothing is lost and nothing runs twice', async () => {
    const cluster = await startRedisCluster();
    here.track({ close: () => cluster.stop() });
    const [queue] = await apart(cluster);
    const engine = await open(cluster);
    const facts = watch(engine);
    const ran: unknown[] = [];
    await here.work(
      engine,
      handler('a', (n) => void ran.push(n), { queue }),
    );
    const over = new AbortController();
    let count = 0;
    const load = (async () => {
      for (; !over.signal.aborted; count += 1) await engine.producer.enqueue('a', count, { queue });
    })();
    await facts.until('task.completed', { count: 50 });
    const master = await cluster.masterOf(`{${queue}}`);
    const [replica] = await cluster.replicasOf(master);
    const begun = performance.now();
    await cluster.failover(replica!);
    await facts.until('task.completed', { where: ({ at }) => at > begun + 100, timeoutMs: 8000 });
    const [next] = facts.of('task.completed').filter(({ at }) => at > begun + 100);
    await lasting(300);
    over.abort();
    await load;
    await here.untilEmpty(engine, 10_000, queue);

    expect(next!.at - begun).toBeLessThan(4000);
    expect(ran).toHaveLength(count);
    expect(new Set(ran)).toEqual(new Set(range(count)));
    expect(facts.of('broker.reconnected').length).toBeGreaterThan(0);
    expect(facts.of('data.lost')).toEqual([]);
  }, 40_000);
});

describe('a master that dies', () => {
  it('while its replica lags: what it had accepted is offered to the new one, which is said', async () => {
    const cluster = await startRedisCluster();
    here.track({ close: () => cluster.stop() });
    const [queue, other] = await apart(cluster);
    const engine = await open(cluster);
    const facts = watch(engine);
    await engine.producer.enqueue('a', 'replicated', { queue });
    const master = await cluster.masterOf(`{${queue}}`);
    const [replica] = await cluster.replicasOf(master);
    await lasting(200);
    await cutOff(master);
    const lost = await Promise.all(range(10).map((n) => engine.producer.enqueue('a', n, { queue })));
    await master.kill();
    const meanwhile = await engine.producer.enqueue('a', 'elsewhere', { queue: other });
    await cluster.failover(replica!, { force: true });
    const after = await engine.producer.enqueue('a', 'afterwards', { queue });
    await facts.until('data.reoffered', { where: ({ accepted }) => accepted > 0 });
    await waitFor(() => engine.losses.reoffered >= 10, { what: 'all to be offered again' });
    const ran = new Set<string>();
    await here.work(
      engine,
      handler('a', (_payload, { id }) => void ran.add(id), { queue }),
    );
    await facts.until('task.completed', { count: 12 });

    expect(meanwhile.status).toBe('accepted');
    expect([...lost.map(({ id }) => id), after.id].filter((id) => !ran.has(id))).toEqual([]);
    expect(facts.of('data.lost').every(({ how }) => how !== 'deleted')).toBe(true);
  }, 40_000);

  it('while an engine is opened: it waits for the next', async () => {
    const cluster = await startRedisCluster();
    here.track({ close: () => cluster.stop() });
    const [queue] = await apart(cluster);
    const master = await cluster.masterOf(`{${queue}}`);
    await master.kill();
    const engine = await open(cluster, { redis: { connectTimeout: '15s' } });

    await expect(engine.producer.enqueue('a', 1, { queue })).resolves.toMatchObject({ status: 'accepted' });
  }, 40_000);

  it('for good: an engine that is opened says which slots nobody has, or which node does not answer', async () => {
    const cluster = await startRedisCluster({ replicasPerMaster: 0 });
    here.track({ close: () => cluster.stop() });
    const [queue] = await apart(cluster);
    const master = await cluster.masterOf(`{${queue}}`);
    const engine = await open(cluster);
    await engine.producer.enqueue('a', 1, { queue });
    await master.kill();
    const error = await rejection(open(cluster, { redis: { connectTimeout: '1500ms' } }));

    expect(error).toBeInstanceOf(RedisUnusableError);
    expect(error.message).toContain(`:${master.port}`);
    expect(error.fix).toContain('redis.cluster');

    // And one that is open can be closed.
    const begun = performance.now();
    const calls = Promise.allSettled([engine.inspector.counts(queue), engine.inspector.ping()]);
    await engine.close();
    expect(performance.now() - begun).toBeLessThan(2000);
    await calls;
  }, 40_000);

  it('with every other: an engine that is open can be closed at any time', async () => {
    const cluster = await startRedisCluster({ replicasPerMaster: 0 });
    here.track({ close: () => cluster.stop() });
    const [queue, other] = await apart(cluster);
    const engine = await open(cluster, { producer: { timeout: '1s' } });
    await here.work(
      engine,
      handler('a', () => undefined, { queue }),
      handler('a', () => undefined, { queue: other }),
    );
    await engine.producer.enqueue('a', 1, { queue });
    await Promise.all(cluster.nodes.map((node) => node.kill()));
    const error = await rejection(engine.producer.enqueue('a', 2, { queue }));

    // The harness stops the worker, closes the engine, and fails when a socket or timer outlives that.
    expect(error.code).toMatch(/^TASKQ_/);
  }, 40_000);
});
