import { describe, expect, it } from 'vitest';
import { type CallFrame, ownerOf, profileShares } from './profile-shares.js';

const frame = (functionName: string, url = ''): CallFrame => ({
  functionName,
  url,
  lineNumber: 0,
  columnNumber: 0,
});
const asIs = ({ url }: CallFrame): string => url;

describe('the owner of a function', () => {
  it.each([
    [frame('(idle)'), undefined],
    [frame('(garbage collector)'), 'garbage collection'],
    [frame('(program)'), 'Node.js'],
    [frame('writeUtf8String'), 'writing to the socket'],
    [frame('writev'), 'writing to the socket'],
    [frame('emit', 'node:events'), 'Node.js'],
    [frame('writeUtf8String', 'file:///a/libs/core/src/b.ts'), 'taskq'],
    [frame('send', 'file:///a/libs/core/src/redis/calls.ts'), 'taskq'],
    [frame('caller', '../../benchmarks/cases/enqueue.ts'), 'the benchmark'],
    [frame('sendCommand', 'file:///a/node_modules/ioredis/built/Redis.js'), 'ioredis'],
    [frame('x', '/a/benchmarks/contenders/node_modules/bullmq/x.js'), 'bullmq'],
    [frame('x', '/a/node_modules/b/node_modules/@ioredis/commands/x.js'), '@ioredis/commands'],
  ])('%o', (callFrame, owner) => {
    expect(ownerOf(callFrame, asIs)).toBe(owner);
  });
});

describe('the shares of a profile', () => {
  it('are of what was not idle, the largest first', () => {
    const nodes = [frame('(idle)'), frame('(garbage collector)'), frame('a', '/libs/core/src/a.ts')].map(
      (callFrame, id) => ({ id, callFrame }),
    );

    expect(profileShares({ nodes, samples: [0, 1, 2, 2], timeDeltas: [900, 25, 50, 25] }, asIs)).toEqual([
      { whose: 'taskq', share: 0.75 },
      { whose: 'garbage collection', share: 0.25 },
    ]);
  });
});
