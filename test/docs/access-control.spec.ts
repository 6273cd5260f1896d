import { randomUUID } from 'node:crypto';
import {
  type Durability,
  type EnqueueResult,
  HandlerRegistry,
  type RedisOptions,
  TaskQueue,
} from '@taskq/core';
import {
  type RedisReplication,
  type RedisServer,
  startRedisReplication,
  startRedisSentinel,
  startRedisServer,
  waitFor,
} from '@taskq/testing';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DOCUMENT } from './documented-options.js';
import { codeBlocks } from './markdown.js';
import { shellWords } from './redis.js';

const PREFIX = 'taskq';
const LOGIN = { username: 'taskq', password: 'secret' };

/** A line that sets up a user: the command as it is sent, and the remark behind it. */
interface Rights {
  readonly command: readonly string[];
  readonly remark: string;
}

/** The lines of every block that sets up a user, in the order of the document: basic rights first. */
const lines: readonly Rights[] = codeBlocks(DOCUMENT)
  .flatMap(({ code }) => code.replaceAll('\\\n', ' ').split('\n'))
  .filter((line) => line.includes('ACL SETUSER'))
  .map((line) => {
    const [written = '', remark = ''] = line.split(/ +# /);
    const words = shellWords(written);
    return { command: words.slice(words.indexOf('ACL')), remark };
  });
const basic = lines[0]!;
const ofSentinel = lines.at(-1)!;
const rightsFor = (remark: string): Rights => lines.find((line) => line.remark.startsWith(remark))!;

/** Gives the user of the document these rights, on a server where it has no others. */
async function allow(admin: Redis, ...rights: readonly Rights[]): Promise<void> {
  await admin.call('ACL', 'DELUSER', LOGIN.username);
  for (const { command } of rights) {
    const [first = '', ...rest] = command;
    await admin.call(first, ...rest);
  }
}

/** Enqueues two tasks, runs them, one of them twice, and looks at what there is; answers what was accepted how. */
async function work(
  redis: RedisOptions,
  durability: Durability = 'accepted',
): Promise<readonly EnqueueResult[]> {
  const options = { redis: { persistence: 'ignore', ...redis }, worker: { heartbeatThread: false } } as const;
  const engine = await TaskQueue.open({ ...options, prefix: PREFIX }, { random: () => 0 });
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
    const keys = { deduplicate: true, idempotencyKey: randomUUID() } as const;
    const answers = [
      await engine.producer.enqueue('t', 1, { ...keys, durability }),
      await engine.producer.enqueue('t', 2, { durability }),
    ];
    await waitFor(() => runs === 3, { what: 'two tasks and one more attempt' });
    await engine.inspector.counts('default');
    return answers;
  } finally {
    const report = await worker.stop();
    await engine.close();
    expect(report).toMatchObject({ released: 0, stuck: 0 });
  }
}

/** What {@link work} answers when all went well. */
const done = (durability: Durability) =>
  [1, 2].map(() => ({ id: expect.any(String) as string, status: 'accepted', durability }));

describe('a user with the rights of the document, on one server', () => {
  let server: RedisServer;
  let admin: Redis;
  let login: RedisOptions;

  beforeAll(async () => {
    server = await startRedisServer({ args: ['--appendonly', 'yes', '--appendfsync', 'always'] });
    admin = new Redis(server.url);
    login = { url: server.url, ...LOGIN };
  });
  afterAll(async () => {
    admin?.disconnect();
    await server?.stop();
  });

  it('can enqueue, run, retry and look', async () => {
    await allow(admin, basic);

    expect(await work(login)).toEqual(done('accepted'));

    const outsider = new Redis(server.url, { ...LOGIN, retryStrategy: () => null });
    await expect(outsider.get('other')).rejects.toThrow('NOPERM');
    outsider.disconnect();
  });

  it('is told what it cannot have, and can have it with the rights for that', async () => {
    await allow(admin, basic);
    await expect(work(login, 'durable')).rejects.toMatchObject({ code: 'TASKQ_DURABILITY_UNAVAILABLE' });
    await allow(admin, basic, rightsFor("durability 'durable' by appendfsync always"));

    expect(await work(login, 'durable')).toEqual(done('durable'));
  });

  it('can wait for the disk, where Redis knows how', async ({ skip }) => {
    const knows = await admin.command('INFO', 'WAITAOF');
    if (!Array.isArray(knows[0])) skip(`Redis ${server.version} does not know WAITAOF`);
    await allow(admin, basic, rightsFor("durability 'durable' on Redis 7.2"));

    expect(await work(login, 'durable')).toEqual(done('durable'));
  });
});

describe('a user with the rights of the document, elsewhere', () => {
  it('can wait for replicas', async () => {
    const servers: RedisReplication = await startRedisReplication();
    const admin = new Redis(servers.primary.url);
    try {
      await allow(admin, basic, rightsFor('durability { replicated: k }'));

      expect(await work({ url: servers.primary.url, ...LOGIN }, { replicated: 1 })).toEqual(
        done({ replicated: 1 }),
      );
    } finally {
      admin.disconnect();
      await servers.stop();
    }
  });

  it('can use a Cluster', async () => {
    const server = await startRedisServer({ listen: 'port', args: ['--cluster-enabled', 'yes'] });
    const admin = new Redis(server.url);
    try {
      await admin.call('CLUSTER', 'ADDSLOTSRANGE', 0, 16_383);
      await waitFor(async () => /cluster_state:ok/.test(String(await admin.cluster('INFO'))), {
        what: 'the Cluster to be one',
      });
      await allow(admin, basic, rightsFor('redis.cluster'));

      expect(await work({ cluster: [new URL(server.url).host], ...LOGIN })).toEqual(done('accepted'));
    } finally {
      admin.disconnect();
      await server.stop();
    }
  });

  it('of the Sentinels can find the primary, and hears of a failover', async () => {
    const group = await startRedisSentinel({ sentinels: 1 });
    const sentinel = new Redis(group.sentinelServers[0]!.url);
    const admin = new Redis((await group.primary()).url);
    try {
      await allow(sentinel, ofSentinel);
      await allow(admin, basic);

      const answers = await work({
        sentinels: group.sentinels.map(({ host, port }) => `${host}:${port}`),
        sentinelName: group.name,
        sentinelUsername: LOGIN.username,
        sentinelPassword: LOGIN.password,
        ...LOGIN,
      });

      expect(answers).toEqual(done('accepted'));
      // Nor was it refused anything: without a subscription it would work just as well, until a failover.
      expect(await sentinel.call('ACL', 'LOG')).toEqual([]);
    } finally {
      sentinel.disconnect();
      admin.disconnect();
      await group.stop();
    }
  });
});
