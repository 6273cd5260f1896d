import { describe, expect, it } from 'vitest';
import type { Process } from './stage.js';
import { QUEUE, SECOND, useStage } from './stage.js';

const stage = useStage();

const ONE = { queues: { [QUEUE]: { concurrency: 1 } } } as const;

/** Enqueues tasks of a type, and how many calls of a worker settled and fetched since. */
async function enqueued(process: Process, count: number, type = 'short'): Promise<void> {
  const calls = Array.from({ length: count }, () =>
    process.engine.producer.enqueue(type, null, { queue: QUEUE }),
  );
  await stage().clock.until(Promise.all(calls));
}

function settleCalls({ broker }: Process): { readonly count: number; readonly released: number } {
  const calls = { count: 0, released: 0 };
  broker.trouble('settle', (apply, { outcomes }) => {
    calls.count += 1;
    calls.released += outcomes.filter(({ kind }) => kind === 'release').length;
    return apply();
  });
  return calls;
}

const held = () =>
  stage()
    .store.inspect()
    .queues[QUEUE]!.lanes.normal.pending.filter(({ consumer }) => consumer !== 'released');

describe('tasks held ahead', () => {
  it('save trips while handlers are short, and one slot still runs one at a time', async () => {
    const { clock } = stage();
    const process = stage().process(ONE);
    await enqueued(process, 300);
    const calls = settleCalls(process);
    let running = 0;
    let most = 0;
    await process.work({
      short: async () => {
        running += 1;
        most = Math.max(most, running);
        await Promise.resolve();
        running -= 1;
      },
    });
    await clock.advance(SECOND);

    expect(process.told('task.completed')).toHaveLength(300);
    expect(most).toBe(1);
    expect(calls.count).toBeLessThan(20);
    expect(calls.released).toBe(0);
  });

  it('are run in the order in which they were enqueued', async () => {
    const process = stage().process(ONE);
    const ids: string[] = [];
    for (let n = 0; n < 50; n += 1) ids.push(await process.enqueue('short'));
    const ran: string[] = [];
    await process.work({ short: async ({ id }) => void ran.push(id) });
    await stage().clock.advance(SECOND);

    expect(ran).toEqual(ids);
  });

  it('do not wait behind a handler that takes long: a peer runs them at once', async () => {
    const { clock, sleep } = stage();
    const [busy, peer] = [stage().process(ONE), stage().process(ONE)];
    await enqueued(busy, 20);
    await enqueued(busy, 1, 'long');
    await enqueued(busy, 20);
    const calls = settleCalls(busy);
    await busy.work({ short: () => undefined, long: () => sleep(60 * SECOND) });
    expect(busy.told('task.completed')).toHaveLength(20);
    await peer.work({ short: () => undefined });
    await clock.advance(100);

    expect(peer.told('task.completed')).toHaveLength(20);
    expect(peer.told('task.started').every(({ attempt }) => attempt === 1)).toBe(true);
    expect(calls.released).toBe(20);
  });

  it('are none while nothing but such a handler is known: what was handed back is not taken again and again', async () => {
    const { clock, sleep } = stage();
    const process = stage().process(ONE);
    await enqueued(process, 20);
    await enqueued(process, 1, 'long');
    await enqueued(process, 200);
    const calls = settleCalls(process);
    await process.work({ short: () => undefined, long: () => sleep(10 * SECOND) });
    await clock.advance(SECOND);
    const { count, released } = { ...calls };
    expect(held()).toHaveLength(1);
    await clock.advance(8 * SECOND);

    expect(calls.released).toBe(released);
    expect(calls.count - count).toBeLessThan(3);
    await clock.advance(60 * SECOND);
    expect(process.told('task.completed')).toHaveLength(221);
    expect(process.told('task.started')).toHaveLength(221);
  });

  it('are handed back when the worker stops, and were not started', async () => {
    const { clock, sleep } = stage();
    const [stops, peer] = [stage().process(ONE), stage().process(ONE)];
    await enqueued(stops, 20);
    await enqueued(stops, 1, 'long');
    await enqueued(stops, 20);
    const worker = await stops.work({ short: () => undefined, long: () => sleep(20) });
    expect(held().length).toBeGreaterThan(1);
    const stopping = worker.stop();
    await peer.work({ short: () => undefined });
    await clock.until(stopping);
    await clock.advance(SECOND);

    expect(stops.told('task.started')).toHaveLength(21);
    expect(peer.told('task.completed')).toHaveLength(20);
  });

  it('keep their leases, and are not started once another worker has taken them over', async () => {
    const { clock, sleep } = stage();
    const process = stage().process(ONE);
    await enqueued(process, 20);
    await enqueued(process, 1, 'long');
    await enqueued(process, 5);
    await process.work({ short: () => undefined, long: () => sleep(40) });
    const ahead = held().map(({ entryId }) => entryId);
    expect(ahead).toHaveLength(6);
    const extended = new Set<string>();
    process.broker.trouble('extend', async (apply, _queue, _consumer, leases) => {
      await apply();
      for (const { entryId } of leases) extended.add(entryId);
      return leases.filter(({ entryId }) => entryId === ahead[3]);
    });
    // Leases are renewed when the link is back.
    process.broker.disconnect();
    process.broker.reconnect();
    await clock.advance(45);

    expect([...extended].toSorted()).toEqual(ahead.toSorted());
    expect(process.told('task.completed')).toHaveLength(25);
    expect(process.told('task.started')).toHaveLength(25);
  });

  it('are none where none are wished', async () => {
    const process = stage().process({ queues: { [QUEUE]: { concurrency: 2, prefetch: 0 } } });
    await enqueued(process, 40);
    let most = 0;
    await process.work({
      short: () => {
        most = Math.max(most, held().length);
      },
    });
    await stage().clock.advance(SECOND);

    expect(process.told('task.completed')).toHaveLength(40);
    expect(most).toBeLessThanOrEqual(2 + 2);
  });

  it('make room for tasks of the dead first', async () => {
    const { clock } = stage();
    const process = stage().process(ONE);
    await enqueued(process, 3, 'orphan');
    await stage().die(3);
    await enqueued(process, 100);
    const order: string[] = [];
    await process.work({
      short: async ({ type }) => {
        order.push(type);
        await stage().sleep(1);
        // The queue is never empty.
        void process.engine.producer.enqueue('short', null, { queue: QUEUE });
      },
      orphan: ({ type }) => void order.push(type),
    });
    await clock.advance(30 * SECOND);

    expect(order.filter((type) => type === 'orphan')).toHaveLength(3);
  });
});
