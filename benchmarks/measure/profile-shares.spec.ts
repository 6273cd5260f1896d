import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type CallFrame, ownerOf, profileShares, readShares } from './profile-shares.js';

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

describe('a profile of files that were compiled into one', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(path.join(tmpdir(), 'profile-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it('is divided by the files that their source map names', () => {
    const map = {
      version: 3,
      sources: ['/a/libs/core/src/a.ts', '/a/node_modules/ioredis/built/Redis.js'],
      names: [],
      // The first line comes from the first source, the second from the second.
      mappings: 'AAAA;ACAA',
    };
    const bundle = path.join(folder, 'bundle.js');
    const inline = Buffer.from(JSON.stringify(map)).toString('base64');
    writeFileSync(
      bundle,
      `send();\nwrite();\n//# sourceMappingURL=data:application/json;charset=utf-8;base64,${inline}\n`,
    );
    const nodes = [0, 1].map((lineNumber) => ({
      id: lineNumber,
      callFrame: { ...frame('f', pathToFileURL(bundle).href), lineNumber },
    }));
    const profile = path.join(folder, 'one.cpuprofile');
    writeFileSync(profile, JSON.stringify({ nodes, samples: [0, 1], timeDeltas: [30, 10] }));

    expect(readShares(profile)).toEqual([
      { whose: 'taskq', share: 0.75 },
      { whose: 'ioredis', share: 0.25 },
    ]);
  });
});
