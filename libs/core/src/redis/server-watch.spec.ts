import type { Redis } from 'ioredis';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type EngineOptions, resolveEngineOptions } from '../policy/engine-options.js';
import type { ArrivalListener, Links } from './links.js';
import { ServerWatch } from './server-watch.js';

const TARGET = '"main" by Sentinels 10.0.0.9:26379';

/** What a link leads to; everything of it may change while the link is lost. */
class FakeServer {
  asked = 0;
  /** It answers nothing but this error. */
  fails: Error | undefined;
  runId: string | undefined = 'run-1';
  policy = 'noeviction';
  appends = true;
  role = 'master';

  constructor(public host = '10.0.0.1') {}

  readonly link = {
    stream: { remoteAddress: this.host, remotePort: 6379 },
    info: async () => {
      this.asked += 1;
      if (this.fails) throw this.fails;
      const runId = this.runId === undefined ? '' : `run_id:${this.runId}\r\n`;
      const settings = `maxmemory_policy:${this.policy}\r\naof_enabled:${this.appends ? 1 : 0}\r\n`;
      return `redis_version:7.2.4\r\nrole:${this.role}\r\n${runId}${settings}`;
    },
    config: async () => ['appendfsync', 'everysec'],
    command: async () => [['waitaof']],
  } as unknown as Redis;
}

/** A watch over servers, and what it warns of. */
async function watched(servers: FakeServer[], options: EngineOptions = {}) {
  let arrived: ArrivalListener | undefined;
  const links = {
    target: TARGET,
    servers: () => servers.map(({ link }) => link),
    onArrival: (listener: ArrivalListener) => {
      arrived = listener;
      return () => (arrived = undefined);
    },
  } as unknown as Links;
  const warnings: string[] = [];
  const warn = vi.fn<(message: string) => void>((message) => void warnings.push(message));
  const watch = new ServerWatch({ links, options: resolveEngineOptions(options), warn });
  await watch.begin();
  /** A link has reached a server, and what that leaves unsettled has settled. */
  const arrive = async (server: FakeServer): Promise<void> => {
    arrived?.(server.link);
    await vi.advanceTimersByTimeAsync(5000);
  };
  return { watch, warn, warnings, arrive, servers };
}

const EVICTS = /maxmemory-policy is "allkeys-lru"/;
const FORGETS = /appends nothing to a file/;

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe('a server that is reached after the start', () => {
  it('is told of where it is unfit, with its address and how it was found, and is used', async () => {
    const server = new FakeServer();
    const { watch, warnings, arrive } = await watched([server]);
    Object.assign(server, { runId: 'run-2', policy: 'allkeys-lru' });
    await arrive(server);

    expect(warnings).toEqual([expect.stringMatching(EVICTS)]);
    expect(warnings[0]).toContain(`Redis at 10.0.0.1:6379 (${TARGET}): its`);
    expect(watch.unfit).toEqual(warnings);
    watch.close();
  });

  it('is nothing to be told of where it is fit, and asked once', async () => {
    const server = new FakeServer();
    const { watch, warnings, arrive } = await watched([server]);
    const asked = server.asked;
    await arrive(server);
    const askedOnce = server.asked;
    await vi.advanceTimersByTimeAsync(60_000);

    expect(askedOnce).toBeGreaterThan(asked);
    expect(server.asked).toBe(askedOnce);
    expect([warnings, watch.unfit]).toEqual([[], []]);
  });

  it('is warned of once per run and reason, over whichever links and however often it is reached', async () => {
    const [one, two] = [new FakeServer('10.0.0.1'), new FakeServer('10.0.0.1')];
    const { watch, warnings, arrive } = await watched([one, two]);
    for (const server of [one, two]) Object.assign(server, { runId: 'run-2', policy: 'allkeys-lru' });
    for (const server of [one, two, one]) await arrive(server);
    expect(warnings).toEqual([expect.stringMatching(EVICTS)]);

    one.runId = 'run-3';
    await arrive(one);
    expect(warnings).toHaveLength(2);
    one.appends = false;
    await arrive(one);
    expect(warnings).toEqual([expect.anything(), expect.anything(), expect.stringMatching(FORGETS)]);
    watch.close();
  });

  it('that does not tell which run it is goes by its address', async () => {
    const [one, two] = [new FakeServer('10.0.0.1'), new FakeServer('10.0.0.2')];
    for (const server of [one, two]) server.runId = undefined;
    const { watch, warnings, arrive } = await watched([one, two]);
    for (const server of [one, two]) server.policy = 'allkeys-lru';
    for (const server of [one, two, one]) await arrive(server);

    expect(warnings.map((warning) => warning.slice(0, 17))).toEqual([
      'Redis at 10.0.0.1',
      'Redis at 10.0.0.2',
    ]);
    watch.close();
  });

  it('is not warned of again for what was accepted of it at the start; another one is', async () => {
    const server = new FakeServer();
    Object.assign(server, { policy: 'allkeys-lru', appends: false });
    const { watch, warnings, arrive } = await watched([server], { redis: { unsafe: 'warn' } });
    expect(warnings).toHaveLength(2);
    await arrive(server);
    expect(warnings).toHaveLength(2);

    server.runId = 'run-2';
    await arrive(server);
    expect(warnings.slice(2)).toEqual([expect.stringMatching(EVICTS), expect.stringMatching(FORGETS)]);
    // What the options accept is no reason to be taken for unwell.
    expect(watch.unfit).toEqual([]);
  });

  it('is no longer unfit once somebody has mended it', async () => {
    const server = new FakeServer();
    const { watch, warnings, arrive } = await watched([server]);
    server.policy = 'allkeys-lru';
    await arrive(server);
    expect(watch.unfit).toHaveLength(1);

    server.policy = 'noeviction';
    await vi.advanceTimersByTimeAsync(10_000);
    expect(watch.unfit).toEqual([]);
    expect(warnings).toHaveLength(1);
  });

  it('is given the time to become what it will be: right after a failover one may still be a replica', async () => {
    const server = new FakeServer();
    const { watch, warnings, arrive } = await watched([server]);
    server.role = 'slave';
    setTimeout(() => (server.role = 'master'), 1000);
    await arrive(server);

    expect([warnings, watch.unfit]).toEqual([[], []]);
  });

  it('is asked until it answers: right after a failover not every server does', async () => {
    const server = new FakeServer();
    const { watch, warnings, arrive } = await watched([server]);
    Object.assign(server, { policy: 'allkeys-lru', fails: new Error('LOADING Redis is loading') });
    await arrive(server);
    expect([warnings, watch.unfit]).toEqual([[], []]);

    server.fails = undefined;
    await vi.advanceTimersByTimeAsync(10_000);
    expect(warnings).toHaveLength(1);
    watch.close();
  });

  it('is not what was known of the one before', async () => {
    const server = new FakeServer();
    const { watch, arrive } = await watched([server]);
    server.policy = 'allkeys-lru';
    await arrive(server);
    Object.assign(server, { runId: 'run-2', policy: 'noeviction' });
    await arrive(server);

    expect(watch.unfit).toEqual([]);
  });

  it('is none of ours any more where it holds no queues', async () => {
    const [one, two] = [new FakeServer('10.0.0.1'), new FakeServer('10.0.0.2')];
    const { watch, warnings, arrive, servers } = await watched([one, two]);
    two.policy = 'allkeys-lru';
    await arrive(two);
    expect(watch.unfit).toHaveLength(1);
    servers.pop();
    await vi.advanceTimersByTimeAsync(10_000);
    expect(watch.unfit).toEqual([]);

    const replica = new FakeServer('10.0.0.3');
    replica.policy = 'allkeys-lru';
    await arrive(replica);
    expect([replica.asked, warnings]).toEqual([0, [expect.anything()]]);
  });

  it('disturbs nobody by being looked at, whatever comes of that', async () => {
    const server = new FakeServer();
    const { watch, warn, arrive } = await watched([server]);
    server.policy = 'allkeys-lru';
    warn.mockImplementation(() => {
      throw new Error('the disk of the log is full');
    });
    await arrive(server);

    expect(warn).toHaveBeenCalledTimes(1);
    expect(watch.unfit).toEqual([]);
  });

  it('is not asked after the end, and nothing waits for that', async () => {
    const server = new FakeServer();
    const { watch, arrive } = await watched([server]);
    server.policy = 'allkeys-lru';
    await arrive(server);
    const { asked } = server;
    watch.close();
    await arrive(server);

    expect(server.asked).toBe(asked);
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe('the start', () => {
  it('refuses what is unfit', async () => {
    const server = new FakeServer();
    server.policy = 'allkeys-lru';

    await expect(watched([server])).rejects.toMatchObject({ code: 'TASKQ_REDIS_UNUSABLE' });
  });

  it('warns once, however many nodes it is true of', async () => {
    const servers = [new FakeServer('10.0.0.1'), new FakeServer('10.0.0.2')];
    for (const [i, server] of servers.entries()) Object.assign(server, { runId: `run-${i}`, appends: false });

    expect((await watched(servers)).warnings).toEqual([expect.stringMatching(FORGETS)]);
  });
});
