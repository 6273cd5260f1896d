import { Redis } from 'ioredis';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type RedisNode, type RedisSentinel, startRedisSentinel, waitFor } from '@taskq/testing';
import { forgetRedisVariables } from './bare-machine.js';
import { leftAfterStop, Opened, replicationField } from './redis-group.js';

const NOTHING = { processes: [], folders: [] };
const opened = new Opened();

beforeEach(forgetRedisVariables);
afterEach(async () => {
  await opened.closeAll();
  vi.unstubAllEnvs();
});

/** A connection that finds the primary by itself, as an application's does. */
function follow({ name, sentinels }: RedisSentinel): Redis {
  return opened.client(
    new Redis({ name, sentinels: [...sentinels], failoverDetector: true, sentinelRetryStrategy: () => 50 }),
  );
}

function waitForNewPrimary(group: RedisSentinel, old: RedisNode): Promise<RedisNode> {
  return waitFor(
    async () => {
      const primary = await group.primary();
      return primary === old ? undefined : primary;
    },
    { what: 'a new primary', timeoutMs: 30_000, intervalMs: 50 },
  );
}

describe('startRedisSentinel', () => {
  it('gives three sentinels that know a primary, its replica and each other', async () => {
    const group = await opened.group(startRedisSentinel());
    expect([group.servers.length, group.sentinels.length]).toEqual([2, 3]);
    expect(await group.primary()).toBe(group.servers[0]);
    for (const sentinel of group.sentinelServers) {
      const client = opened.connect(sentinel);
      expect(await client.call('SENTINEL', 'CKQUORUM', group.name)).toMatch(/^OK 3 usable Sentinels/);
      expect(await client.call('SENTINEL', 'REPLICAS', group.name)).toHaveLength(1);
    }

    const client = follow(group);
    await client.set('key', 'value');
    expect(await opened.connect(group.servers[0]!).get('key')).toBe('value');
  });

  it('takes other numbers', async () => {
    const group = await opened.group(
      startRedisSentinel({ replicas: 2, sentinels: 1, downAfterMs: 700, failoverTimeoutMs: 5_000 }),
    );
    const state = await opened.connect(group.sentinelServers[0]!).call('SENTINEL', 'MASTER', group.name);

    expect(group.servers).toHaveLength(3);
    expect(Object.entries(tableOf(state))).toEqual(
      expect.arrayContaining([
        ['quorum', '1'],
        ['num-slaves', '2'],
        ['down-after-milliseconds', '700'],
        ['failover-timeout', '5000'],
      ]),
    );
  });

  it.each([{ replicas: 0 }, { sentinels: 0 }, { quorum: 4 }, { downAfterMs: 0.5 }])(
    'refuses %o',
    async (options) => {
      await expect(startRedisSentinel(options)).rejects.toThrow(RangeError);
    },
  );
});

describe('a failover', { timeout: 60_000 }, () => {
  it('follows kill -9 of the primary, which comes back as a replica, with its data', async () => {
    const args = ['--appendonly', 'yes', '--appendfsync', 'always'];
    const group = await opened.group(startRedisSentinel({ args }));
    const client = follow(group);
    await client.set('before', '1');
    await client.wait(1, 5_000);
    const old = await group.primary();
    await old.kill();
    const queued = client.set('after', '2');
    const primary = await waitForNewPrimary(group, old);

    expect(await queued).toBe('OK');
    expect(await opened.connect(primary).mget('before', 'after')).toEqual(['1', '2']);
    await old.restart();
    await group.untilReady();
    const returned = opened.connect(old);
    expect(await replicationField(returned, 'role')).toBe('slave');
    expect(await returned.mget('before', 'after')).toEqual(['1', '2']);

    // Its configuration file says so, now: it need not be told a second time.
    await Promise.all([old.restart(), primary.restart()]);
    expect(await replicationField(opened.connect(old), 'role')).toBe('slave');
    expect(await replicationField(opened.connect(primary), 'role')).toBe('master');
  });

  it('follows a freeze of the primary, which is made a replica when it goes on', async () => {
    const group = await opened.group(startRedisSentinel());
    const old = await group.primary();
    await old.freeze();
    const primary = await waitForNewPrimary(group, old);
    await opened.connect(primary).set('key', 'new');
    await old.thaw();
    await group.untilReady();

    expect(await group.primary()).toBe(primary);
    expect(await replicationField(opened.connect(old), 'role')).toBe('slave');
    expect(await opened.connect(old).get('key')).toBe('new');
  });

  it('can be asked for, and works with one sentinel frozen and one restarted', async () => {
    const group = await opened.group(startRedisSentinel({ replicas: 2 }));
    const first = await group.primary();
    await group.failover();
    expect(await group.primary()).not.toBe(first);
    await group.untilReady();

    await group.sentinelServers[0]!.freeze();
    await group.sentinelServers[1]!.kill();
    await group.sentinelServers[1]!.restart();
    const second = await group.primary();
    await second.kill();
    expect(await waitForNewPrimary(group, second)).not.toBe(second);
  });
});

it('primary() says when no sentinel answers', async () => {
  const group = await opened.group(startRedisSentinel({ sentinels: 1 }));
  await group.sentinelServers[0]!.kill();

  await expect(group.primary()).rejects.toThrow(/No sentinel answers/);
  await expect(group.failover()).rejects.toThrow(/down or frozen/);
});

it('leaves no process and no folder', async () => {
  const group = await opened.group(startRedisSentinel());
  await group.servers[1]!.freeze();
  await group.sentinelServers[0]!.freeze();
  await group.sentinelServers[1]!.kill();

  expect(await leftAfterStop(group, [...group.servers, ...group.sentinelServers])).toEqual(NOTHING);
});

function tableOf(flat: unknown): Record<string, string> {
  const words = flat as string[];
  return Object.fromEntries(words.flatMap((word, i) => (i % 2 === 0 ? [[word, words[i + 1] ?? '']] : [])));
}
