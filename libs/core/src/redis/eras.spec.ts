import { describe, expect, it } from 'vitest';
import type { Delivery } from '../broker/broker.js';
import type { Calls } from './calls.js';
import type { DataWatch } from './data-watch.js';
import { Eras } from './eras.js';
import { queueKeys } from './keys.js';
import type { ReconnectListener } from './links.js';

const QUEUE = 'orders';

/** Eras over a server whose answers, and reconnects, are told. */
function stage() {
  let reconnect: ReconnectListener = () => undefined;
  let era = 1;
  let asked = 0;
  const calls = {
    links: { onReconnect: (listener: ReconnectListener) => void (reconnect = listener) },
    run: async () => {
      asked += 1;
      return [0, 'epoch', era];
    },
  } as unknown as Calls;
  const watch = { named: () => undefined } as unknown as DataWatch;
  const eras = new Eras(calls, watch, (queue) => queueKeys('taskq', queue));
  return {
    eras,
    asked: () => asked,
    /** The link is back, perhaps to another run of the server. */
    reconnect: (now: number) => {
      era = now;
      reconnect('commands', 0, 0);
    },
  };
}

function delivery(era: number): Delivery {
  return { queue: QUEUE, lane: 'normal', entryId: `1-${era}`, delivery: 1, era, fields: [] };
}

describe('deliveries', () => {
  it('are certain as long as no connection was lost, and nobody is asked', async () => {
    const { eras, asked } = stage();

    expect(await eras.certain([delivery(1)], eras.connection)).toEqual([delivery(1)]);
    expect(asked()).toBe(0);
  });

  it('that were on their way when a connection was lost are certain only if the era is the same', async () => {
    const { eras, reconnect } = stage();
    await eras.of(QUEUE);
    const before = eras.connection;
    reconnect(2);

    expect(await eras.certain([delivery(1), delivery(2)], before)).toEqual([delivery(2)]);
    expect(await eras.certain([], before)).toEqual([]);
  });
});

describe('an era', () => {
  it('is asked for once, and anew after a reconnect, on whichever link', async () => {
    const { eras, asked, reconnect } = stage();
    expect([await eras.of(QUEUE), await eras.of(QUEUE), asked()]).toEqual([1, 1, 1]);
    reconnect(5);

    expect(eras.has(QUEUE)).toBe(false);
    expect([await eras.of(QUEUE), asked()]).toEqual([5, 2]);
  });
});
