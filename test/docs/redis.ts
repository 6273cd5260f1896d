import { randomBytes } from 'node:crypto';
import { type RedisServer, startRedisServer } from '@taskq/testing';
import { Redis } from 'ioredis';
import { afterAll, beforeAll } from 'vitest';

/** A private Redis for one file, and a prefix that nobody else has. */
export interface DocsRedis {
  readonly prefix: string;
  server: RedisServer;
  /** A connection past the engine: what somebody else would see and write. */
  raw: Redis;
}

export function useRedis(): DocsRedis {
  const here = { prefix: `docs-${randomBytes(4).toString('hex')}` } as DocsRedis;
  beforeAll(async () => {
    here.server = await startRedisServer();
    here.raw = new Redis(here.server.url);
  });
  afterAll(async () => {
    here.raw?.disconnect();
    await here.server?.stop();
  });
  return here;
}

/** Words of a line as a POSIX shell splits it; single quotes only. */
export function shellWords(line: string): readonly string[] {
  return [...line.matchAll(/'([^']*)'|(\S+)/g)].map((match) => match[1] ?? match[2]!);
}
