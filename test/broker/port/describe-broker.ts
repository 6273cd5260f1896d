import { afterEach, beforeEach, describe } from 'vitest';
import type { Broker } from '@taskq/core';
import { QUEUE } from '../support/keys.js';
import { consumerPromises } from './consumer-promises.js';
import { deadLetterPromises } from './dead-letter-promises.js';
import { enqueuePromises } from './enqueue-promises.js';
import { fetchPromises } from './fetch-promises.js';
import { groupPromises } from './group-promises.js';
import { leasePromises } from './lease-promises.js';
import { partitionPromises } from './partition-promises.js';
import { linkPromises } from './link-promises.js';
import type { Port } from './port.js';
import { promotePromises } from './promote-promises.js';
import { reclaimPromises } from './reclaim-promises.js';
import { releasePromises } from './release-promises.js';
import { settlePromises } from './settle-promises.js';
import { shelfPromises } from './shelf-promises.js';
import { upkeepPromises } from './upkeep-promises.js';

/** Makes brokers: every call another one on the same data, as in another process; `close` ends what is behind them. */
export interface BrokerSource {
  connect(): Promise<Broker>;
  close(): Promise<void>;
}

/**
 * Everything the port promises that can be said in its own words, so that each implementation is held to the same.
 * `makeSource` is asked anew for every test and must start empty.
 */
export function describeBroker(name: string, makeSource: () => Promise<BrokerSource>): void {
  describe(`${name} keeps the promises of the port:`, () => {
    let source: BrokerSource;
    let port: Port;

    beforeEach(async () => {
      source = await makeSource();
      port = { broker: await source.connect(), peer: await source.connect() };
      await port.broker.ensureQueue(QUEUE);
    });
    afterEach(async () => {
      await Promise.all([port.broker.close(), port.peer.close()]);
      await source.close();
    });

    const promises = [
      enqueuePromises,
      groupPromises,
      partitionPromises,
      fetchPromises,
      settlePromises,
      releasePromises,
      leasePromises,
      reclaimPromises,
      promotePromises,
      consumerPromises,
      deadLetterPromises,
      shelfPromises,
      upkeepPromises,
      linkPromises,
    ];
    for (const promise of promises) promise(() => port);
  });
}
