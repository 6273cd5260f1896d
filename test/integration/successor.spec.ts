import { silentLogger } from '@taskq/core';
import { type RedisClusterNode, startRedisCluster, waitFor } from '@taskq/testing';
import { Redis } from 'ioredis';
import { describe, expect, it } from 'vitest';
import { handler, lab, watch } from './harness.js';

const here = lab();

/** Lets a node delete keys when its memory is short. */
async function letEvict({ host, port }: RedisClusterNode): Promise<void> {
  const admin = new Redis(port, host);
  await admin.config('SET', 'maxmemory-policy', 'allkeys-lru');
  await admin.quit();
}

describe('a master of a Cluster that was none at the start', () => {
  it('is told of where it would have been refused then, also where it has none of our queues; tasks go on', async () => {
    const cluster = await startRedisCluster();
    here.track({ close: () => cluster.stop() });
    const [home, other] = [await cluster.masterOf('{a}'), await cluster.masterOf('{b}')];
    const warnings: string[] = [];
    const engine = await here.open(
      { redis: { url: undefined, cluster: cluster.seeds.map(({ host, port }) => `${host}:${port}`) } },
      { logger: { ...silentLogger, warn: (message) => void warnings.push(message) } },
    );
    const facts = watch(engine);
    await here.work(
      engine,
      handler('a', () => undefined, { queue: 'a' }),
    );
    const successors: RedisClusterNode[] = [];
    for (const master of [other, home]) {
      const [replica] = await cluster.replicasOf(master);
      successors.push(replica!);
      await letEvict(replica!);
      await cluster.failover(replica!);
    }
    await engine.producer.enqueue('a', 'afterwards', { queue: 'a' });
    await facts.until('task.completed');
    await waitFor(() => engine.broker.unfit.length === 2, { what: 'both to be told of', timeoutMs: 15_000 });

    expect(other).not.toBe(home);
    const evicting = warnings.filter((warning) => warning.includes('maxmemory-policy'));
    const places = evicting.map((warning) => /^Redis at (\S+) \(cluster of /.exec(warning)?.[1] ?? warning);
    expect(places.toSorted()).toEqual(successors.map(({ host, port }) => `${host}:${port}`).toSorted());
    expect(engine.broker.unfit.toSorted()).toEqual(evicting.toSorted());
  }, 60_000);
});
