import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { redisField, type RedisOptions, type ResolvedRedisOptions } from '../policy/redis-options.js';
import { addressOf, clusterSeeds, describeEndpoint, endpointOf } from './endpoint.js';

function resolved(options: RedisOptions): ResolvedRedisOptions {
  const problems: string[] = [];
  const made = redisField(options, 'redis', problems);
  expect(problems).toEqual([]);
  return made;
}
const at = (options: RedisOptions) => endpointOf(resolved(options));

describe('addressOf', () => {
  it.each([
    ['h', { host: 'h', port: 6379 }],
    ['h:1', { host: 'h', port: 1 }],
    ['10.0.0.1:65535', { host: '10.0.0.1', port: 65_535 }],
    ['[::1]', { host: '::1', port: 6379 }],
    ['[fe80::1]:7000', { host: 'fe80::1', port: 7000 }],
    ['/run/redis.sock', { path: '/run/redis.sock' }],
  ])('%s', (text, address) => {
    expect(addressOf(text)).toEqual(address);
  });

  it('has another port than usual where one is given', () => {
    expect(addressOf('h', 26_379)).toEqual({ host: 'h', port: 26_379 });
    expect(addressOf('h:1', 26_379)).toEqual({ host: 'h', port: 1 });
  });
});

describe('endpointOf', () => {
  it('is the usual place by default, with neither login nor TLS', () => {
    expect(at({})).toEqual({
      host: '127.0.0.1',
      port: 6379,
      username: undefined,
      password: undefined,
      db: 0,
    });
  });

  it.each([
    ['redis://h', { host: 'h', port: 6379, db: 0 }],
    ['redis://h:1/5', { host: 'h', port: 1, db: 5 }],
    ['redis://h/', { host: 'h', port: 6379, db: 0 }],
    ['redis://h/x', { host: 'h', port: 6379, db: 0 }],
    ['redis://[::1]:7000', { host: '::1', port: 7000, db: 0 }],
    ['redis://u:p@h', { host: 'h', port: 6379, username: 'u', password: 'p' }],
    ['redis://:p@h', { host: 'h', port: 6379, username: undefined, password: 'p' }],
    ['redis://u%40x:p%2F%3A%25@h', { host: 'h', port: 6379, username: 'u@x', password: 'p/:%' }],
    ['/run/redis.sock', { path: '/run/redis.sock', db: 0 }],
  ])('of the URL %s', (url, endpoint) => {
    expect(at({ url })).toMatchObject(endpoint);
    expect(at({ url })).not.toHaveProperty('tls');
  });

  it('speaks TLS for rediss://, with the settings given', () => {
    expect(at({ url: 'rediss://h' }).tls).toEqual({});
    expect(at({ url: 'rediss://h', tls: { servername: 's' } }).tls).toEqual({ servername: 's' });
    expect(at({ url: 'redis://h', tls: { servername: 's' } }).tls).toEqual({ servername: 's' });
    expect(at({ addr: 'h', tls: {} }).tls).toEqual({});
  });

  it('lets the URL win over the address, and each option of its own over the URL', () => {
    const own = { username: 'mine', password: 'own', db: 3 };

    expect(at({ url: 'redis://u:p@h:1/5', addr: 'other:2', ...own })).toEqual({ host: 'h', port: 1, ...own });
    expect(at({ addr: 'other:2' })).toMatchObject({ host: 'other', port: 2 });
    expect(at({ url: 'redis://u:p@h/5', db: 0 }).db).toBe(0);
    expect(at({ url: '/run/redis.sock', ...own })).toEqual({ path: '/run/redis.sock', ...own });
  });
});

describe('the endpoint of Sentinels', () => {
  it('names them, what they call the primary, and the login of the primary', () => {
    const sentinels = ['s1', 's2:1', '[::1]:2'];

    expect(at({ sentinels, username: 'u', password: 'p', db: 4 })).toEqual({
      sentinels: [
        { host: 's1', port: 26_379 },
        { host: 's2', port: 1 },
        { host: '::1', port: 2 },
      ],
      name: 'mymaster',
      username: 'u',
      password: 'p',
      db: 4,
    });
  });

  it('has a login for the Sentinels only where one is given: the one of the primary is not theirs', () => {
    const endpoint = at({ sentinels: ['s'], password: 'p' });

    expect(endpoint).not.toHaveProperty('sentinelUsername');
    expect(endpoint).not.toHaveProperty('sentinelPassword');
    expect(at({ sentinels: ['s'], sentinelUsername: 'su', sentinelPassword: 'sp' })).toMatchObject({
      sentinelUsername: 'su',
      sentinelPassword: 'sp',
      password: undefined,
    });
  });

  it('speaks TLS to Sentinels and primary, or to none', () => {
    const tls = { ca: 'x' };

    expect(at({ sentinels: ['s'], tls })).toMatchObject({
      tls,
      sentinelTLS: tls,
      enableTLSForSentinelMode: true,
    });
    const plain = at({ sentinels: ['s'] });
    for (const name of ['tls', 'sentinelTLS', 'enableTLSForSentinelMode'])
      expect(plain).not.toHaveProperty(name);
  });

  it('does not name the default address', () => {
    const endpoint = at({ sentinels: ['s'] });

    for (const name of ['host', 'port', 'path']) expect(endpoint).not.toHaveProperty(name);
  });
});

describe('clusterSeeds', () => {
  it('are the nodes, each with the login and TLS of all, and without a database', () => {
    const access = { username: 'u', password: 'p', tls: { ca: 'x' } };

    expect(clusterSeeds(resolved({ cluster: ['n1:7000', '[::1]', 'n3'], ...access }))).toEqual([
      { host: 'n1', port: 7000, ...access },
      { host: '::1', port: 6379, ...access },
      { host: 'n3', port: 6379, ...access },
    ]);
  });

  it('are none where no Cluster is named', () => {
    expect(clusterSeeds(resolved({ url: 'redis://h' }))).toEqual([]);
  });
});

describe('describeEndpoint', () => {
  it.each([
    [{}, '127.0.0.1:6379'],
    [{ url: 'redis://u:canary@h:1/5' }, 'h:1'],
    [{ url: '/run/redis.sock' }, '/run/redis.sock'],
    [{ addr: '[::1]:7000' }, '[::1]:7000'],
    [{ sentinels: ['s1', 's2:1'], sentinelName: 'orders' }, '"orders" by Sentinels s1:26379, s2:1'],
  ] as [RedisOptions, string][])('of %j is %s', (options, text) => {
    expect(describeEndpoint(at(options))).toBe(text);
  });

  it.each(['h:1', '10.0.0.1:7000', '[::1]:7000', '[fe80::1]:6379'])(
    'of the node %s leads back to it: a Cluster keeps its nodes by these texts',
    (node) => {
      const [seed] = clusterSeeds(resolved({ cluster: [node] }));

      expect(addressOf(describeEndpoint(seed!))).toEqual(addressOf(node));
    },
  );

  it('never shows a user or password, wherever they were given', () => {
    const logins: RedisOptions[] = [
      { url: 'redis://canary-user:canary@h:1/5?x=canary' },
      { addr: 'h', username: 'canary-user', password: 'canary' },
      { sentinels: ['s'], password: 'canary', sentinelUsername: 'canary', sentinelPassword: 'canary' },
    ];
    const shown = logins.map((options) => describeEndpoint(at(options)));
    const [seed] = clusterSeeds(resolved({ cluster: ['n'], username: 'canary', password: 'canary' }));

    expect(inspect([...shown, describeEndpoint(seed!)])).not.toContain('canary');
  });
});
