import { cpus, totalmem } from 'node:os';
import { startRedisServer } from '@taskq/testing';

/** What the figures were measured on. */
export interface Machine {
  readonly cores: number;
  readonly memoryGiB: number;
  readonly platform: string;
  readonly node: string;
  readonly redis: string;
}

/** This machine, and the Redis that the laboratory finds on it. */
export async function machine(): Promise<Machine> {
  const server = await startRedisServer({ mode: 'test' });
  const { version } = server;
  await server.stop();
  return {
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 1024 ** 3),
    platform: `${process.platform} ${process.arch}`,
    node: process.version,
    redis: version,
  };
}
