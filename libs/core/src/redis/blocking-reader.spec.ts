import { EventEmitter } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { Redis } from 'ioredis';
import { BlockingReader } from './blocking-reader.js';
import type { Links } from './links.js';

const REQUEST = { consumer: 'w', blockMs: 10, count: 1, keys: ['k'], controls: ['c'] };

const FOUND = [['k', [['1-1', ['type', 'a']]]]];

/** A link whose reads take as long as they may and answer in turn, then an entry; its connection can be exchanged. */
function stage(...answers: readonly unknown[]) {
  const read: string[] = [];
  const left = [...answers];
  const link = Object.assign(new EventEmitter(), {
    stream: {},
    client: async () => 7,
    xreadgroup: async () => {
      read.push('xreadgroup');
      await sleep(REQUEST.blockMs);
      return left.length > 0 ? left.shift() : FOUND;
    },
    evalsha: async () => {
      read.push('eras');
      return [3];
    },
  });
  const links = {
    ready: async () => link as unknown as Redis,
    heard: () => undefined,
    met: () => undefined,
    rebuild: () => undefined,
  } as unknown as Links;
  return { reader: new BlockingReader(links, 'orders', ''), link, read };
}

describe('a blocking read', () => {
  it('answers what is there, and the eras of directly afterwards', async () => {
    const { reader } = stage();

    expect(await reader.read(REQUEST)).toEqual({ entries: FOUND, eras: [3] });
  });

  it('is not sent when the connection is another than when it was prepared: that knew of another era', async () => {
    const { reader, link, read } = stage();
    const prepare = async (): Promise<void> => void (link.stream = {});

    await expect(reader.read(REQUEST, prepare)).rejects.toMatchObject({ reason: 'UNAVAILABLE' });
    expect(read).toEqual([]);
  });

  it('that follows one in vain asks for the eras only if it brings something, and then before it is answered', async () => {
    const { reader, read } = stage(null, null);
    await reader.read(REQUEST);
    expect(read.splice(0)).toEqual(['xreadgroup', 'eras']);

    expect(await reader.read(REQUEST)).toEqual({ entries: [], eras: [] });
    expect(read.splice(0)).toEqual(['xreadgroup']);
    expect(await reader.read(REQUEST)).toEqual({ entries: FOUND, eras: [3] });
    expect(read.splice(0)).toEqual(['xreadgroup', 'eras']);
  });

  it('that was ended early was not in vain', async () => {
    const { reader, read } = stage(null);
    await reader.read({ ...REQUEST, blockMs: 1000 });
    await reader.read(REQUEST);

    expect(read).toEqual(['xreadgroup', 'eras', 'xreadgroup', 'eras']);
  });

  it('is not answered when the eras are those of another connection: they may not have been asked for there', async () => {
    const { reader, link } = stage(null);
    await reader.read(REQUEST);
    link.evalsha = async () => {
      link.stream = {};
      return [3];
    };

    await expect(reader.read(REQUEST)).rejects.toMatchObject({ reason: 'UNAVAILABLE' });
  });
});
