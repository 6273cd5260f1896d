import type { EngineOptions } from '@taskq/core';
import type { RedisServer } from '@taskq/testing';
import type { Redis } from 'ioredis';
import type { Actor } from '../actors/actor.js';
import type { FaultProxy } from '../proxy/fault-proxy.js';
import type { Run } from '../run.js';

/** Handlers that each worker of the field runs at once. */
export const SLOTS = 4;

/** How many workers there always are: one that dies is replaced. */
export const WORKERS = 3;

/** What troubles befall: a Redis that keeps its promises, a wire that does not, workers that are replaced. */
export interface Field {
  readonly run: Run;
  readonly redis: RedisServer;
  readonly proxy: FaultProxy;
  /** Past the proxy. */
  readonly admin: Redis;
  readonly options: EngineOptions;
  /** Workers that run now. */
  readonly workers: () => readonly Actor[];
}
