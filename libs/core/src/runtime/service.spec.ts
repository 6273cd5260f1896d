import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { systemClock } from './clock.js';
import { type PeriodicOptions, PeriodicService } from './service.js';

const EVERY_MS = 1000;

/** A pass that the test ends when it likes. */
class Pass {
  end!: (next?: number) => void;
  fail!: (error: unknown) => void;
  readonly done = new Promise<number | undefined>((resolve, reject) => {
    this.end = resolve;
    this.fail = reject;
  });
}

class Service extends PeriodicService {
  readonly passes: Pass[] = [];
  atOnce = true;
  answer: number | undefined;

  constructor(
    readonly warnings: string[] = [],
    over: Partial<PeriodicOptions> = {},
  ) {
    const logger = {
      debug: () => {},
      info: () => {},
      warn: (line: string) => void warnings.push(line),
      error: (line: string) => void warnings.push(line),
    };
    super({ name: 'sweeper', everyMs: EVERY_MS, clock: systemClock, logger, random: () => 0.5, ...over });
  }

  override runOnce(): Promise<number | undefined> {
    const pass = new Pass();
    this.passes.push(pass);
    if (this.atOnce) pass.end(this.answer);
    return pass.done;
  }
}

const services: Service[] = [];
function service(over: Partial<PeriodicOptions> = {}, warnings: string[] = []): Service {
  const made = new Service(warnings, over);
  services.push(made);
  return made;
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
});
afterEach(async () => {
  await Promise.all(
    services.splice(0).map((each) => {
      for (const pass of each.passes) pass.end();
      return each.stop();
    }),
  );
  const left = vi.getTimerCount();
  vi.useRealTimers();
  if (left > 0) throw new Error(`${left} timers are left`);
});

describe('PeriodicService', () => {
  it('runs again and again, about every everyMs', async () => {
    const sweeper = service();
    sweeper.start();
    await vi.advanceTimersByTimeAsync(10 * EVERY_MS);

    expect(sweeper.passes.length).toBeGreaterThanOrEqual(9);
    expect(sweeper.passes.length).toBeLessThanOrEqual(11);
  });

  it.each([
    [0, 0, 0.9],
    [0.5, 0.5, 1],
    [0.999, 0.999, 1.1],
  ])('spreads first and further passes of many processes (random %s)', async (random, first, next) => {
    const sweeper = service({ random: () => random });
    sweeper.start();
    expect(vi.getTimerCount()).toBe(1);
    // A timer of 0 ms takes one.
    await vi.advanceTimersByTimeAsync(Math.max(1, first * EVERY_MS));
    expect(sweeper.passes).toHaveLength(1);
    await vi.advanceTimersByTimeAsync((next - 0.01) * EVERY_MS);
    expect(sweeper.passes).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(0.01 * EVERY_MS + 1);
    expect(sweeper.passes).toHaveLength(2);
  });

  it('may be started twice: there is one timer', async () => {
    const sweeper = service();
    sweeper.start();
    sweeper.start();

    expect(vi.getTimerCount()).toBe(1);
    await vi.advanceTimersByTimeAsync(5 * EVERY_MS);
    expect(sweeper.passes.length).toBeLessThanOrEqual(6);
  });

  it('may be stopped twice, before it was started, and started again', async () => {
    const sweeper = service();
    await sweeper.stop();
    sweeper.start();
    await Promise.all([sweeper.stop(), sweeper.stop()]);
    expect(vi.getTimerCount()).toBe(0);
    await vi.advanceTimersByTimeAsync(5 * EVERY_MS);
    expect(sweeper.passes).toHaveLength(0);

    sweeper.start();
    await vi.advanceTimersByTimeAsync(EVERY_MS);
    expect(sweeper.passes).toHaveLength(1);
  });

  it('has one pass at a time, however long it takes', async () => {
    const sweeper = service();
    sweeper.atOnce = false;
    sweeper.start();
    await vi.advanceTimersByTimeAsync(10 * EVERY_MS);

    expect(sweeper.passes).toHaveLength(1);
    sweeper.passes[0]!.end();
    await vi.advanceTimersByTimeAsync(1.2 * EVERY_MS);
    expect(sweeper.passes).toHaveLength(2);
  });

  it('stop resolves when the pass under way is over, and none follows', async () => {
    const sweeper = service();
    sweeper.atOnce = false;
    sweeper.start();
    sweeper.trigger();
    sweeper.trigger();
    let stopped = false;
    const stop = sweeper.stop().then(() => (stopped = true));
    await vi.advanceTimersByTimeAsync(EVERY_MS);
    expect(stopped).toBe(false);

    sweeper.passes[0]!.end(5);
    await stop;

    await vi.advanceTimersByTimeAsync(5 * EVERY_MS);
    expect(sweeper.passes).toHaveLength(1);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('goes on after a pass that throws, at the usual time, and says so', async () => {
    const warnings: string[] = [];
    const sweeper = service({}, warnings);
    sweeper.atOnce = false;
    sweeper.start();
    sweeper.trigger();
    sweeper.passes[0]!.fail(new Error('no Redis'));
    await vi.advanceTimersByTimeAsync(0.5 * EVERY_MS);
    expect(warnings).toEqual([expect.stringMatching(/sweeper.*no Redis/)]);
    expect(sweeper.passes).toHaveLength(1);

    await vi.advanceTimersByTimeAsync(0.7 * EVERY_MS);
    expect(sweeper.passes).toHaveLength(2);
    sweeper.passes[1]!.fail('not even an error');
    await vi.advanceTimersByTimeAsync(1.2 * EVERY_MS);
    expect(sweeper.passes).toHaveLength(3);
    expect(warnings).toHaveLength(2);
  });

  it('goes on after a pass that throws before it answers a promise', async () => {
    const warnings: string[] = [];
    const sweeper = service({}, warnings);
    vi.spyOn(sweeper, 'runOnce').mockImplementationOnce(() => {
      throw new Error('at once');
    });
    sweeper.start();
    sweeper.trigger();
    await vi.advanceTimersByTimeAsync(1.2 * EVERY_MS);

    expect(warnings).toEqual([expect.stringContaining('at once')]);
    expect(sweeper.passes).toHaveLength(1);
  });

  it('comes sooner when a pass asks for it, also at once', async () => {
    const sweeper = service();
    sweeper.answer = 50;
    sweeper.start();
    sweeper.trigger();
    await vi.advanceTimersByTimeAsync(49);
    expect(sweeper.passes).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(2);
    expect(sweeper.passes).toHaveLength(2);

    sweeper.answer = 0;
    await vi.advanceTimersByTimeAsync(55);
    expect(sweeper.passes.length).toBeGreaterThan(5);
  });

  it('trigger runs a pass now; during a pass, one more directly after it', async () => {
    const sweeper = service();
    sweeper.atOnce = false;
    sweeper.start();
    sweeper.trigger();
    expect(sweeper.passes).toHaveLength(1);
    sweeper.trigger();
    sweeper.trigger();
    expect(sweeper.passes).toHaveLength(1);

    sweeper.passes[0]!.end();
    await vi.advanceTimersByTimeAsync(1);
    expect(sweeper.passes).toHaveLength(2);
    sweeper.passes[1]!.end();
    await vi.advanceTimersByTimeAsync(1);
    expect(sweeper.passes).toHaveLength(2);
  });

  it('trigger does nothing while it is stopped', async () => {
    const sweeper = service();
    sweeper.trigger();
    await vi.advanceTimersByTimeAsync(EVERY_MS);
    sweeper.start();
    await sweeper.stop();
    sweeper.trigger();
    await vi.advanceTimersByTimeAsync(EVERY_MS);

    expect(sweeper.passes).toHaveLength(0);
    expect(vi.getTimerCount()).toBe(0);
  });
});
