import { describe, expect, it } from 'vitest';
import { type ServerFacts, unfitError, unfitness } from './server-check.js';

const FIT: ServerFacts = {
  product: 'redis',
  version: '7.0.15',
  mode: 'standalone',
  evictionPolicy: 'noeviction',
  appendOnly: true,
};

describe('unfitness', () => {
  it.each([
    ['redis', '7.0.0'],
    ['redis', '8.6.3'],
    ['redis', '10.0.0'],
    ['valkey', '7.2.4'],
    ['valkey', '9.1.2'],
    ['redis', 'unknown'],
  ] as const)('finds nothing wrong with %s %s', (product, version) => {
    expect(unfitness({ ...FIT, product, version })).toEqual([]);
  });

  it.each([
    ['redis', '6.2.14'],
    ['redis', '5.0.3'],
    ['valkey', '7.1.9'],
  ] as const)('names %s %s as too old', (product, version) => {
    expect(unfitness({ ...FIT, product, version })).toEqual([
      expect.stringMatching(new RegExp(`${product} ${version}.*Redis 7\\.0 or Valkey 7\\.2`)),
    ]);
  });

  it('names an eviction policy and says how to set it right', () => {
    expect(unfitness({ ...FIT, evictionPolicy: 'volatile-ttl' })).toEqual([
      expect.stringMatching(/"volatile-ttl".*CONFIG SET maxmemory-policy noeviction/),
    ]);
  });

  it('does not refuse a server that does not tell', () => {
    expect(unfitness({ ...FIT, evictionPolicy: undefined, appendOnly: undefined })).toEqual([]);
  });

  it('says everything in one message, with the target and a way out', () => {
    const error = unfitError(
      'redis:6379',
      unfitness({ ...FIT, version: '6.0.16', evictionPolicy: 'allkeys-lru' }),
    );

    expect(error).toMatchObject({
      code: 'TASKQ_REDIS_UNUSABLE',
      fix: expect.stringContaining('redis.unsafe') as string,
    });
    expect(error.message).toMatch(/redis:6379.*6\.0\.16.*allkeys-lru/);
  });
});
