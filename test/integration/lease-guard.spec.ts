import { describe, expect, it } from 'vitest';
import { type WorkerProcess, workerProgram } from './child-process.js';
import { handler, lab, watch } from './harness.js';

const here = lab();
const start = workerProgram();

const LEASE = 2000;
const lease = { lease: LEASE } as const;

/** A worker in a process of its own, with the thread that renews leases while its event loop is held up. */
function child(): WorkerProcess {
  return here.track(start(here.options({ worker: { ...lease, heartbeatThread: true } })));
}

describe('a task that holds up its process for longer than its lease', () => {
  it('runs once, though a peer waits for it', async () => {
    const blocked = child();
    await blocked.until('ready');
    const engine = await here.open({ worker: lease });
    const facts = watch(engine);
    const { id } = await engine.producer.enqueue('do', { block: 2.6 * LEASE });
    await blocked.until('task.started', { id });
    await here.work(
      engine,
      handler('do', () => undefined),
    );
    await blocked.until('task.completed', { id });
    await here.untilEmpty(engine);

    expect(facts.of('task.started')).toEqual([]);
    expect(blocked.of('task.stale')).toEqual([]);
  });

  it('is never told that its lease is not proven, when what renewed it is told of late', async () => {
    const blocked = child();
    await blocked.until('ready');
    const engine = await here.open({ worker: lease });
    const { id } = await engine.producer.enqueue('do', { block: 3 * LEASE, ms: 100 });
    await blocked.until('task.completed', { id, timeoutMs: 12_000 });

    expect(blocked.of('task.started', id)).toHaveLength(1);
    expect(blocked.of('task.unproven')).toEqual([]);
  });

  it('and its timeout is lost to a peer, while it goes on', async () => {
    const blocked = child();
    await blocked.until('ready');
    const engine = await here.open({ worker: lease });
    const facts = watch(engine);
    const { id } = await engine.producer.enqueue('do', { block: 4 * LEASE }, { timeout: 300 });
    await blocked.until('task.started', { id });
    const begun = performance.now();
    await here.work(
      engine,
      handler('do', () => undefined),
    );
    const [done] = await facts.until('task.completed', { id, timeoutMs: 8000 });

    // Its timeout and the grace are over after half a second; then its lease, a sweep and a second.
    expect(done!.at - begun).toBeLessThan(500 + LEASE + LEASE / 6 + 1000);
    expect(facts.of('task.started', id)).toMatchObject([{ fence: 2 }]);
  });
});
