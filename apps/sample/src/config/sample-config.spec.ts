import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ConfigurationError } from '@taskq/core';
import { afterAll, describe, expect, it } from 'vitest';
import { loadSampleConfig, type SampleConfig } from './sample-config.js';

const folder = mkdtempSync(join(tmpdir(), 'taskq-config-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let files = 0;

/** Loads a file of settings under an environment that holds nothing else. */
function load(yaml: string, environment: NodeJS.ProcessEnv = {}): SampleConfig {
  const file = join(folder, `${(files += 1)}.yaml`);
  writeFileSync(file, yaml);
  return loadSampleConfig({ TASKQ_CONFIG: file, ...environment });
}

function problemsOf(yaml: string, environment: NodeJS.ProcessEnv = {}): readonly string[] {
  try {
    load(yaml, environment);
  } catch (error) {
    if (error instanceof ConfigurationError) return error.problems;
    throw error;
  }
  throw new Error('nothing was wrong');
}

describe('the file of settings', () => {
  it('that is shipped is valid, and names no Redis', () => {
    const config = loadSampleConfig({});

    expect(config).toMatchObject({ role: 'both', http: { port: 3000 }, catalogue: { latencyMs: 0 } });
    expect(config.engine.queues).toMatchObject({ catalogue: { concurrency: 20 } });
    expect(config.sources).toEqual({ file: 'config/config.yaml', variables: [], namesRedis: false });
  });

  it('may be empty, or all comments', () => {
    expect(load('').http).toEqual({ host: '127.0.0.1', port: 3000, workerPort: 0 });
    expect(load('# nothing\nredis:\n').engine.redis ?? undefined).toBeUndefined();
  });

  it('gives text, numbers and durations', () => {
    const config = load(`
      redis: { addr: redis.example:6380, username: app, password: pw, db: 3 }
      webhooks: { hosts: [hooks.example], requestTimeout: 2s }
      catalogue: { latency: 15ms }
      worker: { lease: 30s }
    `);

    expect(config.engine.redis).toEqual({
      addr: 'redis.example:6380',
      username: 'app',
      password: 'pw',
      db: 3,
    });
    expect(config.webhooks).toEqual({ hosts: ['hooks.example'], requestTimeoutMs: 2000 });
    expect(config.catalogue.latencyMs).toBe(15);
    expect(config.engine.worker).toEqual({ lease: '30s' });
    expect(config.sources.namesRedis).toBe(true);
  });

  it('must exist when it was named', () => {
    expect(() => loadSampleConfig({ TASKQ_CONFIG: '/nowhere.yaml' })).toThrow(
      'TASKQ_CONFIG names /nowhere.yaml, which does not exist',
    );
  });

  it('is refused by reason and line, without being quoted', () => {
    const [problem] = problemsOf('redis:\n  password: geheim\n  password: [');

    expect(problem).toMatch(/cannot be read: .+ in line 3$/);
    expect(problem).not.toContain('geheim');
    expect(problemsOf('- a\n- b')[0]).toContain('must hold settings by name');
  });
});

describe('the environment', () => {
  it('wins over the file', () => {
    const config = load('http: { port: 1000, host: 0.0.0.0 }\nprefix: file', {
      TASKQ_HTTP_PORT: '2000',
      TASKQ_PREFIX: 'shell',
      TASKQ_ROLE: 'worker',
      TASKQ_DATA_FOLDER: '/data',
    });

    expect(config.http).toMatchObject({ port: 2000, host: '0.0.0.0' });
    expect(config.engine.prefix).toBe('shell');
    expect(config).toMatchObject({ role: 'worker', dataFolder: '/data' });
  });

  it('reaches every setting by one rule', () => {
    const { engine, webhooks } = load('queues: { catalogue: { concurrency: 5, maxReady: 7 } }', {
      TASKQ_WORKER_LEASE: '2s',
      TASKQ_WORKER_DRAIN_TIMEOUT: '500',
      TASKQ_QUEUE_DEFAULTS_WHEN_FULL: 'wait',
      TASKQ_QUEUES__CATALOGUE__CONCURRENCY: '20',
      TASKQ_TASKS__BACKOFF__MAX: '1m',
      TASKQ_WEBHOOKS_HOSTS: 'a.example, b.example',
    });

    expect(engine.worker).toEqual({ lease: '2s', drainTimeout: 500 });
    expect(engine.queueDefaults).toEqual({ whenFull: 'wait' });
    expect(engine.queues).toEqual({ catalogue: { concurrency: 20, maxReady: 7 } });
    expect(engine.tasks).toEqual({ backoff: { max: '1m' } });
    expect(webhooks.hosts).toEqual(['a.example', 'b.example']);
  });

  it('knows the names that Redis tools know, and keeps passwords text', () => {
    const { engine, sources } = load('', {
      REDIS_ADDR: 'r:1',
      REDIS_USERNAME: '7',
      REDIS_PASSWORD: '12345',
      REDIS_DB: '2',
    });

    expect(engine.redis).toEqual({ addr: 'r:1', username: '7', password: '12345', db: 2 });
    expect(sources.variables).toEqual(['REDIS_ADDR', 'REDIS_USERNAME', 'REDIS_PASSWORD', 'REDIS_DB']);
  });

  it.each([
    ['sentinels', 'TASKQ_REDIS_SENTINELS', { sentinelName: 'orders' }],
    ['cluster', 'TASKQ_REDIS_CLUSTER', {}],
  ])('names %s as a list, and that is where Redis is: none is started beside it', (place, variable, more) => {
    const { engine, sources } = load('', {
      [variable]: 'a.example:7000, b.example',
      ...(place === 'sentinels' && { TASKQ_REDIS_SENTINEL_NAME: 'orders' }),
    });

    expect(engine.redis).toEqual({ [place]: ['a.example:7000', 'b.example'], ...more });
    expect(sources.namesRedis).toBe(true);
    expect(load(`redis: { ${place}: [a.example] }`).sources.namesRedis).toBe(true);
  });

  it('replaces the place of the file as a whole, whichever way each of them names it', () => {
    const sentinels = 'redis: { sentinels: [old:1], sentinelName: n, sentinelPassword: sp, password: p }';
    const addr = 'redis: { addr: old:1, password: p }';

    expect(load(sentinels, { REDIS_ADDR: 'new:2' }).engine.redis).toEqual({ addr: 'new:2', password: 'p' });
    expect(load(sentinels, { REDIS_URL: 'redis://new:2' }).engine.redis).toEqual({ url: 'redis://new:2' });
    expect(load(sentinels, { TASKQ_REDIS_CLUSTER: 'new:2' }).engine.redis).toEqual({
      cluster: ['new:2'],
      password: 'p',
    });
    expect(load(addr, { TASKQ_REDIS_CLUSTER: 'new:2' }).engine.redis).toEqual({
      cluster: ['new:2'],
      password: 'p',
    });
    expect(load(addr, { TASKQ_REDIS_SENTINELS: 'new:2' }).engine.redis).toEqual({
      sentinels: ['new:2'],
      password: 'p',
    });
    // The same Sentinels, moved: their name and login stay.
    expect(load(sentinels, { TASKQ_REDIS_SENTINELS: 'new:2' }).engine.redis).toEqual({
      sentinels: ['new:2'],
      sentinelName: 'n',
      sentinelPassword: 'sp',
      password: 'p',
    });
  });

  it('cannot name two places itself, which is said with both variables’ settings', () => {
    const problems = problemsOf('', { REDIS_ADDR: 'a:1', TASKQ_REDIS_CLUSTER: 'b:1' });

    expect(problems).toEqual([expect.stringContaining('redis.addr and redis.cluster exclude each other')]);
  });

  it('replaces the address of the file as a whole', () => {
    const file =
      'redis: { url: "redis://old:1", addr: old:1, username: u, password: p, db: 4, commandTimeout: 1s }';

    expect(load(file, { REDIS_URL: 'redis://new:2/5' }).engine.redis).toEqual({
      url: 'redis://new:2/5',
      commandTimeout: '1s',
    });
    expect(load(file, { REDIS_URL: 'redis://new:2/5', REDIS_DB: '6' }).engine.redis).toMatchObject({ db: 6 });
    // Without a URL the login stays: the same database may have moved.
    expect(load(file, { REDIS_ADDR: 'new:2' }).engine.redis).toEqual({
      addr: 'new:2',
      username: 'u',
      password: 'p',
      db: 4,
      commandTimeout: '1s',
    });
  });

  it('may hold empty variables, and those that Kubernetes adds', () => {
    const { sources } = load('', {
      REDIS_PASSWORD: '',
      REDIS_PORT: 'tcp://10.0.0.1:6379',
      TASKQ_PREFIX: '',
      TASKQ_PORT: 'tcp://10.0.0.2:80',
      TASKQ_SERVICE_HOST: '10.0.0.2',
    });

    expect(sources.variables).toEqual([]);
  });
});

describe('what is wrong', () => {
  it('is named all at once, with its bound and the variable that set it', () => {
    const problems = problemsOf('http: { port: 70000 }\nworker: { lease: 10 }', {
      REDIS_DB: '99',
      TASKQ_ROLE: 'boss',
      TASKQ_WEBHOOKS_REQUEST_TIMEOUT: 'soon',
      TASKQ_QUEUES__CATALOGUE__CONCURRENCY: '0',
    });

    expect(problems).toEqual([
      'role must be one of "producer", "worker", "both", not "boss" (set by TASKQ_ROLE)',
      'http.port must be a whole number of 0 to 65535, not 70000',
      'webhooks.requestTimeout must be a duration of 100ms to 30s (such as "30s"), not "soon" ' +
        '(set by TASKQ_WEBHOOKS_REQUEST_TIMEOUT)',
      'redis.db must be a whole number of 0 to 15, not 99 (set by REDIS_DB)',
      'queues.catalogue.concurrency must be a whole number of 1 to 10000, not 0 ' +
        '(set by TASKQ_QUEUES__CATALOGUE__CONCURRENCY)',
      expect.stringContaining('worker.lease must be a duration of 1s to 1h'),
    ]);
  });

  it('includes settings that do not exist, with the one that was meant', () => {
    const problems = problemsOf('htpp: { port: 1 }\nhttp: { prot: 1 }', { TASKQ_WORKER_LEESE: '5s' });

    expect(problems).toEqual([
      'unknown option "htpp", did you mean "http"?',
      'unknown option "http.prot", did you mean "port"?',
      'unknown option "worker.leese", did you mean "lease"? (set by TASKQ_WORKER_LEESE)',
    ]);
  });

  it('shows no secret, even where one was written into the wrong place', () => {
    const told = [
      ...problemsOf('redis: "redis://app:geheim@host"'),
      ...problemsOf('', { REDIS_ADDR: 'redis://app:geheim@host:6379' }),
      ...problemsOf('redis: { password: [geheim] }'),
      ...problemsOf('', { REDIS_URL: 'http://app:geheim@host' }),
    ].join('\n');

    expect(told).not.toContain('geheim');
    expect(told.split('\n')).toHaveLength(4);
  });
});
