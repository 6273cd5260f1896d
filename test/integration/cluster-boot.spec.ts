import { RedisUnusableError } from '@taskq/core';
import { freePort, type RedisCluster, type RedisClusterNode, startRedisCluster } from '@taskq/testing';
import { Redis } from 'ioredis';
import { expect, it } from 'vitest';
import { lab, range, rejection } from './harness.js';

const here = lab({ listen: 'port' });

/** A Cluster for one test. */
async function clusterOf(masters: number): Promise<RedisCluster> {
  const cluster = await startRedisCluster({ masters, replicasPerMaster: 0 });
  here.track({ close: () => cluster.stop() });
  return cluster;
}

function addressesOf({ seeds }: RedisCluster): string[] {
  return seeds.map(({ host, port }) => `${host}:${port}`);
}

/** From now on the node tells clients to call it by a name. It has none. */
async function preferNames(node: RedisClusterNode): Promise<void> {
  const admin = new Redis(node.port, node.host);
  await admin.config('SET', 'cluster-preferred-endpoint-type', 'hostname');
  admin.disconnect();
}

it('the boot is refused by a server that is no Cluster, with what to set instead', async () => {
  const cluster = [here.server.url.replace('redis://', '')];
  const error = await rejection(here.open({ redis: { url: undefined, cluster } }));

  expect(error).toBeInstanceOf(RedisUnusableError);
  expect(error.message).toMatch(/is no Cluster/);
  expect(error.fix).toContain('redis.url');
});

it('the boot is refused when no node answers, with all that were asked', async () => {
  const ports = await Promise.all([freePort(), freePort()]);
  const cluster = ports.map((port) => `127.0.0.1:${port}`);
  const begun = performance.now();
  const error = await rejection(here.open({ redis: { url: undefined, cluster, connectTimeout: '700ms' } }));

  expect(error).toBeInstanceOf(RedisUnusableError);
  for (const port of ports) expect(error.message).toContain(`127.0.0.1:${port}: ECONNREFUSED`);
  expect(performance.now() - begun).toBeLessThan(2000);
});

it('the boot is refused by a node of a Cluster that is named alone', async () => {
  const cluster = await clusterOf(1);
  for (const unsafe of ['refuse', 'warn'] as const) {
    const error = await rejection(here.open({ redis: { url: cluster.nodes[0]!.url, unsafe } }));

    expect(error).toBeInstanceOf(RedisUnusableError);
    expect(error.message).toMatch(/node of a Cluster.*set redis\.cluster/);
    expect(error.fix).toMatch(/redis\.cluster.*in place of redis\.url and redis\.addr/);
  }
});

it('the boot warns once of what is true of every node', async () => {
  const cluster = await clusterOf(3);
  const warnings: string[] = [];
  const warn = (message: string): unknown => warnings.push(message);
  const logger = { debug: () => undefined, info: () => undefined, warn, error: warn };
  await here.open({ redis: { url: undefined, cluster: addressesOf(cluster) } }, { logger });

  expect(warnings).toEqual([expect.stringContaining('it appends nothing to a file')]);
});

it('the boot is no matter of names: nodes that are to be called by one and have none are found by their address', async () => {
  const cluster = await clusterOf(3);
  for (const node of cluster.nodes) await preferNames(node);
  const engine = await here.open({ redis: { url: undefined, cluster: addressesOf(cluster) } });

  for (const n of range(6)) await engine.producer.enqueue('a', n, { queue: `q${n}` });
  expect(await engine.inspector.ping()).toBeGreaterThan(0);
});

it('the boot is refused by a node that is named alone with another database, with the option that is meant', async () => {
  const cluster = await clusterOf(1);
  const error = await rejection(here.open({ redis: { url: `${cluster.nodes[0]!.url}/1` } }));

  expect(error).toBeInstanceOf(RedisUnusableError);
  expect(error.fix).toContain('redis.cluster');
});

it('the boot needs one node that answers, whichever it is', async () => {
  const cluster = await clusterOf(3);
  const dead = `127.0.0.1:${await freePort()}`;
  const engine = await here.open({
    redis: { url: undefined, cluster: [dead, addressesOf(cluster)[2]!] },
  });

  for (const n of range(6)) await engine.producer.enqueue('a', n, { queue: `q${n}` });
  expect(await engine.inspector.ping()).toBeGreaterThan(0);
});
