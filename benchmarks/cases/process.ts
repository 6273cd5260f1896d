import { setTimeout as delay } from 'node:timers/promises';
import { type ContenderName, paceOf, type Rig } from '../contenders/contender.js';
import { Meter } from '../measure/meter.js';
import type { PayloadSize } from '../payload.js';
import { fill, settled } from './backlog-filler.js';
import { type BenchCase, COST, type Findings, type ServerKind, type Trial } from './bench-case.js';

const EVERYBODY: readonly ContenderName[] = ['taskq', 'bullmq', 'groupmq', 'bee-queue', 'ceiling'];
const WINDOW_S = 0.8;
/** Of the window, before it. */
const WARM_UP = 0.3;
/** How fast tasks of a size are done, × the pace of contenders. */
const PACE: Readonly<Record<PayloadSize, number>> = { small: 1, '2k': 0.5 };

interface Plan {
  readonly slots: number;
  readonly title?: string;
  /** How long a handler waits for nothing, in milliseconds. */
  readonly handlerMs?: number;
  readonly size?: PayloadSize;
  readonly contenders?: readonly ContenderName[];
  readonly against?: ContenderName;
  readonly server?: ServerKind;
  readonly rounds?: number;
  readonly profiled?: boolean;
}

/** Drains a backlog that was there before. */
export function processCase(id: string, plan: Plan): BenchCase {
  const { slots, handlerMs = 0, size = 'small', contenders = EVERYBODY, against, server, rounds = 3 } = plan;
  const what = `process: ${slots} ${slots === 1 ? 'slot' : 'slots'}, a handler that ${handlerMs > 0 ? `waits for ${handlerMs} ms` : 'does nothing'}`;
  /** More than this no slots can do. */
  const most = handlerMs > 0 ? (slots / handlerMs) * 1000 : Number.POSITIVE_INFINITY;
  return {
    id,
    title: plan.title ?? `${what}${size === '2k' ? ', 2 KB' : ''}${server ? ', appendfsync everysec' : ''}`,
    ...{ contenders, rounds, figures: COST },
    ...(server && { server }),
    ...(against && { against }),
    ...(plan.profiled && { profiled: true }),
    run: async (trial) => {
      const rig = await trial.open({ slots, callers: 4 });
      return drain(trial, rig, {
        tasks: trial.tasks(
          Math.min(paceOf(trial.contender.pace.process, slots) * PACE[size], most),
          WINDOW_S,
        ),
        behind: 2 * slots,
        ...{ size, handlerMs },
      });
    },
  };
}

interface Backlog {
  /** Tasks of the window. */
  readonly tasks: number;
  /** Tasks behind them, so that no slot is idle while the window lasts. */
  readonly behind: number;
  readonly size: PayloadSize;
  readonly handlerMs: number;
}

async function drain({ admin }: Trial, rig: Rig, backlog: Backlog): Promise<Findings> {
  const { tasks, behind, size, handlerMs } = backlog;
  const warmUp = Math.ceil(tasks * WARM_UP);
  const total = warmUp + tasks + behind;
  await fill(rig, total, size);
  const meter = new Meter(admin);
  let done = 0;
  await new Promise<void>((allDone, failed) => {
    const handler = async (): Promise<void> => {
      if (handlerMs > 0) await delay(handlerMs);
      done += 1;
      if (done === warmUp) meter.begin();
      else if (done === warmUp + tasks) meter.end();
      if (done === total) allDone();
    };
    rig.work(handler).catch(failed);
  });
  const figures = await meter.figures(tasks);
  await settled(rig);
  if (done !== total) throw new Error(`${done} tasks were done, ${total} were enqueued`);
  return { figures, tasks };
}
