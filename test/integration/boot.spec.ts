import { createServer } from 'node:net';
import { ConfigurationError, LifecycleError, type Logger, RedisUnusableError } from '@taskq/core';
import { freePort, startRedisServer, waitFor } from '@taskq/testing';
import { afterEach, describe, expect, it } from 'vitest';
import { handler, lab, rejection, watch } from './harness.js';

const here = lab({ listen: 'port' });

afterEach(async () => {
  await here.admin.config('SET', 'maxmemory-policy', 'noeviction');
});

describe('a Redis that cannot be reached', () => {
  it('is named by host and port, without the password, within connectTimeout', async () => {
    const port = await freePort();
    const url = `redis://app:s3cret-word@127.0.0.1:${port}/3`;
    const begun = performance.now();
    const error = await rejection(here.open({ redis: { url, connectTimeout: '500ms' } }));

    expect(performance.now() - begun).toBeLessThan(1000);
    expect(error).toBeInstanceOf(RedisUnusableError);
    expect(error).toMatchObject({ code: 'TASKQ_REDIS_UNUSABLE' });
    expect(error.message).toContain(`127.0.0.1:${port}`);
    expect(error.message).toContain('ECONNREFUSED');
    expect(error.fix).toBeTruthy();
    expect(shown(error)).not.toContain('s3cret');
  });

  it('is given up in time, too, when it accepts and says nothing', async () => {
    const silent = createServer((socket) => socket.on('error', () => undefined).resume());
    await new Promise<void>((resolve) => {
      silent.listen(0, '127.0.0.1', resolve);
    });
    const { port } = silent.address() as { port: number };
    const begun = performance.now();
    const addr = `127.0.0.1:${port}`;
    const error = await rejection(here.open({ redis: { url: undefined, addr, connectTimeout: '400ms' } }));
    const took = performance.now() - begun;
    silent.close();

    expect(error).toBeInstanceOf(RedisUnusableError);
    expect(error.message).toContain(addr);
    expect(took).toBeLessThan(1000);
  });

  it('is waited for as long as connectTimeout says', async () => {
    const server = await startRedisServer({ listen: 'port' });
    here.track({ close: () => server.stop() });
    await server.kill();
    const opening = here.open({ redis: { url: server.url, connectTimeout: '10s' } });
    await server.restart();

    expect(await (await opening).inspector.ping()).toBeGreaterThan(0);
  });
});

describe('credentials', () => {
  it('that are wrong are reported at once and never shown', async () => {
    const server = await startRedisServer({ args: ['--requirepass', 'right-word'] }).catch(() => undefined);
    if (server) here.track({ close: () => server.stop() });
    const url = server?.url ?? here.server.url;
    const begun = performance.now();
    const error = await rejection(here.open({ redis: { url, password: 'wrong-word' } }));

    expect(error).toBeInstanceOf(RedisUnusableError);
    expect(error.message).toMatch(/WRONGPASS|AUTH/);
    expect(shown(error)).not.toContain('wrong-word');
    expect(performance.now() - begun).toBeLessThan(2000);
  });

  it('of the options win over those of the url', async () => {
    await here.admin.acl('SETUSER', 'app', 'on', '>pass-1', '~*', '&*', '+@all');
    const url = here.server.url.replace('redis://', 'redis://nobody:nothing@');
    const engine = await here.open({ redis: { url, username: 'app', password: 'pass-1' } });
    const facts = watch(engine);
    await here.work(
      engine,
      handler('a', () => undefined),
    );
    await engine.producer.enqueue('a', 1);
    await facts.until('task.completed');

    expect(await engine.broker.client.acl('WHOAMI')).toBe('app');
  });
});

describe('an unfit Redis', () => {
  it('that evicts keys is refused, with the command that mends it', async () => {
    await here.admin.config('SET', 'maxmemory-policy', 'allkeys-lru');
    const error = await rejection(here.open());

    expect(error).toBeInstanceOf(RedisUnusableError);
    expect(error.message).toContain('allkeys-lru');
    expect(error.message).toContain('maxmemory-policy noeviction');
  });

  it('is used with a warning when the options say so', async () => {
    await here.admin.config('SET', 'maxmemory-policy', 'allkeys-lru');
    const warnings: string[] = [];
    const ignore = (): void => undefined;
    const logger: Logger = {
      debug: ignore,
      info: ignore,
      error: ignore,
      warn: (line) => warnings.push(line),
    };
    const engine = await here.open({ redis: { unsafe: 'warn' } }, { logger });

    expect(warnings.filter((line) => line.includes('allkeys-lru'))).toHaveLength(1);
    await expect(engine.producer.enqueue('a', 1)).resolves.toMatchObject({ status: 'accepted' });
  });
});

describe('options', () => {
  it('that are wrong are listed together, before anything is connected', async () => {
    const begun = performance.now();
    const error = await rejection(
      here.open({
        redis: { url: 'http://user:s3cret-word@host', connectTimeout: '1ms' },
        prefix: 'no spaces',
        worker: { leas: '1s', lease: '10', heartbeat: 'often' },
        queues: { ok: { concurrency: 0 }, 'not ok': {} },
        tasks: { maxAttempts: 1001 },
        limits: { payloadByte: 5 },
      } as never),
    );

    expect(error).toBeInstanceOf(ConfigurationError);
    const { problems } = error as unknown as ConfigurationError;
    for (const field of [
      'redis.url',
      'redis.connectTimeout',
      'prefix',
      'worker.leas',
      'worker.lease',
      'worker.heartbeat',
      'queues.ok.concurrency',
      'not ok',
      'tasks.maxAttempts',
      'limits.payloadByte',
    ]) {
      expect(problems).toContainEqual(expect.stringContaining(field));
    }
    expect(problems.find((problem) => /leas\b/.test(problem))).toMatch(/did you mean .*\blease\b/);
    expect(problems.find((problem) => problem.includes('limits.payloadByte'))).toContain('payloadBytes');
    expect(shown(error)).not.toContain('s3cret');
    expect(performance.now() - begun).toBeLessThan(200);
  });

  it('of a heartbeat that cannot keep the lease are refused', async () => {
    await expect(here.open({ worker: { lease: '1s', heartbeat: '500ms' } })).rejects.toThrow(/half/);
  });

  it('of a handler are judged when its worker starts, and the worker can be mended', async () => {
    const engine = await here.open();
    const worker = here.worker(
      engine,
      handler('a', () => undefined, { maxAttempts: 0 }),
    );

    await expect(worker.start()).rejects.toThrow(/maxAttempts.*1 to 1000/);
    await worker.stop();
  });
});

describe('start', () => {
  it('twice is refused, and a worker without handlers just does nothing', async () => {
    const engine = await here.open();
    const worker = await here.work(
      engine,
      handler('a', () => undefined),
    );
    await expect(worker.start()).rejects.toThrow(LifecycleError);
    const idle = await here.work(engine);

    expect(idle.status()).toMatchObject({ state: 'running', queues: [] });
    expect(await idle.stop()).toMatchObject({ drained: 0, released: 0, stuck: 0 });
  });

  it('makes the groups at 0, so that what was there before is run', async () => {
    await here.admin.xadd(here.key(':tasks'), '*', 'type', 'a', 'payload', '1');
    const engine = await here.open();
    const facts = watch(engine);
    await here.work(
      engine,
      handler('a', () => undefined),
    );

    expect(await facts.until('task.completed')).toHaveLength(1);
  });

  it('opens few connections, each with a name that says what it is for', async () => {
    const engine = await here.open();
    const names = async (): Promise<string[]> =>
      String(await here.admin.client('LIST'))
        .split('\n')
        .flatMap((line) => /name=(taskq:\S+)/.exec(line)?.[1] ?? []);
    await engine.producer.enqueue('a', 1);
    expect(await names()).toEqual(['taskq:commands']);
    await here.work(
      engine,
      handler('a', () => undefined),
    );

    await waitFor(async () => (await names()).length === 3, { what: 'three links' });
    expect((await names()).toSorted()).toEqual(['taskq:blocking', 'taskq:commands', 'taskq:maintenance']);
  });
});

/** Everything of an error that a log would print. */
function shown(error: unknown): string {
  const seen = new Set<unknown>();
  const texts: string[] = [];
  for (let at = error; at instanceof Error && !seen.has(at); at = at.cause) {
    seen.add(at);
    texts.push(at.message, at.stack ?? '', JSON.stringify(at));
  }
  return texts.join('\n');
}
