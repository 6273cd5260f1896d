import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { redisField } from './redis-options.js';

/** What is made of options, and what is wrong with them. */
function resolve(written: unknown) {
  const problems: string[] = [];
  const resolved = redisField(written, 'redis', problems);
  return { resolved, problems };
}

describe('where Redis is', () => {
  it('may be said by Sentinels or by nodes of a Cluster', () => {
    const sentinels = ['s1:26379', 's2', '[::1]:26380', '10.0.0.1:1'];

    expect(resolve({ sentinels, sentinelName: 'orders' })).toMatchObject({
      resolved: { sentinels, sentinelName: 'orders', cluster: undefined, url: undefined },
      problems: [],
    });
    expect(resolve({ cluster: ['n1:7000', '[fe80::1]'] })).toMatchObject({
      resolved: { cluster: ['n1:7000', '[fe80::1]'], sentinels: undefined },
      problems: [],
    });
  });

  it.each([
    ['url and sentinels', { url: 'redis://h', sentinels: ['s'] }],
    ['url and cluster', { url: '/run/redis.sock', cluster: ['n'] }],
    ['sentinels and cluster', { sentinels: ['s'], cluster: ['n'] }],
    ['url, sentinels and cluster', { url: 'redis://h', sentinels: ['s'], cluster: ['n'] }],
    ['addr and sentinels', { addr: 'h:1', sentinels: ['s'] }],
    ['addr and cluster', { addr: 'h:1', cluster: ['n'] }],
    ['url, addr and cluster', { url: 'redis://h', addr: 'h:1', cluster: ['n'] }],
  ])('is said once: %s exclude each other', (places, written) => {
    const { problems } = resolve(written);
    const named = places.split(/, | and /).map((place) => `redis.${place}`);

    expect(problems).toEqual([`${named.join(' and ')} exclude each other`]);
  });

  it('may be said by both url and addr: the URL wins, as everywhere', () => {
    expect(resolve({ url: 'redis://h', addr: 'other:1' }).problems).toEqual([]);
  });

  it.each(['sentinelName', 'sentinelUsername', 'sentinelPassword'])(
    'is not said by %s alone: without Sentinels it would be ignored',
    (option) => {
      const problems = [`redis.${option} is of use only beside redis.sentinels`];

      expect(resolve({ [option]: 'x' }).problems).toEqual(problems);
      expect(resolve({ [option]: 'x', cluster: ['n'] }).problems).toEqual(problems);
      expect(resolve({ [option]: 'x', sentinels: ['s'] }).problems).toEqual([]);
    },
  );

  it('may have a number of database, but in a Cluster there is only the first', () => {
    expect(resolve({ cluster: ['n'], db: 1 }).problems).toEqual(['redis.db must be 0 in a Cluster']);
    expect(resolve({ cluster: ['n'], db: 0 }).problems).toEqual([]);
    expect(resolve({ sentinels: ['s'], db: 3 })).toMatchObject({ resolved: { db: 3 }, problems: [] });
    expect(resolve({ url: 'redis://h/1', db: 3 }).problems).toEqual([]);
  });

  it.each([
    ['sentinels', 16],
    ['cluster', 64],
  ])('%s: 1 to %i of them', (place, most) => {
    const nodes = (count: number) => Array.from({ length: count }, (_, i) => `h${i}:1`);

    expect(resolve({ [place]: nodes(most) }).problems).toEqual([]);
    for (const wrong of [[], nodes(most + 1), 'h:1', { 0: 'h:1' }, null, 7]) {
      expect(resolve({ [place]: wrong }).problems).toEqual([
        `redis.${place} must be a list of 1 to ${most} entries`,
      ]);
    }
  });

  it.each([
    '',
    'redis://h:1',
    '/run/redis.sock',
    'u:p@h:1',
    'h:1:2',
    'h:',
    'h:123456',
    '::1',
    'a b/c',
    7,
    null,
  ])('refuses %j as a node, and names its place in the list', (node) => {
    for (const place of ['sentinels', 'cluster']) {
      expect(resolve({ [place]: ['good:1', node] }).problems).toEqual([
        `redis.${place}[1] must be host:port`,
      ]);
    }
  });

  it.each(['', 'a b', 'x'.repeat(129), 7])(
    'refuses %j as what Sentinels call the primary',
    (sentinelName) => {
      const { problems } = resolve({ sentinels: ['s'], sentinelName });

      expect(problems).toEqual([expect.stringContaining('redis.sentinelName must be a name without spaces')]);
    },
  );

  it('leaves the name that Sentinels know the primary by at the one that everybody has', () => {
    expect(resolve({ sentinels: ['s'] }).resolved.sentinelName).toBe('mymaster');
  });
});

describe('what to do about a server that persists nothing', () => {
  it.each(['ignore', 'warn', 'require'] as const)('may be "%s"', (persistence) => {
    expect(resolve({ persistence })).toMatchObject({ resolved: { persistence }, problems: [] });
  });

  it('is "warn" unless said otherwise', () => {
    expect(resolve({}).resolved.persistence).toBe('warn');
    expect(resolve({ persistence: 'refuse' })).toMatchObject({
      resolved: { persistence: 'warn' },
      problems: [expect.stringMatching(/^redis\.persistence must be one of "ignore", "warn", "require"/)],
    });
  });
});

describe('secrets never show in what is refused', () => {
  const SECRET = 'hunter2-canary';
  it.each([
    ['a URL among the Sentinels', { sentinels: [`redis://u:${SECRET}@h:1`] }],
    ['a login among the Sentinels', { sentinels: [`u:${SECRET}@h:1`] }],
    ['a URL in the place of the Sentinels', { sentinels: `redis://u:${SECRET}@h:1` }],
    ['a URL among the nodes', { cluster: [`redis://u:${SECRET}@h:1`] }],
    ['a URL in the place of the nodes', { cluster: { url: SECRET } }],
    ['a password of Sentinels that is no text', { sentinels: ['s'], sentinelPassword: [SECRET] }],
    ['a user of Sentinels that is no text', { sentinels: ['s'], sentinelUsername: { name: SECRET } }],
    ['two places, one with a login', { url: `redis://u:${SECRET}@h:1`, cluster: ['n'] }],
    ['a misspelt password', { sentinels: ['s'], sentinelPasword: SECRET }],
    ['what Sentinels call the primary', { sentinels: ['s'], sentinelName: `${SECRET} !` }],
    ['a number of database', { db: SECRET }],
    ['a number of database that looks like a message', { db: `x, not ${SECRET}, not "${SECRET}"` }],
    ['a time for connecting', { connectTimeout: SECRET }],
    ['a time for commands', { commandTimeout: SECRET }],
    ['a policy', { unsafe: SECRET }],
    ['another policy', { persistence: SECRET }],
    ['TLS options', { tls: SECRET }],
  ])('%s', (_, written) => {
    const { problems } = resolve(written);

    expect(problems).toHaveLength(1);
    expect(inspect(problems)).not.toContain(SECRET);
  });
});
