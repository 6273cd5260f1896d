import { EventEmitter } from 'node:events';
import { describe, expect, it } from 'vitest';
import type { Redis } from 'ioredis';
import { BlockingReader } from './blocking-reader.js';
import type { Links } from './links.js';

const REQUEST = { consumer: 'w', blockMs: 10, count: 1, keys: ['k'], controls: ['c'] };

/** A link that answers at once, on a connection that can be exchanged. */
function stage() {
  const read: string[] = [];
  const link = Object.assign(new EventEmitter(), {
    stream: {},
    client: async () => 7,
    xreadgroup: async () => {
      read.push('xreadgroup');
      return [['k', [['1-1', ['type', 'a']]]]];
    },
    evalsha: async () => [3],
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

    expect(await reader.read(REQUEST)).toEqual({ entries: [['k', [['1-1', ['type', 'a']]]]], eras: [3] });
  });

  it('is not sent when the connection is another than when it was prepared: that knew of another era', async () => {
    const { reader, link, read } = stage();
    const prepare = async (): Promise<void> => void (link.stream = {});

    await expect(reader.read(REQUEST, prepare)).rejects.toMatchObject({ reason: 'UNAVAILABLE' });
    expect(read).toEqual([]);
  });
});
