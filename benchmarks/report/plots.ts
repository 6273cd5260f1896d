import type { BenchCase } from '../cases/bench-case.js';
import { CONTENDER_NAMES } from '../contenders/contender.js';
import { figureText } from '../measure/figures.js';
import { type Bar, barsSvg } from './plot.js';
import type { Row, Rows } from './rows.js';

/** Colours that can be told apart on light and on dark, by people who confuse red and green, too. */
const COLORS: Readonly<Record<string, string>> = {
  taskq: '#2f81f7',
  'taskq-nest': '#6cacfb',
  'taskq-nest-full': '#9ac6fd',
  bullmq: '#e3622f',
  groupmq: '#d9a21b',
  'bee-queue': '#a371f7',
  ceiling: '#8c959f',
  Node: '#2f81f7',
  Redis: '#e3622f',
};

/** A picture of the document. */
export interface Picture {
  readonly file: string;
  readonly title: string;
  readonly svg: string;
}

const FAMILIES = [
  { name: 'enqueue', ids: /^enqueue-/, what: 'Enqueue' },
  { name: 'process', ids: /^process-/, what: 'Process' },
];

/** Rates and costs of the families of cases that everybody takes part in. */
export function pictures(rows: Rows, cases: readonly BenchCase[]): readonly Picture[] {
  return FAMILIES.flatMap(({ name, ids, what }) => {
    const members = cases.filter(({ id }) => ids.test(id) && rowsOf(rows, id).length > 0);
    if (members.length === 0) return [];
    const groupsBy = (barOf: (row: Row) => Bar) =>
      members.map(({ id }) => ({ title: id, bars: rowsOf(rows, id).map(barOf) }));
    return [
      picture(`${name}-rate.svg`, `${what}: tasks per second (longer is better)`, groupsBy(rateOf), []),
      picture(
        `${name}-cpu.svg`,
        `${what}: processor time per task, Node and Redis (shorter is better)`,
        groupsBy(costOf),
        ['Node', 'Redis'],
      ),
    ];
  });
}

function picture(
  file: string,
  title: string,
  groups: Parameters<typeof barsSvg>[0]['groups'],
  legend: readonly string[],
): Picture {
  return { file, title, svg: barsSvg({ title, groups, colors: COLORS, legend }) };
}

function rowsOf(rows: Rows, id: string): readonly Row[] {
  return CONTENDER_NAMES.flatMap((name) => rows.row(id, name) ?? []).filter(({ rounds }) => rounds > 0);
}

function rateOf({ contender, tasksPerSecond = 0 }: Row): Bar {
  return {
    label: contender,
    parts: [{ name: contender, value: tasksPerSecond }],
    text: figureText('tasksPerSecond', tasksPerSecond),
  };
}

function costOf({ contender, nodeCpuMicros = 0, redisCpuMicros = 0 }: Row): Bar {
  const [node, redis] = [
    figureText('nodeCpuMicros', nodeCpuMicros, 'bare'),
    figureText('redisCpuMicros', redisCpuMicros),
  ];
  return {
    label: contender,
    parts: [
      { name: 'Node', value: nodeCpuMicros },
      { name: 'Redis', value: redisCpuMicros },
    ],
    text: `${node} + ${redis}`,
  };
}
