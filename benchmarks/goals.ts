import type { ContenderName } from './contenders/contender.js';
import { type FigureName, figureText } from './measure/figures.js';
import type { Rows } from './report/rows.js';

/** Something that taskq wants to reach, and how far it got by the figures of a run. */
export interface Goal {
  readonly title: string;
  readonly wanted: 'at least' | 'at most';
  readonly bound: number;
  /** `undefined` when it was not measured. */
  readonly reached: (rows: Rows) => number | undefined;
  /** What stands in the way, where that is known. Only shown when the goal is not reached. */
  readonly limit?: (rows: Rows) => string;
  /** A figure or a ratio in words. */
  readonly text: (value: number) => string;
}

/** Whether a goal was reached; `undefined` when it was not measured. */
export function isReached({ wanted, bound, reached }: Goal, rows: Rows): boolean | undefined {
  const value = reached(rows);
  if (value === undefined) return undefined;
  return wanted === 'at least' ? value >= bound : value <= bound;
}

/** What the figures of goals are called in their titles. */
const MEANS: Partial<Record<FigureName, string>> = {
  p99Ms: 'p99',
  loneOverRoundTripMs: 'p50 over that of a bare round trip',
  bytesPerTask: 'Redis memory per task',
  slowestCommandMs: 'slowest command',
  connections: 'connections',
  commandsPerSecond: 'commands',
};

/** All goals, in the order of the document. The only place for these numbers. */
export const goals: readonly Goal[] = [
  faster('enqueue-100', 'bullmq', 4),
  faster('enqueue-100', 'bee-queue', 1.5),
  faster('enqueue-100', 'ceiling', 0.8),
  faster('enqueue-many', 'bullmq', 6),
  faster('process-100', 'bullmq', 5),
  faster('process-100', 'bee-queue', 3),
  faster('process-100', 'ceiling', 0.5),
  faster('process-10', 'bullmq', 5),
  faster('process-1', 'bullmq', 8),
  {
    ...ratio('at most', 1 / 5),
    title: 'CPU of a task, enqueued and processed at 100 (Node and Redis), × bullmq',
    reached: (rows) => over(wholeCpu(rows, 'taskq'), wholeCpu(rows, 'bullmq')),
  },
  {
    ...ratio('at least', 0.85),
    title: 'process-100 through Nest, tasks/s or tasks per CPU, × taskq without it',
    reached: (rows) => keptOf(rows, 'process-100', 'taskq-nest'),
  },
  {
    ...ratio('at least', 0.9),
    title: 'process-100 with a listener on every event, tasks/s or tasks per CPU, × taskq without',
    reached: (rows) => keptOf(rows, 'telemetry', 'taskq-listened'),
  },
  sooner('p50Ms'),
  sooner('p99Ms'),
  atMost('pickup', 'p99Ms', 3),
  atMost('lone-enqueue', 'loneOverRoundTripMs', 0.1),
  atMost('delayed-500', 'p99Ms', 10),
  atMost('memory-ready', 'bytesPerTask', 240),
  {
    ...ratio('at most', 1.2),
    title: 'CPU of a task with 2,000,000 behind it, × the same with 1,000',
    reached: (rows) =>
      over(rows.figure('backlog-2m', 'taskq', 'cpuMicros'), rows.figure('backlog-1k', 'taskq', 'cpuMicros')),
  },
  atMost('backlog-2m', 'slowestCommandMs', 5),
  atMost('idle-50', 'connections', 4),
  atMost('idle-50', 'commandsPerSecond', 2),
  {
    ...ratio('at most', 1.15),
    title: 'Redis CPU of a task on three primaries in 3 partitions, × the same in 1',
    limit: (rows) => {
      const bare = splitCost(rows, 'ceiling');
      return (
        'three Redis processes take turns on two cores, and each finds its data gone from the caches' +
        (bare === undefined ? '. ' : `: bare commands alone cost ${bare.toFixed(2)} × in the same run. `) +
        'See [decision 19](../docs/decisions/0019-turns-of-partitions.md).'
      );
    },
    reached: (rows) => splitCost(rows, 'taskq'),
  },
  {
    ...ratio('at most', 1.1),
    title: 'Redis CPU of the busiest of three primaries with 3 partitions, × the mean',
    reached: (rows) => rows.figure('cluster-3', 'taskq', 'busiestShare'),
  },
];

function ratio(wanted: Goal['wanted'], bound: number): Pick<Goal, 'wanted' | 'bound' | 'text'> {
  return { wanted, bound, text: (value) => `${value.toFixed(2)} ×` };
}

function faster(id: string, than: ContenderName, times: number): Goal {
  return {
    ...ratio('at least', times),
    title: `${id}, tasks/s, × ${than}`,
    reached: (rows) =>
      over(rows.figure(id, 'taskq', 'tasksPerSecond'), rows.figure(id, than, 'tasksPerSecond')),
  };
}

function sooner(name: 'p50Ms' | 'p99Ms'): Goal {
  return {
    ...ratio('at most', 1),
    title: `pickup, ${name === 'p50Ms' ? 'p50' : 'p99'}, × bullmq`,
    reached: (rows) => over(rows.figure('pickup', 'taskq', name), rows.figure('pickup', 'bullmq', name)),
  };
}

function atMost(id: string, name: FigureName, bound: number): Goal {
  return {
    ...{ title: `${id}, ${MEANS[name]}`, wanted: 'at most', bound },
    reached: (rows) => rows.figure(id, 'taskq', name),
    text: (value) => figureText(name, value),
  };
}

function over(value: number | undefined, base: number | undefined): number | undefined {
  return value === undefined || !base ? undefined : value / base;
}

/** What a task costs Redis in three partitions, × the same in one. */
function splitCost(rows: Rows, contender: ContenderName): number | undefined {
  return over(
    rows.figure('cluster-3', contender, 'redisCpuMicros'),
    rows.figure('cluster-1', contender, 'redisCpuMicros'),
  );
}

function wholeCpu(rows: Rows, contender: ContenderName): number | undefined {
  const [enqueue, run] = [
    rows.figure('enqueue-100', contender, 'cpuMicros'),
    rows.figure('process-100', contender, 'cpuMicros'),
  ];
  return enqueue === undefined || run === undefined ? undefined : enqueue + run;
}

/** How much of the engine's rate, or of its tasks per processor time, is left: the better of the two. */
function keptOf(rows: Rows, id: string, contender: ContenderName): number | undefined {
  const rate = over(rows.figure(id, contender, 'tasksPerSecond'), rows.figure(id, 'taskq', 'tasksPerSecond'));
  const cost = over(rows.figure(id, 'taskq', 'cpuMicros'), rows.figure(id, contender, 'cpuMicros'));
  return rate === undefined || cost === undefined ? undefined : Math.max(rate, cost);
}
