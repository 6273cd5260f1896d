import { describe, expect, it } from 'vitest';
import type { Redis } from 'ioredis';
import {
  askServer,
  durabilityLack,
  misplacement,
  type ServerFacts,
  unfitError,
  unfitness,
  volatility,
  wrongKind,
} from './server-check.js';

const FIT: ServerFacts = {
  product: 'redis',
  version: '7.0.15',
  mode: 'standalone',
  evictionPolicy: 'noeviction',
  appendOnly: true,
  appendFsync: 'everysec',
  waitAof: false,
  replicas: 0,
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

  it.each(['dragonfly', 'garnet', 'keydb', 'kvrocks'] as const)(
    'names %s, of whatever version, as a product that taskq is not tested with, and what to use',
    (product) => {
      expect(unfitness({ ...FIT, product, version: '8.1.0' })).toEqual([
        expect.stringMatching(
          new RegExp(`^it is ${product} 8\\.1\\.0, which is not known.*Redis 7\\.0.*Valkey 7\\.2.*use one`),
        ),
      ]);
    },
  );

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

describe('wrongKind', () => {
  it.each([
    ['a primary', { role: 'master' }, false],
    ['one that does not tell its role', { role: undefined }, false],
    ['a primary of a Cluster, where a Cluster is meant', { role: 'master', mode: 'cluster' }, true],
    ['a single server, where a Cluster is meant: finding the nodes says so', { role: 'master' }, true],
  ])('is none of %s', (_, facts, cluster) => {
    expect(wrongKind({ ...FIT, ...facts }, { cluster })).toBeUndefined();
  });

  it.each([
    ['a node of a Cluster that is named alone', { role: 'master', mode: 'cluster' }, /redis\.cluster/],
    ['a Sentinel', { mode: 'sentinel' }, /redis\.sentinels/],
  ])('says what to set instead of %s, and in place of what', (_, facts, says) => {
    const { why, fix } = wrongKind({ ...FIT, ...facts }, { cluster: false })!;

    expect(why).toMatch(says);
    expect(fix).toMatch(new RegExp(`${says.source}.*redis\\.url.*redis\\.addr`));
  });
});

describe('misplacement', () => {
  it('is a replica, in a Cluster or not, and nothing else', () => {
    expect(misplacement({ ...FIT, role: 'slave' })).toMatch(/replica.*redis\.sentinels/);
    expect(misplacement({ ...FIT, role: 'slave', mode: 'cluster' })).toMatch(/replica/);
    expect(misplacement({ ...FIT, role: 'master' })).toBeUndefined();
    expect(misplacement({ ...FIT, role: undefined })).toBeUndefined();
  });
});

describe('durabilityLack', () => {
  const lack = (durability: Parameters<typeof durabilityLack>[0], facts: Partial<ServerFacts>) =>
    durabilityLack(durability, { ...FIT, ...facts });

  it('is none for what every server gives', () => {
    expect(lack('accepted', { appendOnly: false, appendFsync: undefined, replicas: 0 })).toBeUndefined();
  });

  it.each([
    ['it can be asked to wait for its disk', { waitAof: true, appendFsync: 'everysec' }],
    ['the same, whatever it says of appendfsync', { waitAof: true, appendFsync: undefined }],
    ['it answers nothing before that is on disk', { waitAof: false, appendFsync: 'always' }],
  ])('is none for "durable" where %s', (_, facts) => {
    expect(lack('durable', facts)).toBeUndefined();
  });

  it.each([
    ['appends nothing', { appendOnly: false, waitAof: true, appendFsync: 'always' }, /appends nothing/],
    ['does not tell', { appendOnly: undefined, waitAof: true }, /does not tell whether it persists/],
  ])('of a server that %s is that, and how to turn it on', (_, facts, why) => {
    const found = lack('durable', facts);

    expect(found?.why).toMatch(why);
    expect(found?.fix).toContain('CONFIG SET appendonly yes');
  });

  it.each([
    ['everysec', 'everysec'],
    ['no', 'no'],
    [undefined, 'unknown'],
  ])('of an older server with appendfsync %s is that, and both ways out', (appendFsync, shown) => {
    const found = lack('durable', { appendFsync });

    expect(found?.why).toBe(
      `it is redis 7.0.15, which cannot be asked to wait for its disk, with appendfsync "${shown}"`,
    );
    expect(found?.fix).toMatch(/appendfsync always.*7\.2/);
  });

  it('counts the replicas that are connected, and does not ask about disks', () => {
    expect(lack({ replicated: 2 }, { replicas: 2, appendOnly: false })).toBeUndefined();
    expect(lack({ replicated: 1 }, { replicas: 5 })).toBeUndefined();
    expect(lack({ replicated: 2 }, { replicas: 1 })).toMatchObject({
      why: '1 of 2 replicas are connected',
      fix: expect.stringMatching(/add replicas.*"durable" or "accepted"/) as string,
    });
  });
});

describe('volatility', () => {
  it('is that nothing is appended, and how to turn that on', () => {
    expect(volatility({ ...FIT, appendOnly: false })).toMatch(
      /appends nothing to a file.*CONFIG SET appendonly yes/,
    );
  });

  it.each([true, undefined])('is nothing where the server says %s', (appendOnly) => {
    expect(volatility({ ...FIT, appendOnly })).toBeUndefined();
  });
});

describe('askServer', () => {
  const FORBIDDEN = Object.assign(new Error('NOPERM this user has no permissions'), { name: 'ReplyError' });

  /** A server that says this of its replicas. */
  const replicasOf = async (...said: readonly string[]): Promise<number> => {
    const client = {
      info: (section: string) =>
        Promise.resolve(section === 'replication' ? `# Replication\r\n${said.join('\r\n')}\r\n` : ''),
      config: () => Promise.reject(FORBIDDEN),
      command: () => Promise.reject(FORBIDDEN),
    };
    return (await askServer(client as unknown as Redis)).replicas;
  };

  it('knows a server by its product, its version and its run', async () => {
    const client = {
      info: () => Promise.resolve('redis_version:7.4.0\r\ndragonfly_version:df-v1.40.1\r\nrun_id:r1\r\n'),
      config: () => Promise.reject(FORBIDDEN),
      command: () => Promise.reject(FORBIDDEN),
    };

    expect(await askServer(client as unknown as Redis)).toMatchObject({
      product: 'dragonfly',
      version: 'df-v1.40.1',
      runId: 'r1',
    });
  });

  it('counts the replicas that could confirm something', async () => {
    expect(
      await replicasOf(
        'role:master',
        'connected_slaves:5',
        'slave0:ip=10.0.0.1,port=6379,state=online,offset=98,lag=0',
        'slave1:ip=fe80::1,port=6379,state=online,offset=98,lag=10',
        'slave2:ip=10.0.0.3,port=6379,state=online,offset=12,lag=11',
        'slave3:ip=10.0.0.4,port=6379,state=wait_bgsave,offset=0,lag=0',
        'slave4:ip=10.0.0.5,port=6379,state=send_bulk,offset=0,lag=0',
        'min_slaves_good_slaves:2',
      ),
    ).toBe(2);
  });

  it('takes their number where they are not listed, and none where nothing is said', async () => {
    expect(await replicasOf('role:master', 'connected_slaves:3')).toBe(3);
    expect(await replicasOf('role:master')).toBe(0);
  });

  it('knows nothing of settings that it may not read', async () => {
    const client = {
      info: () => Promise.resolve(''),
      config: () => Promise.reject(FORBIDDEN),
      command: () => Promise.reject(FORBIDDEN),
    };

    expect(await askServer(client as unknown as Redis)).toMatchObject({
      appendOnly: undefined,
      appendFsync: undefined,
      waitAof: false,
    });
  });

  it.each([
    new Error('Connection is closed.'),
    Object.assign(new Error('LOADING Redis is loading'), { name: 'ReplyError' }),
  ])('does not take a question that was lost for one that is forbidden: %s', async (failure) => {
    for (const lost of ['config', 'command'] as const) {
      const client = {
        info: () => Promise.resolve('aof_enabled:1'),
        config: () => Promise.resolve(['appendfsync', 'always']),
        command: () => Promise.resolve([['waitaof']]),
        [lost]: () => Promise.reject(failure),
      };

      await expect(askServer(client as unknown as Redis)).rejects.toBe(failure);
    }
  });
});
