import { setTimeout as delay } from 'node:timers/promises';
import type { Rig } from '../contenders/contender.js';
import { latencies, percentile } from '../measure/percentiles.js';
import { payloadOf } from '../payload.js';
import { settled } from './backlog-filler.js';
import { type BenchCase, TIMES } from './bench-case.js';

const LONE = { warmUp: 50, perSecond: 200, seconds: 2 };
/** Who is slow to pick up is given so long, and then measured by fewer. */
const LONGEST_MS = 5000;
const FEWEST = 20;

/** One task at a time for a worker that has nothing else to do. */
export const pickup: BenchCase = {
  id: 'pickup',
  title: 'a lone task every 5 ms for an idle worker: from the call to the start of the handler',
  contenders: ['taskq', 'bullmq', 'groupmq', 'bee-queue', 'ceiling'],
  rounds: 3,
  figures: TIMES,
  run: async (trial) => {
    const rig = await trial.open({ callers: 1 });
    let started: (at: number) => void = () => undefined;
    await rig.work(async () => started(performance.now()));
    const once = async (n: number): Promise<number> => {
      const start = new Promise<number>((resolve) => (started = resolve));
      const called = performance.now();
      await Promise.all([rig.enqueue(payloadOf(n)), start]);
      return (await start) - called;
    };
    const tasks = trial.tasks(LONE.perSecond, LONE.seconds);
    for (let n = 0; n < LONE.warmUp; n += 1) await once(n);
    const waits: number[] = [];
    const over = performance.now() + LONGEST_MS;
    while (waits.length < tasks && (performance.now() < over || waits.length < FEWEST)) {
      waits.push(await once(waits.length));
      // 3 to 7 ms: who only looks every so often shall not always look at the right moment.
      await delay(3 + ((waits.length * 3) % 5));
    }
    await settled(rig);
    return { figures: latencies(Float64Array.from(waits)), tasks: waits.length };
  },
};

/** One call at a time, beside a command that does nothing. */
export const loneEnqueue: BenchCase = {
  id: 'lone-enqueue',
  title: 'a lone enqueue, beside a bare PING on the same connection',
  contenders: ['taskq', 'bullmq', 'bee-queue', 'ceiling'],
  rounds: 2,
  figures: ['loneOverRoundTripMs', 'loneEnqueueMs', 'roundTripMs'],
  run: async (trial) => {
    const rig = await trial.open({ callers: 1 });
    const tasks = trial.tasks(1500, 1);
    const warmUp = Math.ceil(tasks / 3);
    const enqueues: number[] = [];
    const trips: number[] = [];
    for (let n = 0; n < warmUp + tasks; n += 1) {
      const [enqueue, trip] = [await timeOf(() => rig.enqueue(payloadOf(n))), await roundTrip(rig)];
      if (n < warmUp) continue;
      enqueues.push(enqueue);
      trips.push(trip);
    }
    const [loneEnqueueMs, roundTripMs] = [enqueues, trips].map((times) =>
      percentile(
        times.toSorted((a, b) => a - b),
        0.5,
      ),
    ) as [number, number];
    return {
      figures: { loneOverRoundTripMs: loneEnqueueMs - roundTripMs, loneEnqueueMs, roundTripMs },
      tasks,
    };
  },
};

function roundTrip(rig: Rig): Promise<number> {
  return timeOf(() => rig.roundTrip!());
}

async function timeOf(call: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await call();
  return performance.now() - began;
}
