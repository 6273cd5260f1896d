import { randomBytes } from 'node:crypto';
import { Cluster, type Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { type RedisCluster, type RedisClusterNode, startRedisCluster, waitFor } from '@taskq/testing';
import { forgetRedisVariables } from './bare-machine.js';
import { leftAfterStop, Opened, replicationField } from './redis-group.js';

const NOTHING = { processes: [], folders: [] };
const opened = new Opened();
const clients = new Opened();
/** Shared: every test leaves it whole. */
let cluster: RedisCluster;

beforeAll(async () => {
  forgetRedisVariables();
  cluster = await opened.group(startRedisCluster());
}, 60_000);
beforeEach(forgetRedisVariables);
afterEach(async () => {
  await clients.closeAll();
  vi.unstubAllEnvs();
});
afterAll(() => opened.closeAll());

function connect(node: RedisClusterNode): Redis {
  return clients.connect(node);
}

/** A connection that finds the nodes by itself, as an application's does. */
function follow(group: RedisCluster): Cluster {
  return clients.client(new Cluster([...group.seeds], { clusterRetryStrategy: () => 50 }));
}

/** The replica that took over, once the cluster's nodes say so. */
function waitForNewMaster(key: string, old: RedisClusterNode): Promise<RedisClusterNode> {
  return waitFor(
    async () => {
      const master = await cluster.masterOf(key);
      return master === old ? undefined : master;
    },
    { what: 'a new master', timeoutMs: 30_000, intervalMs: 50 },
  );
}

/** A master that does not own the key. */
async function anotherMaster(key: string): Promise<RedisClusterNode> {
  const owner = await cluster.masterOf(key);
  for (const node of cluster.nodes) {
    if (node !== owner && (await replicationField(connect(node), 'role')) === 'master') return node;
  }
  throw new Error('There is no other master');
}

describe('startRedisCluster', () => {
  it('gives six nodes that agree on the slots, and list every replica', async () => {
    expect(cluster.nodes).toHaveLength(6);
    expect(cluster.seeds).toEqual(cluster.nodes.map(({ host, port }) => ({ host, port })));
    for (const node of cluster.nodes) {
      expect(node.port + 10_000).toBeLessThan(65_536);
      expect(await connect(node).cluster('MYID')).toBe(node.id);
      const ranges = (await connect(node).cluster('SLOTS')) as [number, number, ...unknown[]][];
      expect(ranges.map(([first, last]) => [first, last]).toSorted(([a = 0], [b = 0]) => a - b)).toEqual([
        [0, 5_460],
        [5_461, 10_921],
        [10_922, 16_383],
      ]);
      for (const other of cluster.nodes) expect(JSON.stringify(ranges)).toContain(other.id);
    }
  });

  it('names the master of a key, and its replica', async () => {
    expect(await cluster.slotOf('foo')).toBe(12_182);
    expect(await cluster.slotOf('x{foo}y')).toBe(12_182);
    const master = await cluster.masterOf('foo');
    await connect(master).set('foo', 'bar');
    expect(master).toBe(cluster.nodes[2]);
    await expect(connect(cluster.nodes[0]!).get('foo')).rejects.toThrow(
      `MOVED 12182 ${master.host}:${master.port}`,
    );

    const [replica, ...more] = await cluster.replicasOf(master);
    expect(more).toEqual([]);
    expect(await replicationField(connect(replica!), 'master_port')).toBe(String(master.port));
  });

  it.each([{ masters: 0 }, { replicasPerMaster: -1 }, { nodeTimeoutMs: 1.5 }])(
    'refuses %o',
    async (options) => {
      await expect(startRedisCluster(options)).rejects.toThrow(RangeError);
    },
  );
});

describe('a failover', { timeout: 60_000 }, () => {
  afterEach(async () => {
    for (const node of cluster.nodes) await (node.pid === undefined ? node.restart() : node.thaw());
    await cluster.untilReady();
  }, 60_000);

  it('follows kill -9 of a master, which comes back as a replica with the same id and port', async () => {
    const client = follow(cluster);
    await client.set('foo', 'before');
    const old = await cluster.masterOf('foo');
    await connect(old).wait(1, 5_000);
    await old.kill();
    const master = await waitForNewMaster('foo', old);

    expect(await client.get('foo')).toBe('before');
    await old.restart();
    await cluster.untilReady();
    expect(await connect(old).cluster('MYID')).toBe(old.id);
    expect(await cluster.replicasOf(master)).toEqual([old]);
  });

  it('follows a freeze of a master, which is a replica when it goes on', async () => {
    const old = await cluster.masterOf('foo');
    await old.freeze();
    const master = await waitForNewMaster('foo', old);
    await connect(master).set('foo', 'new');
    await old.thaw();
    await cluster.untilReady();

    expect(await cluster.masterOf('foo')).toBe(master);
    expect(await cluster.replicasOf(master)).toEqual([old]);
  });

  it('can be asked for', async () => {
    const old = await cluster.masterOf('foo');
    const [replica] = await cluster.replicasOf(old);
    await cluster.failover(replica!);

    expect(await cluster.masterOf('foo')).toBe(replica);
    expect(await cluster.replicasOf(replica!)).toEqual([old]);
    await expect(cluster.failover(replica!)).rejects.toThrow(/not an answering replica/);
  });

  it('can be asked for again and again', async () => {
    for (let i = 0; i < 2; i += 1) {
      const old = await cluster.masterOf('foo');
      const [replica] = await cluster.replicasOf(old);
      await cluster.failover(replica!);
      expect(await cluster.masterOf('foo')).toBe(replica);
    }
  });

  it('can be forced when the master does not answer, also upon a node that was elected just before', async () => {
    const old = await cluster.masterOf('foo');
    await old.freeze();
    const elected = await waitForNewMaster('foo', old);
    await old.thaw();
    await cluster.untilReady();
    await cluster.failover(old);
    await old.freeze();
    await cluster.failover(elected, { force: true });

    expect(await cluster.masterOf('foo')).toBe(elected);
  });
});

describe('migrateSlot', () => {
  it('moves the keys of a slot, whatever their names, and everybody knows', async () => {
    const from = await cluster.masterOf('{move}');
    const to = await anotherMaster('{move}');
    const names = Array.from({ length: 250 }, (_, i) =>
      Buffer.concat([Buffer.from('{move}'), Buffer.from([i]), randomBytes(8)]),
    );
    const client = follow(cluster);
    for (const name of names) await client.set(name, name);
    const slot = await cluster.slotOf('{move}');
    await cluster.migrateSlot(slot, to);

    expect(await connect(from).cluster('COUNTKEYSINSLOT', slot)).toBe(0);
    expect(await connect(to).cluster('COUNTKEYSINSLOT', slot)).toBe(names.length);
    expect(await cluster.masterOf('{move}')).toBe(to);
    await expect(connect(from).get('{move}')).rejects.toThrow(`MOVED ${slot} ${to.host}:${to.port}`);
    const values = await Promise.all(names.map((name) => client.getBuffer(name)));
    expect(values.every((value, i) => value?.equals(names[i]!))).toBe(true);
    await cluster.untilReady();
  });

  it('goes on key by key while the slot is in use', async () => {
    const from = await cluster.masterOf('{slow}');
    const to = await anotherMaster('{slow}');
    const slot = await cluster.slotOf('{slow}');
    const client = follow(cluster);
    for (let i = 0; i < 4; i += 1) await client.set(`{slow}${i}`, 'old');
    const countAt = (node: RedisClusterNode): Promise<unknown> =>
      connect(node).cluster('COUNTKEYSINSLOT', slot);

    const migration = cluster.migrateSlot(slot, to, { pauseMsBetweenKeys: 200 });
    await waitFor(async () => (await countAt(to)) === 1, { what: 'the first key to be moved' });
    expect(await countAt(from)).toBe(3);
    expect(await cluster.masterOf('{slow}')).toBe(from);
    // What is not there yet is made where the slot goes to.
    await client.set('{slow}new', 'new');
    await client.set('{slow}0', 'changed');
    await migration;

    expect(await cluster.masterOf('{slow}')).toBe(to);
    expect([await countAt(from), await countAt(to)]).toEqual([0, 5]);
    expect(await connect(to).mget('{slow}0', '{slow}1', '{slow}new')).toEqual(['changed', 'old', 'new']);
  });

  it('does nothing for the owner, and refuses what cannot be', async () => {
    const owner = await cluster.masterOf('foo');
    const [replica] = await cluster.replicasOf(owner);
    await cluster.migrateSlot(await cluster.slotOf('foo'), owner);

    await expect(cluster.migrateSlot(0, replica!)).rejects.toThrow(/not an answering master/);
    await expect(cluster.migrateSlot(16_384, owner)).rejects.toThrow(RangeError);
  });
});

describe('a cluster of its own', { timeout: 60_000 }, () => {
  it('keeps data, ids and slots when every node is killed and restarted, then leaves nothing', async () => {
    const args = ['--appendonly', 'yes', '--appendfsync', 'always'];
    const own = await opened.group(startRedisCluster({ args, replicasPerMaster: 0, nodeTimeoutMs: 2_000 }));
    expect(own.nodes).toHaveLength(3);
    const before = await own.masterOf('kept');
    await connect(before).set('kept', 'yes');
    expect(await connect(before).config('GET', 'cluster-node-timeout')).toContain('2000');

    await Promise.all(own.nodes.map((node) => node.kill()));
    await expect(own.slotOf('kept')).rejects.toThrow(/down or frozen/);
    await Promise.all(own.nodes.map((node) => node.restart()));
    await own.untilReady();
    expect(await own.masterOf('kept')).toBe(before);
    expect(await connect(before).get('kept')).toBe('yes');

    await before.freeze();
    await expect(own.masterOf('kept')).rejects.toThrow(/No node that answers owns slot/);
    await own.nodes.find((node) => node !== before)!.kill();
    expect(await leftAfterStop(own, own.nodes)).toEqual(NOTHING);
  });
});
