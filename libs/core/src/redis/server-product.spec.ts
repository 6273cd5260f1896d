import { describe, expect, it } from 'vitest';
import { productOf, strangeness } from './server-product.js';

/** What servers were seen to say of themselves in `INFO server`, as far as it matters. */
const SAID = {
  redis: { redis_version: '7.4.2', executable: '/data/redis-server' },
  valkey: { redis_version: '7.2.4', server_name: 'valkey', valkey_version: '8.1.1' },
  dragonfly: { redis_version: '7.4.0', dragonfly_version: 'df-v1.40.1', executable: '/usr/bin/dragonfly' },
  garnet: { garnet_version: '1.0.40' },
  keydb: { redis_version: '6.3.4', executable: '/data/keydb-server' },
  kvrocks: { version: '2.11.1', kvrocks_version: '2.11.1', redis_version: '4.0.0' },
};

describe('productOf', () => {
  it.each([
    ['redis', '7.4.2'],
    ['valkey', '8.1.1'],
    ['dragonfly', 'df-v1.40.1'],
    ['garnet', '1.0.40'],
    ['keydb', '6.3.4'],
    ['kvrocks', '2.11.1'],
  ] as const)('knows %s by what it says, and its own version', (product, version) => {
    expect(productOf(SAID[product])).toEqual({ product, version });
  });

  it('takes the name that one has of its own over those that it claims beside it', () => {
    const said = { ...SAID.dragonfly, valkey_version: '8.0.0' };

    expect(productOf(said)).toMatchObject({ product: 'dragonfly' });
  });

  it.each([
    [
      'only stands in a folder of that name',
      { redis_version: '7.2.4', executable: '/opt/keydb-old/redis-server' },
    ],
    ['names a product that nobody knows', { redis_version: '7.2.4', other_version: '1.0' }],
    ['names what it was built with', { redis_version: '7.2.4', gcc_version: '12.2.0' }],
  ])('takes one for Redis that %s', (_, said) => {
    expect(productOf(said)).toEqual({ product: 'redis', version: '7.2.4' });
  });

  it('knows no version of one that tells nothing', () => {
    expect(productOf({})).toEqual({ product: 'redis', version: 'unknown' });
  });
});

describe('strangeness', () => {
  it('is no matter of versions where another product is claimed to be a Redis that would do', () => {
    expect(strangeness(productOf({ ...SAID.keydb, redis_version: '255.255.255' }))).toMatch(
      /^it is keydb 255\.255\.255, which is not known to keep/,
    );
    expect(strangeness(productOf(SAID.redis))).toBeUndefined();
    expect(strangeness(productOf(SAID.valkey))).toBeUndefined();
  });
});
