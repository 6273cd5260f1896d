import { describe, expect, it } from 'vitest';
import { ClusterTopology } from './cluster-topology.js';

/** What CLUSTER SLOTS answers for three primaries, two of them with a replica. */
const THREE = [
  [0, 5460, ['10.0.0.1', 7000, 'id1', []], ['10.0.0.4', 7003, 'id4', []]],
  [5461, 10_922, ['10.0.0.2', 7001, 'id2', []]],
  [10_923, 16_383, ['10.0.0.3', 7002, 'id3', []], ['10.0.0.5', 7004, 'id5', []]],
];

function topology(reply: unknown = THREE, asked = 'asked'): ClusterTopology {
  const made = new ClusterTopology();
  made.replace(reply, asked);
  return made;
}

describe('ClusterTopology', () => {
  it('knows nothing at first', () => {
    const made = new ClusterTopology();

    expect(made.primaries.size).toBe(0);
    expect(made.ownerOf(0)).toBeUndefined();
    expect(made.ownerOf(16_383)).toBeUndefined();
  });

  it('knows the primary of every slot, both ends of a range included, and no replica', () => {
    const made = topology();

    expect([0, 5460, 5461, 10_922, 10_923, 16_383].map((slot) => made.ownerOf(slot))).toEqual([
      '10.0.0.1:7000',
      '10.0.0.1:7000',
      '10.0.0.2:7001',
      '10.0.0.2:7001',
      '10.0.0.3:7002',
      '10.0.0.3:7002',
    ]);
    expect([...made.primaries]).toEqual(['10.0.0.1:7000', '10.0.0.2:7001', '10.0.0.3:7002']);
  });

  it('has no slot beyond the last', () => {
    expect(topology().ownerOf(16_384)).toBeUndefined();
  });

  it('takes an empty host, or none, for the one that was asked', () => {
    const made = topology([
      [0, 9, ['', 7000, 'id1']],
      [10, 19, [null, 7001, 'id2']],
    ]);

    expect(made.ownerOf(9)).toBe('asked:7000');
    expect(made.ownerOf(10)).toBe('asked:7001');
  });

  it('writes an IPv6 address in brackets, whoever named it', () => {
    const made = topology([[0, 9, ['fe80::1', 7000, 'id1']]]);
    made.redirect('MOVED 1 ::1:7001', 'asked');
    made.redirect('MOVED 2 :7002', 'fe80::2');

    expect([0, 1, 2].map((slot) => made.ownerOf(slot))).toEqual([
      '[fe80::1]:7000',
      '[::1]:7001',
      '[fe80::2]:7002',
    ]);
  });

  it('keeps the owner of a slot that nobody claims, and takes over what is claimed', () => {
    const made = topology();
    made.replace([[0, 99, ['10.0.0.9', 7009, 'id9']]], 'asked');

    expect(made.ownerOf(99)).toBe('10.0.0.9:7009');
    expect(made.ownerOf(100)).toBe('10.0.0.1:7000');
    expect(made.primaries.has('10.0.0.2:7001')).toBe(true);
  });

  it('forgets a primary that has no slot any more', () => {
    const made = topology();
    made.replace([[0, 16_383, ['10.0.0.9', 7009, 'id9']]], 'asked');

    expect([...made.primaries]).toEqual(['10.0.0.9:7009']);
  });

  it('follows a redirection for its slot alone, without being asked anew', () => {
    const made = topology();

    expect(made.redirect('MOVED 3999 127.0.0.1:6381', 'asked')).toBe(true);

    expect(made.ownerOf(3999)).toBe('127.0.0.1:6381');
    expect(made.ownerOf(3998)).toBe('10.0.0.1:7000');
    expect(made.primaries.has('127.0.0.1:6381')).toBe(true);
  });

  it('takes a redirection without a host for the one that redirected', () => {
    const made = topology();

    expect(made.redirect('MOVED 5 :6390', '10.0.0.7')).toBe(true);

    expect(made.ownerOf(5)).toBe('10.0.0.7:6390');
  });

  it('calls a node that has no name by the address that it has beside', () => {
    const made = topology([
      [0, 8191, ['?', 7000, 'id', ['ip', '10.0.0.7']]],
      [8192, 16_383, ['?', 7001, 'id', ['hostname', 'ip']]],
    ]);

    expect([...made.primaries]).toEqual(['10.0.0.7:7000', 'asked:7001']);
    // A redirection has nothing beside: whoever meets it asks.
    expect(made.redirect('MOVED 5 ?:7001', 'asked')).toBe(false);
    expect(made.ownerOf(5)).toBe('10.0.0.7:7000');
  });

  it.each([
    'ASK 3999 127.0.0.1:6381',
    'CLUSTERDOWN The cluster is down',
    'MOVED',
    'MOVED x 127.0.0.1:6381',
    'MOVED 3999 127.0.0.1',
    'ERR MOVED 3999 127.0.0.1:6381',
    'READONLY You cannot write against a read only replica.',
    '',
  ])('is no redirection: %s', (message) => {
    const made = topology();
    const before = made.ownerOf(3999);

    expect(made.redirect(message, 'asked')).toBe(false);
    expect(made.ownerOf(3999)).toBe(before);
  });
});

describe('slots that nobody has', () => {
  it('are all of them at first, and none where everything is known', () => {
    expect(new ClusterTopology().unowned).toEqual(['0-16383']);
    expect(topology().unowned).toEqual([]);
  });

  it('are told as ranges', () => {
    const gaps = [
      [1, 10, ['h', 1]],
      [12, 16_382, ['h', 1]],
    ];

    expect(topology(gaps).unowned).toEqual(['0-0', '11-11', '16383-16383']);
  });
});
