import { LeaseUnprovenError, type TaskContext, type WorkerOptions } from '@taskq/core';
import { describe, expect, it } from 'vitest';
import { FaultProxy } from '../chaos/proxy/fault-proxy.js';
import { gate, handler, lab, lasting, watch } from './harness.js';

const here = lab();

const LEASE = 1000;

/**
 * A worker on a task, behind a wire that then swallows everything, so that its heartbeat hangs; and a peer on a wire of
 * its own, which takes the task over.
 */
async function partitioned(worker: WorkerOptions) {
  const proxy = here.track(await FaultProxy.start(here.server.connection));
  // One slot each: while the peer is on the task, only the other can take the next.
  const queueDefaults = { concurrency: 1 };
  const cut = await here.open({ redis: { url: proxy.url, commandTimeout: '3s' }, worker, queueDefaults });
  const peer = await here.open({ queueDefaults });
  const [facts, heardByPeer] = [watch(cut), watch(peer)];
  const [over, peerMayEnd] = [gate(), gate()];
  const aborted: { at: number; reason: unknown }[] = [];
  const run = async (_payload: unknown, { signal }: TaskContext): Promise<void> => {
    signal.addEventListener('abort', () => {
      aborted.push({ at: performance.now(), reason: signal.reason });
      over.open();
    });
    await over.passed;
    signal.throwIfAborted();
  };
  await here.work(
    cut,
    handler('a', run),
    handler('b', () => undefined),
  );
  const { id } = await peer.producer.enqueue('a', 1);
  await facts.until('task.started', { id });
  await here.work(
    peer,
    handler('a', () => peerMayEnd.passed),
  );
  // Who starts sweeps nothing for a heartbeat and a second: the peer must be ready when the lease runs out.
  await lasting(LEASE / 3 + 1000);
  const hole = proxy.blackHole();
  const [started] = await heardByPeer.until('task.started', { id });
  return { cut, peer, facts, heardByPeer, aborted, over, peerMayEnd, hole, id, started: started! };
}

describe('a worker that is cut off from Redis, and whose task a peer takes over', () => {
  it('has aborted its handler before the peer starts, if it is to, and has its slot for the next', async () => {
    const { cut, peer, facts, heardByPeer, aborted, peerMayEnd, hole, id, started } = await partitioned({
      whenUnproven: 'abort',
    });

    expect(aborted).toHaveLength(1);
    expect(aborted[0]!.reason).toBeInstanceOf(LeaseUnprovenError);
    expect(started.at).toBeGreaterThan(aborted[0]!.at);
    expect(started).toMatchObject({ attempt: 1, fence: 2 });
    expect(facts.of('task.unproven')).toMatchObject([{ id }]);
    hole.remove();
    const next = await peer.producer.enqueue('b', 2);
    await facts.until('task.completed', { id: next.id, timeoutMs: 10_000 });
    peerMayEnd.open();
    await heardByPeer.until('task.completed', { id });
    await here.untilEmpty(peer);

    expect(facts.of('task.completed', id)).toEqual([]);
    expect(heardByPeer.of('task.started', id)).toHaveLength(1);
    expect((await cut.inspector.counts('default')).dead).toBe(0);
  });

  it('goes on, if it is to, and only says so; what it does then is refused', async () => {
    const { peer, facts, heardByPeer, aborted, over, peerMayEnd, hole, id, started } = await partitioned({});
    const [unproven] = facts.of('task.unproven');

    expect(unproven).toMatchObject({ id });
    expect(started.at).toBeGreaterThan(unproven!.at);
    expect(aborted).toEqual([]);
    over.open();
    hole.remove();
    await facts.until('task.stale', { id, timeoutMs: 10_000 });
    peerMayEnd.open();
    await heardByPeer.until('task.completed', { id });
    await here.untilEmpty(peer);

    expect(facts.of('task.completed', id)).toEqual([]);
    expect(facts.of('task.unproven')).toHaveLength(1);
  });
});
