import type { ContenderName, Rig } from '../contenders/contender.js';
import { paceOf } from '../contenders/contender.js';
import { Meter } from '../measure/meter.js';
import { payloadOf, payloadsOf, type PayloadSize } from '../payload.js';
import { type BenchCase, COST, type Findings, type ServerKind, type Trial } from './bench-case.js';

const EVERYBODY: readonly ContenderName[] = ['taskq', 'bullmq', 'groupmq', 'bee-queue', 'ceiling'];
const WINDOW_S = 0.8;
/** Of the window, before it: what is measured is a process that has run for a second or two, for everybody alike. */
const WARM_UP = 1.5;
const MANY = 1000;
/** How fast tasks of a size are enqueued, × the pace of contenders. */
const PACE: Readonly<Record<PayloadSize, number>> = { small: 1, '2k': 0.4 };

interface Plan {
  readonly callers: number;
  readonly size?: PayloadSize;
  readonly contenders?: readonly ContenderName[];
  readonly server?: ServerKind;
  readonly rounds?: number;
  readonly profiled?: boolean;
}

/** Callers that each wait for their call before they make the next. */
export function enqueueCase(id: string, plan: Plan): BenchCase {
  const { callers, size = 'small', contenders = EVERYBODY, server, rounds = 3, profiled } = plan;
  const who = callers === 1 ? 'one caller that waits' : `${callers} callers that wait`;
  return {
    id,
    title: `enqueue: ${who} for each call${size === '2k' ? ', 2 KB' : ''}${server ? ', appendfsync everysec' : ''}`,
    ...{ contenders, rounds, figures: COST },
    ...(server && { server }),
    ...(profiled && { profiled }),
    run: async (trial) => {
      const rig = await trial.open({ callers });
      const tasks = trial.tasks(paceOf(trial.contender.pace.enqueue, callers) * PACE[size], WINDOW_S);
      const call = (n: number): Promise<unknown> => rig.enqueue(payloadOf(n, size));
      return measure(trial, rig, { tasks, step: 1, callers, call });
    },
  };
}

/** One caller with a thousand tasks per call. */
export const enqueueMany: BenchCase = {
  id: 'enqueue-many',
  title: `enqueue: one caller, ${MANY} tasks per call`,
  contenders: EVERYBODY,
  rounds: 3,
  figures: COST,
  run: async (trial) => {
    const rig = await trial.open({ callers: 1 });
    const calls = Math.ceil(trial.tasks(trial.contender.pace.enqueue.many, WINDOW_S) / MANY);
    const call = (n: number): Promise<unknown> => rig.enqueueMany(payloadsOf(n, MANY));
    return measure(trial, rig, { tasks: calls * MANY, step: MANY, callers: 1, call });
  },
};

interface Load {
  readonly tasks: number;
  /** Tasks of one call. */
  readonly step: number;
  readonly callers: number;
  readonly call: (first: number) => Promise<unknown>;
}

async function measure({ admin }: Trial, rig: Rig, load: Load): Promise<Findings> {
  const warmUp = Math.ceil((load.tasks * WARM_UP) / load.step) * load.step;
  await closedLoop(load, 0, warmUp);
  const meter = new Meter(admin);
  meter.begin();
  await closedLoop(load, warmUp, warmUp + load.tasks);
  meter.end();
  const figures = await meter.figures(load.tasks);
  const there = await rig.left();
  if (there !== warmUp + load.tasks)
    throw new Error(`${there} tasks are there, ${warmUp + load.tasks} were enqueued`);
  return { figures, tasks: load.tasks };
}

async function closedLoop({ callers, step, call }: Load, from: number, to: number): Promise<void> {
  let next = from;
  const caller = async (): Promise<void> => {
    while (next < to) {
      const first = next;
      next += step;
      await call(first);
    }
  };
  await Promise.all(Array.from({ length: callers }, caller));
}
