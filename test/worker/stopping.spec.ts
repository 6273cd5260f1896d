import { describe, expect, it } from 'vitest';
import { forever, MINUTE, QUEUE, refused, SECOND, useStage } from './stage.js';

const stage = useStage();

describe('a worker that stops', () => {
  it('waits until what ended is settled, though that takes a second try', async () => {
    const { clock, sleep } = stage();
    const [stops, peer] = [stage().process(), stage().process()];
    const worker = await stops.work({ job: () => sleep(SECOND) });
    await stops.enqueue('job');
    let refusals = 2;
    stops.broker.trouble('settle', (apply, { outcomes }) => {
      if (outcomes.length === 0 || refusals === 0) return apply();
      refusals -= 1;
      return Promise.reject(refused());
    });
    await clock.until(worker.stop());
    await peer.work({ job: () => undefined });
    await clock.advance(2 * MINUTE);

    expect(refusals).toBe(0);
    expect(stops.told('task.completed')).toHaveLength(1);
    expect(peer.told('task.started')).toEqual([]);
  });

  it('does not wait for a Redis that is away: five seconds to settle, five to go', async () => {
    const { clock } = stage();
    const { broker, work, enqueue } = stage().process({ worker: { drainTimeout: '1s', abortGrace: '1s' } });
    const worker = await work({ job: forever });
    await enqueue('job');
    broker.disconnect();
    broker.trouble('removeConsumer', forever);
    const { tookMs, stuck } = await clock.until(worker.stop());

    expect(stuck).toBe(1);
    expect(tookMs).toBeLessThanOrEqual(12 * SECOND + 100);
  });

  it('spends no attempt on a handler whose timeout comes within the grace', async () => {
    const { clock } = stage();
    const [stops, peer] = [stage().process(), stage().process()];
    const worker = await stops.work({ job: forever });
    await stops.enqueue('job', { maxAttempts: 1, timeout: '12s' });
    const { released } = await clock.until(worker.stop({ drainTimeoutMs: 10 * SECOND }));
    await peer.work({ job: () => undefined });
    await clock.advance(MINUTE);

    expect(released).toBe(1);
    expect(stops.told('task.stuck')).toEqual([]);
    expect(stops.told('task.dead')).toEqual([]);
    expect(peer.told('task.completed')).toMatchObject([{ attempt: 1 }]);
  });

  it('while it starts, stops when it has: nothing is called afterwards, and nothing is taken', async () => {
    const { clock } = stage();
    const { broker, worker, enqueue, engine, told } = stage().process();
    await enqueue('job');
    const starts = worker({ job: () => undefined });
    const called: string[] = [];
    let go = (): void => undefined;
    const going = new Promise<void>((resolve) => (go = resolve));
    let over = false;
    broker.trouble('ensureQueue', async (apply) => {
      await going;
      if (over) called.push('ensureQueue');
      return apply();
    });
    broker.trouble('fetch', (apply) => {
      if (over) called.push('fetch');
      return apply();
    });
    const starting = starts.start();
    await clock.advance(0);
    const stopping = starts.stop().then((report) => {
      over = true;
      return report;
    });
    await clock.advance(MINUTE);
    go();
    await clock.until(Promise.all([starting, stopping]));
    await clock.advance(MINUTE);

    expect(called).toEqual([]);
    expect(told('task.started')).toEqual([]);
    expect(await engine.inspector.counts(QUEUE)).toMatchObject({ consumers: 0, active: 0 });
  });

  it('ends its read at once, though the word for that is lost at first', async () => {
    const { clock } = stage();
    const { broker, work } = stage().process({ worker: { block: '30s' } });
    const worker = await work({ job: () => undefined });
    await clock.advance(SECOND);
    let losses = 5;
    broker.trouble('interruptFetch', async (apply) => {
      losses -= 1;
      if (losses < 0) await apply();
    });
    const { tookMs } = await clock.until(worker.stop());

    expect(losses).toBeLessThan(0);
    expect(tookMs).toBeLessThan(SECOND);
  });
});
