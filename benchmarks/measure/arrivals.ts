import { setTimeout as delay } from 'node:timers/promises';

/**
 * A schedule of calls that does not wait for answers: so many per second, in bursts of one millisecond, since nothing
 * here can wait for less. A caller that comes late makes up for it at once.
 */
export class Arrivals {
  private made = 0;

  constructor(
    private readonly perSecond: number,
    private readonly total: number,
  ) {}

  /** How many calls are to be made now, so many milliseconds after the beginning. */
  due(elapsedMs: number): number {
    const wanted = Math.min(this.total, Math.floor((Math.floor(elapsedMs) * this.perSecond) / 1000));
    const due = Math.max(0, wanted - this.made);
    this.made += due;
    return due;
  }

  /** When call `n` was to be made, in milliseconds after the beginning. */
  dueAt(n: number): number {
    return Math.ceil(((n + 1) * 1000) / this.perSecond);
  }

  get over(): boolean {
    return this.made >= this.total;
  }
}

/** What open-loop calls came to. */
export interface OpenLoop {
  /** How much later than planned each call was made, in milliseconds. */
  readonly lateMs: Float64Array;
  /** Settles with the last call; rejects with the first that failed. */
  readonly answered: Promise<unknown>;
}

/** Makes `total` calls at that rate, whether or not earlier ones were answered; resolves when the last was made. */
export async function openLoop(
  { perSecond, total }: { readonly perSecond: number; readonly total: number },
  call: (n: number) => Promise<unknown>,
): Promise<OpenLoop> {
  const arrivals = new Arrivals(perSecond, total);
  const lateMs = new Float64Array(total);
  let open = total;
  const { promise: answered, resolve, reject } = withResolvers();
  // Whoever asked hears of a failure when the last call was made, not while nobody listens.
  answered.catch(() => undefined);
  const one = (): void => {
    open -= 1;
    if (open === 0) resolve();
  };
  const began = performance.now();
  let n = 0;
  while (!arrivals.over) {
    for (let due = arrivals.due(performance.now() - began); due > 0; due -= 1) {
      lateMs[n] = Math.max(0, performance.now() - began - arrivals.dueAt(n));
      call(n).then(one, reject);
      n += 1;
    }
    await delay(1);
  }
  return { lateMs, answered };
}

function withResolvers(): { promise: Promise<void>; resolve: () => void; reject: (error: unknown) => void } {
  let resolve!: () => void;
  let reject!: (error: unknown) => void;
  const promise = new Promise<void>((done, fail) => {
    resolve = done;
    reject = fail;
  });
  return { promise, resolve, reject };
}
