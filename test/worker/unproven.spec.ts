import { LeaseUnprovenError, type TaskContext, type WorkerOptions } from '@taskq/core';
import { describe, expect, it } from 'vitest';
import { forever, HOUR, lost, MINUTE, type Process, QUEUE, refused, SECOND, useStage } from './stage.js';

// A worker that Redis does not hear: when it can no longer be sure of its tasks, and what it does then.
const stage = useStage();

const ABORT = { whenUnproven: 'abort' } as const;
const LEASE_MS = 15 * SECOND;
/** A lease counts as proven for nine tenths. */
const PROVEN_MS = 13.5 * SECOND;

/** A handler that works until its signal is aborted, and throws then; `at` is when that was, -1 for never. */
function polite() {
  const { clock } = stage();
  const aborted = { at: -1, reason: undefined as unknown };
  const run = ({ signal }: TaskContext): Promise<never> =>
    new Promise((_, reject) =>
      signal.addEventListener('abort', () => {
        aborted.at = clock.monotonicMs();
        aborted.reason = signal.reason;
        reject(new Error('told to stop'));
      }),
    );
  return { aborted, run };
}

/** A worker on a task, a peer that waits for one, and then nothing of the worker reaches Redis any more. */
async function partitioned(worker: WorkerOptions, run: (context: TaskContext) => unknown) {
  const { clock, process, sleep } = stage();
  const [cut, peer] = [process({ worker }), process()];
  await cut.work({ job: run });
  await cut.enqueue('job');
  let peerStartedAt = -1;
  await peer.work({
    job: () => {
      peerStartedAt = clock.monotonicMs();
      return sleep(10 * SECOND);
    },
  });
  await clock.advance(20 * SECOND);
  const cutAt = clock.monotonicMs();
  cut.broker.disconnect();
  return { cut, peer, cutAt, peerStartedAt: () => peerStartedAt };
}

/** How many tasks a worker starts when it is given as many as it has slots. */
async function startsInFreeSlots({ engine, told }: Process): Promise<number> {
  const { clock } = stage();
  const before = told('task.started').length;
  const { concurrency } = engine.options.queueDefaults;
  const calls = Array.from({ length: concurrency }, () =>
    engine.producer.enqueue('hold', null, { queue: QUEUE }),
  );
  await clock.until(Promise.all(calls));
  await clock.advance(SECOND);
  return told('task.started').length - before;
}

describe('a worker that is cut off from Redis', () => {
  it('aborts its handlers before a peer starts their tasks, if it is to', async () => {
    const { clock } = stage();
    const { aborted, run } = polite();
    const { cut, peer, cutAt, peerStartedAt } = await partitioned(ABORT, run);
    await clock.advance(MINUTE);

    expect(aborted.reason).toBeInstanceOf(LeaseUnprovenError);
    // Beats come every 5 s.
    expect(aborted.at).toBeGreaterThanOrEqual(cutAt + PROVEN_MS - 5 * SECOND);
    expect(aborted.at).toBeLessThanOrEqual(cutAt + PROVEN_MS);
    expect(peerStartedAt() - aborted.at).toBeGreaterThanOrEqual(LEASE_MS - PROVEN_MS);
    expect(cut.told('task.unproven')).toMatchObject([{ queue: QUEUE, silentMs: PROVEN_MS }]);
    expect(peer.told('task.completed')).toHaveLength(1);
  });

  it('lets them go on, if it is to, and says so once', async () => {
    const { clock } = stage();
    const { aborted, run } = polite();
    const { cut, peer, cutAt } = await partitioned({}, run);
    await clock.advance(PROVEN_MS);
    expect(cut.told('task.unproven')).toMatchObject([{ silentMs: PROVEN_MS }]);
    expect(peer.told('task.started')).toEqual([]);
    await clock.advance(10 * MINUTE);

    expect(clock.monotonicMs() - cutAt).toBeGreaterThan(10 * MINUTE);
    expect(cut.told('task.unproven')).toHaveLength(1);
    expect(aborted.at).toBe(-1);
    expect(peer.told('task.completed')).toHaveLength(1);
  });

  it('does not wait for a heartbeat that hangs', async () => {
    const { clock, process } = stage();
    const { aborted, run } = polite();
    const { broker, work, enqueue } = process({ worker: ABORT });
    await work({ job: run });
    const startedAt = clock.monotonicMs();
    await enqueue('job');
    let fail = (): void => undefined;
    broker.trouble('extend', () => new Promise((_, reject) => (fail = () => reject(lost()))));
    await clock.advance(LEASE_MS);
    broker.heal('extend');
    fail();

    expect(aborted.at).toBe(startedAt + PROVEN_MS);
  });

  it('counts a renewal from before it was sent, however late its answer', async () => {
    const { clock, process, sleep } = stage();
    const { aborted, run } = polite();
    const { broker, work, enqueue } = process({ worker: ABORT });
    let sentAt = -1;
    broker.trouble('extend', async (apply) => {
      if (sentAt >= 0) throw refused();
      sentAt = clock.monotonicMs();
      const answer = await apply();
      await sleep(4 * SECOND);
      return answer;
    });
    await work({ job: run });
    await enqueue('job');
    await clock.advance(20 * SECOND);

    expect(sentAt).toBeGreaterThan(0);
    expect(aborted.at).toBe(sentAt + PROVEN_MS);
  });

  it('goes on looking while it drains', async () => {
    const { clock, process } = stage();
    const { aborted, run } = polite();
    const { broker, work, enqueue } = process({ worker: { ...ABORT, drainTimeout: '1h' } });
    const worker = await work({ job: run });
    const startedAt = clock.monotonicMs();
    await enqueue('job');
    const stopping = worker.stop();
    broker.disconnect();
    await clock.advance(LEASE_MS);
    broker.reconnect();
    await clock.until(stopping);

    expect(aborted.at).toBe(startedAt + PROVEN_MS);
  });

  it('is told nothing while leases are renewed, however long its tasks run', async () => {
    const { clock, process, sleep } = stage();
    const { work, enqueue, told } = process({ worker: ABORT });
    await work({ job: () => sleep(2 * HOUR) });
    for (let n = 0; n < 5; n += 1) {
      await enqueue('job');
      await clock.advance(7 * SECOND);
    }
    await clock.advance(3 * HOUR);

    expect(told('task.completed')).toHaveLength(5);
    expect(told('task.unproven')).toEqual([]);
  });
});

describe('a task whose handler was aborted for that', () => {
  it('is handed back when Redis is there again: the same attempt, a greater fence, every slot free', async () => {
    const { clock, process } = stage();
    const { aborted, run } = polite();
    const seen: { attempt: number; fence: number }[] = [];
    const alone = process({ worker: ABORT });
    await alone.work({
      job: (context) => {
        seen.push({ attempt: context.attempt, fence: context.fence });
        return seen.length === 1 ? run(context) : undefined;
      },
      hold: forever,
    });
    await alone.enqueue('job', { maxAttempts: 1 });
    alone.broker.disconnect();
    await clock.advance(3 * LEASE_MS);
    expect(aborted.at).toBeGreaterThan(0);
    expect(alone.told('task.released')).toEqual([]);
    alone.broker.reconnect();
    await clock.advance(MINUTE);

    expect(alone.told('task.released')).toHaveLength(1);
    expect(seen.map(({ attempt }) => attempt)).toEqual([1, 1]);
    expect(seen[1]!.fence).toBeGreaterThan(seen[0]!.fence);
    expect(alone.told('task.completed')).toHaveLength(1);
    expect(alone.told('task.dead')).toEqual([]);
    expect(await startsInFreeSlots(alone)).toBe(alone.engine.options.queueDefaults.concurrency);
  });

  it('is left to the peer that has taken it over meanwhile', async () => {
    const { clock } = stage();
    const { run } = polite();
    const { cut, peer } = await partitioned(ABORT, run);
    await clock.advance(20 * SECOND);
    expect(peer.told('task.started')).toHaveLength(1);
    cut.broker.reconnect();
    await clock.advance(MINUTE);

    expect(peer.told('task.completed')).toHaveLength(1);
    expect(cut.told('task.released')).toEqual([]);
    expect(cut.told('task.stale')).toHaveLength(1);
    expect(cut.told('task.started')).toHaveLength(1);
    expect(await cut.engine.inspector.counts(QUEUE)).toMatchObject({ active: 0, dead: 0, scheduled: 0 });
  });

  it('is completed as always if it returns all the same, and nobody has taken it over', async () => {
    const { clock, process, sleep } = stage();
    const { broker, work, enqueue, told } = process({ worker: ABORT });
    await work({ job: () => sleep(MINUTE) });
    await enqueue('job');
    broker.disconnect();
    await clock.advance(2 * MINUTE);
    broker.reconnect();
    await clock.advance(MINUTE);

    expect(told('task.unproven')).toHaveLength(1);
    expect(told('task.started')).toHaveLength(1);
    expect(told('task.completed')).toHaveLength(1);
  });

  it('spends no attempt either when the handler is deaf past its timeout', async () => {
    const { clock, process } = stage();
    const { broker, work, enqueue, told } = process({ worker: ABORT });
    let starts = 0;
    await work({
      job: () => {
        starts += 1;
        return starts === 1 ? forever() : undefined;
      },
    });
    await enqueue('job', { maxAttempts: 1, timeout: '30s' });
    broker.disconnect();
    await clock.advance(34.9 * SECOND);
    expect(told('task.stuck')).toEqual([]);
    await clock.advance(SECOND);
    expect(told('task.stuck')).toHaveLength(1);
    broker.reconnect();
    await clock.advance(MINUTE);

    expect(told('task.dead')).toEqual([]);
    expect(told('task.completed')).toMatchObject([{ attempt: 1 }]);
  });

  it('is none of those that a later stop hands back', async () => {
    const { clock, process } = stage();
    const { run } = polite();
    const { broker, work, enqueue, told } = process({ worker: ABORT });
    let starts = 0;
    const worker = await work({
      job: (context) => {
        starts += 1;
        return starts === 1 ? run(context) : undefined;
      },
    });
    await enqueue('job');
    broker.disconnect();
    await clock.advance(MINUTE);
    broker.reconnect();
    await clock.advance(MINUTE);
    const report = await clock.until(worker.stop());

    expect(told('task.completed')).toHaveLength(1);
    expect(report).toMatchObject({ drained: 0, released: 0, stuck: 0 });
  });
});
