import { LeaseLostError } from '@taskq/core';
import { describe, expect, it } from 'vitest';
import { HOUR, lost, MINUTE, type Process, QUEUE, refused, SECOND, useStage } from './stage.js';

const stage = useStage();

/** Its sweeps would find its own entries only, and keep a peer, which is in step with it, from sweeping. */
function sweepsNothing({ broker }: Process): void {
  broker.trouble('reclaim', () => Promise.reject(refused()));
}

describe('a lease lives as long as its task', () => {
  it('over heartbeats that fail: they are repeated before the lease is over', async () => {
    const { clock, process, sleep } = stage();
    const worker = { lease: '12s', heartbeat: '5s' } as const;
    const [runs, waits] = [process({ worker }), process({ worker })];
    sweepsNothing(runs);
    await runs.work({ job: () => sleep(MINUTE) });
    await waits.work({ job: () => undefined });
    await clock.advance(1 * SECOND);
    await runs.enqueue('job');
    // Beats come 2.5 s after the start and every 5 s: two in a row fail, and a third would come too late.
    await clock.advance(6 * SECOND);
    runs.broker.trouble('extend', () => Promise.reject(refused()));
    await clock.advance(7 * SECOND);
    runs.broker.heal('extend');
    await clock.advance(2 * MINUTE);

    expect([...runs.told('task.started'), ...waits.told('task.started')]).toHaveLength(1);
    expect(waits.told('task.reclaimed')).toEqual([]);
  });

  it('over an outage that is just shorter: it is renewed when the link is back', async () => {
    const { clock, process, sleep } = stage();
    const worker = { lease: 11_700, heartbeat: '5s' } as const;
    const [runs, waits] = [process({ worker }), process({ worker })];
    await runs.work({ job: () => sleep(MINUTE) });
    await clock.advance(1 * SECOND);
    await runs.enqueue('job');
    await clock.advance(625);
    await waits.work({ job: () => undefined });
    // Renewed last after 2.5 s, so it is over after 14.2 s; the peer sweeps after 14.3 s.
    await clock.advance(2 * SECOND);
    runs.broker.disconnect();
    await clock.advanceTo(14_100);
    runs.broker.reconnect();
    await clock.advance(2 * MINUTE);

    expect([...runs.told('task.started'), ...waits.told('task.started')]).toHaveLength(1);
    expect(waits.told('task.reclaimed')).toEqual([]);
  });

  it('over an outage that is much longer: whoever is back first waits for the others', async () => {
    const { clock, process, sleep } = stage();
    const [runs, waits] = [process(), process()];
    await runs.work({ job: () => sleep(5 * MINUTE) });
    await runs.enqueue('job');
    await waits.work({ job: () => undefined });
    for (const { broker } of [runs, waits]) broker.disconnect();
    await clock.advance(MINUTE);
    waits.broker.reconnect();
    await clock.advance(1.9 * SECOND);
    runs.broker.reconnect();
    await clock.advance(10 * MINUTE);

    expect(runs.told('task.completed')).toHaveLength(1);
    expect([...runs.told('task.started'), ...waits.told('task.started')]).toHaveLength(1);
  });

  it('while its worker drains, though a peer waits', async () => {
    const { clock, process, sleep } = stage();
    const [stops, waits] = [process(), process()];
    const worker = await stops.work({ job: () => sleep(5 * MINUTE) });
    await stops.enqueue('job');
    await waits.work({ job: () => undefined });
    const report = await clock.until(worker.stop({ drainTimeoutMs: HOUR }));

    expect(report).toMatchObject({ drained: 1, released: 0 });
    expect(waits.told('task.started')).toEqual([]);
  });

  it('while its outcome waits for Redis', async () => {
    const { clock, process } = stage();
    const [ends, waits] = [process(), process()];
    sweepsNothing(ends);
    await ends.work({ job: () => undefined });
    ends.broker.trouble('settle', (apply, { outcomes }) =>
      outcomes.length > 0 ? Promise.reject(refused()) : apply(),
    );
    await ends.enqueue('job');
    await waits.work({ job: () => undefined });
    await clock.advance(40 * SECOND);
    ends.broker.heal('settle');
    await clock.advance(MINUTE);

    expect(ends.told('task.completed')).toHaveLength(1);
    expect(waits.told('task.started')).toEqual([]);
  });

  it('against its own worker: what that runs it does not take from itself, however late its heartbeat', async () => {
    const { clock, process, sleep } = stage();
    const { broker, work, enqueue, told } = process();
    await work({ job: () => sleep(2 * MINUTE) });
    await enqueue('job');
    broker.trouble('extend', () => Promise.reject(refused()));
    await clock.advance(3 * MINUTE);

    expect(told('task.started')).toHaveLength(1);
    expect(told('task.completed')).toHaveLength(1);
  });
});

describe('a lease that was lost', () => {
  it('is told to the handler once, by its signal, and what the handler does then is nothing', async () => {
    const { clock, process, sleep } = stage();
    const [silent, peer] = [process(), process()];
    let reason: unknown;
    await silent.work({
      job: async ({ signal }) => {
        signal.addEventListener('abort', () => (reason = signal.reason));
        await sleep(5 * MINUTE);
      },
    });
    await silent.enqueue('job');
    // Nobody hears of it, and it hears of nobody, for longer than its lease.
    silent.broker.trouble('extend', () => Promise.reject(refused()));
    silent.broker.trouble('reclaim', () => Promise.reject(refused()));
    await peer.work({ job: () => sleep(HOUR) });
    await clock.advance(MINUTE);
    expect(peer.told('task.started')).toHaveLength(1);
    expect(reason).toBeUndefined();
    silent.broker.heal('extend');
    await clock.advance(10 * MINUTE);

    expect(reason).toBeInstanceOf(LeaseLostError);
    expect(silent.told('task.stale')).toMatchObject([{ what: 'lease' }]);
    expect(silent.told('task.completed')).toEqual([]);
  });

  it('because its outcome was applied, is none: that is told when it is known', async () => {
    const { clock, process } = stage();
    const { engine, broker, work, told } = process({ queues: { [QUEUE]: { concurrency: 20 } } });
    let open = (): void => undefined;
    const opened = new Promise<void>((resolve) => (open = resolve));
    await work({ job: () => opened });
    const calls = Array.from({ length: 20 }, () => engine.producer.enqueue('job', null, { queue: QUEUE }));
    await clock.until(Promise.all(calls));
    await clock.advance(SECOND);
    let [sent, first] = [0, 0];
    broker.trouble('settle', async (apply, { outcomes }) => {
      if (outcomes.length === 0) return apply();
      sent += 1;
      if (sent > 1) throw refused();
      first = outcomes.length;
      await apply();
      throw lost();
    });
    open();
    // The heartbeat finds the entries gone meanwhile.
    await clock.advance(12 * SECOND);
    broker.heal('settle');
    await clock.advance(5 * SECOND);

    expect(sent).toBeGreaterThan(1);
    expect(first).toBe(20);
    expect(told('task.completed')).toHaveLength(20);
    expect(told('task.stale')).toEqual([]);
  });
});

describe('the board of the guard', () => {
  it('shows a task until it is settled, and no longer than it may run', async () => {
    const { clock, process, sleep } = stage();
    const { broker, work, enqueue } = process({ worker: { abortGrace: '5s' } });
    await work({ job: () => sleep(MINUTE) });
    const board = broker.guarding?.board;
    const from = clock.monotonicMs() + board!.offsetMs;
    await enqueue('job', { timeout: '10m' });

    expect(board!.held(from + 10 * MINUTE + 5 * SECOND - 1)).toHaveLength(1);
    expect(board!.held(from + 10 * MINUTE + 5 * SECOND + 1)).toEqual([]);
    await clock.advance(2 * MINUTE);
    expect(board!.held(from)).toEqual([]);
  });
});

describe('sweeps', () => {
  it('find tasks of the dead behind any number of tasks that are being run', async () => {
    const { clock, process, sleep } = stage();
    const busy = process({ queues: { [QUEUE]: { concurrency: 250 } } });
    await busy.work({ job: () => sleep(HOUR) });
    await Promise.all(
      Array.from({ length: 250 }, () => busy.engine.producer.enqueue('job', null, { queue: QUEUE })),
    );
    await clock.advance(0);
    for (const _ of [1, 2, 3]) await busy.enqueue('job');
    await stage().die(3);
    const idle = process();
    await idle.work({ job: () => undefined });
    await clock.advance(MINUTE);

    expect(busy.told('task.started')).toHaveLength(250);
    expect(idle.told('task.completed')).toHaveLength(3);
  });

  it('take over no more than there are slots', async () => {
    const { clock, process, sleep } = stage();
    const { broker, work, enqueue, told } = process({ queues: { [QUEUE]: { concurrency: 2 } } });
    for (const _ of Array.from({ length: 10 })) await enqueue('job');
    await stage().die(10);
    const taken: number[] = [];
    broker.trouble('reclaim', async (apply) => {
      const answer = await apply();
      taken.push(answer.deliveries.length);
      return answer;
    });
    await work({ job: () => sleep(SECOND) });
    await clock.advance(MINUTE);

    expect(told('task.completed')).toHaveLength(10);
    expect(Math.max(...taken)).toBeLessThanOrEqual(2);
    expect(told('task.reclaimed')).toHaveLength(10);
  });
});
