import { HealthIndicatorService } from '@nestjs/terminus';
import { TaskHandler, TaskQueueModule } from '@taskq/nestjs';
import { TaskQueueHealthIndicator, TaskQueueHealthModule } from '@taskq/nestjs/terminus';
import { startRedisSentinel, waitFor } from '@taskq/testing';
import { Redis } from 'ioredis';
import { afterEach, describe, expect, it } from 'vitest';
import { attempt, closeApplications, LogBook, optionsFor, start } from './application.js';

const cleanUp: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  await closeApplications();
  for (const end of cleanUp.splice(0).toReversed()) await end();
});

// Terminus 12 brought the state; Terminus 11 has a detail for it.
const knowsDegraded = 'degraded' in new HealthIndicatorService().check('any');
const DEGRADED = knowsDegraded ? { status: 'degraded' } : { status: 'up', degraded: true };

class Handlers {
  @TaskHandler('quick')
  quick() {}
}

/** Sentinels over a primary as it should be and a replica that evicts, and an application on them. */
async function onUnequalServers() {
  const sentinels = await startRedisSentinel();
  cleanUp.push(() => sentinels.stop());
  const [primary, replica] = sentinels.servers;
  const admin = new Redis(replica!.url);
  cleanUp.push(() => admin.quit());
  await admin.config('SET', 'maxmemory-policy', 'allkeys-lru');
  const log = new LogBook();
  const redis = {
    url: undefined,
    sentinels: sentinels.sentinels.map(({ host, port }) => `${host}:${port}`),
    sentinelName: sentinels.name,
  };
  const { app } = await start(
    {
      imports: [TaskQueueModule.forRoot(optionsFor(primary!, { redis })), TaskQueueHealthModule],
      providers: [Handlers],
    },
    log,
  );
  const indicator = app.get(TaskQueueHealthIndicator);
  const check = async () => (await indicator.check('tasks', { dataLossMs: 0 })).tasks;
  return { app, log, check, sentinels, replica: replica!, admin };
}

describe('a failover to a server that would have been refused at the start', () => {
  it('is warned of once and shown by health, and tasks go on; until somebody mends it', async () => {
    const { app, log, check, sentinels, replica, admin } = await onUnequalServers();
    expect(await attempt(app, 'quick')).toMatchObject({ how: 'task.completed' });
    expect(await check()).toMatchObject({ status: 'up' });
    await sentinels.failover();
    await waitFor(async () => 'unfit' in (await check()), { what: 'it to show', timeoutMs: 15_000 });

    const warned = log.said('maxmemory-policy');
    expect(warned).toEqual([expect.stringContaining(`Redis at ${replica.host}:${replica.port} (`)]);
    expect(log.said('maxmemory-policy', 'warn')).toEqual(warned);
    expect(await check()).toMatchObject({ ...DEGRADED, reason: warned[0], unfit: warned });
    expect(await attempt(app, 'quick')).toMatchObject({ how: 'task.completed' });

    // Its links are lost and made again: it is the same run of the same server.
    await admin.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
    await waitFor(async () => !('unfit' in (await check())), { what: 'the links to be lost' });
    await waitFor(async () => 'unfit' in (await check()), { what: 'it to show again' });
    expect(await attempt(app, 'quick')).toMatchObject({ how: 'task.completed' });
    expect(log.said('maxmemory-policy')).toHaveLength(1);

    await admin.config('SET', 'maxmemory-policy', 'noeviction');
    await waitFor(async () => !('unfit' in (await check())), { what: 'it to be mended', timeoutMs: 15_000 });
    expect(await check()).toMatchObject({ status: 'up' });
  }, 60_000);
});
