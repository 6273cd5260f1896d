import type { Rig } from '../contenders/contender.js';
import { openLoop } from '../measure/arrivals.js';
import type { Figures } from '../measure/figures.js';
import { latencies, percentile } from '../measure/percentiles.js';
import { payloadOf } from '../payload.js';
import { settled } from './backlog-filler.js';
import { type BenchCase, TIMES, type Trial } from './bench-case.js';

/** Tasks that are under way at once while the capacity is measured. */
const UNDER_WAY = 500;
const CAPACITY_S = 1;
const WARM_UP = 0.3;
const STEADY_S = 2;

/** What a task's handler is about to do; it changes with the phases of the trial. */
interface Desk {
  started: (n: number) => void;
}

/**
 * Enqueues and processes in one process, at a share of what this contender can do of both, whether or not it keeps up.
 * Measured is the wait: from the call that enqueues to the start of the handler.
 */
export function steadyCase(id: string, share: number): BenchCase {
  return {
    id,
    title: `wait from enqueue to start, at ${share * 100} % of what the contender can do of both in one process`,
    contenders: ['taskq', 'bullmq', 'groupmq', 'bee-queue'],
    rounds: 1,
    figures: [...TIMES, 'offeredPerSecond', 'callsLateP99Ms'],
    run: async (trial) => {
      const rig = await trial.open();
      const desk: Desk = { started: () => undefined };
      await rig.work(async ({ n }) => desk.started(n));
      const capacity = await capacityOf(trial, rig, desk);
      const total = Math.max(100, Math.round(capacity * share * STEADY_S));
      const figures = await waits(rig, desk, { perSecond: capacity * share, total });
      await settled(rig);
      return { figures: { ...figures, offeredPerSecond: capacity * share }, tasks: total };
    },
  };
}

/** Tasks per second that are enqueued and started when there are always enough of them under way. */
async function capacityOf(trial: Trial, rig: Rig, desk: Desk): Promise<number> {
  const { enqueue, process: run } = trial.contender.pace;
  const window = trial.tasks(1 / (1 / enqueue.many + 1 / run.many), CAPACITY_S);
  const warmUp = Math.ceil(window * WARM_UP);
  const total = warmUp + window;
  let next = 0;
  let started = 0;
  let from = 0;
  let to = 0;
  await new Promise<void>((over, failed) => {
    const enqueueNext = (): void => {
      if (next >= total) return;
      next += 1;
      rig.enqueue(payloadOf(next)).catch(failed);
    };
    desk.started = () => {
      started += 1;
      if (started === warmUp) from = performance.now();
      if (started === total) {
        to = performance.now();
        over();
      }
      enqueueNext();
    };
    for (let i = 0; i < UNDER_WAY; i += 1) enqueueNext();
  });
  await settled(rig);
  return (window / (to - from)) * 1000;
}

async function waits(
  rig: Rig,
  desk: Desk,
  load: { readonly perSecond: number; readonly total: number },
): Promise<Figures> {
  const called = new Float64Array(load.total);
  const waited = new Float64Array(load.total);
  let started = 0;
  let over: () => void = () => undefined;
  const allStarted = new Promise<void>((resolve) => (over = resolve));
  desk.started = (n) => {
    waited[n] = performance.now() - called[n]!;
    started += 1;
    if (started === load.total) over();
  };
  const { lateMs, answered } = await openLoop(load, (n) => {
    called[n] = performance.now();
    return rig.enqueue(payloadOf(n));
  });
  await answered;
  await allStarted;
  return { ...latencies(waited), callsLateP99Ms: percentile(lateMs.toSorted(), 0.99) };
}
