import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll } from 'vitest';
import { RedisBroker, resolveEngineOptions } from '@taskq/core';
import { type RedisServer, startRedisServer } from '@taskq/testing';
import { describeBroker } from './port/describe-broker.js';

let server: RedisServer;
beforeAll(async () => {
  server = await startRedisServer();
});
afterAll(() => server.stop());

describeBroker('RedisBroker', async () => {
  const prefix = `t${randomBytes(6).toString('hex')}`;
  const options = resolveEngineOptions({ redis: { url: server.url }, prefix });
  return {
    connect: () => RedisBroker.connect(options, { random: Math.random, warn: () => {} }),
    close: async () => {},
  };
});
