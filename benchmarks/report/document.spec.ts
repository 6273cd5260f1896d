import { describe, expect, it } from 'vitest';
import { cases } from '../cases/cases.js';
import { CONTENDER_NAMES, type ContenderName } from '../contenders/contender.js';
import { documentOf } from './document.js';
import { pictures } from './plots.js';
import { mergedRecord } from './record.js';
import { type Row, rowOf, Rows } from './rows.js';
import { table } from './table.js';

const machine = {
  ...{ cores: 2, memoryGiB: 24, platform: 'linux x64', node: 'v20.20.2', redis: '7.0.15' },
  contenders: { bullmq: '6.7.0' },
};
const caseOf = (id: string) => cases.find((one) => one.id === id)!;

function row(id: string, contender: ContenderName, ...rates: readonly number[]): Row {
  const outcomes = rates.map((tasksPerSecond) => ({
    figures: { tasksPerSecond, cpuMicros: 1e6 / tasksPerSecond, nodeCpuMicros: 2, redisCpuMicros: 1 },
    tasks: 10,
  }));
  return rowOf(id, contender, outcomes);
}

const rows = [row('process-100', 'taskq', 5000, 6000), row('process-100', 'bullmq', 1000, 1000)];
const all = new Rows(rows);

describe('the table of a case', () => {
  it('has ratios first, then figures with their spread', () => {
    const [head, , mine, other] = table(caseOf('process-100'), all).split('\n');
    expect(head).toMatch(/^\| contender \| tasks\/s, × bullmq \| CPU per task, × bullmq \| tasks\/s \|/);
    expect(mine).toContain('| taskq | 5.50 × (5.00–6.00) |');
    expect(mine).toContain('| 5,500 (5,000–6,000) |');
    expect(other).toContain('| bullmq | 1 | 1 | 1,000 |');
  });

  it('has no ratios where there is nothing to compare with', () => {
    expect(table(caseOf('process-100'), new Rows([rows[0]!]))).not.toContain('×');
  });
});

describe('the document', () => {
  const text = documentOf({ machine, cases: rows }, { rows: all, cases, pictures: pictures(all, cases) });

  it('says of every goal whether it was reached', () => {
    expect(text).toContain('| process-100, tasks/s, × bullmq | at least 5.00 × | 5.50 × | reached |');
    expect(text).toContain('| process-1, tasks/s, × bullmq | at least 8.00 × | – | not measured |');
    const slow = new Rows([row('process-100', 'taskq', 4000), row('process-100', 'bullmq', 1000)]);
    expect(documentOf({ machine, cases: slow.all }, { rows: slow, cases, pictures: [] })).toContain(
      '| process-100, tasks/s, × bullmq | at least 5.00 × | 4.00 × | **not reached** |',
    );
  });

  it('says the settings of everybody, what it was measured on, and shows the plots', () => {
    for (const name of CONTENDER_NAMES) expect(text).toContain(`- **${name}**: `);
    expect(text).toContain('2 cores, 24 GiB, linux x64, Node 20.20.2, Redis 7.0.15');
    expect(text).toContain('](plots/process-rate.svg)');
    expect(text).toContain('](plots/process-cpu.svg)');
    expect(text).not.toContain('enqueue-rate.svg');
  });

  it('says what stands in the way of a goal that is not reached, and of no other', () => {
    const spread = (redisCpuMicros: number): string => {
      const cost = { tasks: 10, figures: { redisCpuMicros, busiestShare: 1 } };
      const one = { ...cost, figures: { redisCpuMicros: 10, busiestShare: 3 } };
      const bare = (micros: number) => ({ tasks: 10, figures: { redisCpuMicros: micros } });
      const both = new Rows([
        rowOf('cluster-1', 'taskq', [one]),
        rowOf('cluster-3', 'taskq', [cost]),
        rowOf('cluster-1', 'ceiling', [bare(2)]),
        rowOf('cluster-3', 'ceiling', [bare(3)]),
      ]);
      return documentOf({ machine, cases: both.all }, { rows: both, cases, pictures: [] });
    };

    expect(spread(13)).toContain('× the same in 1**: three Redis processes');
    expect(spread(13)).toContain('bare commands alone cost 1.50 × in the same run');
    expect(spread(11)).not.toContain('three Redis processes');
  });

  it('says where the time goes where a profile was taken', () => {
    const profile = [
      { whose: 'taskq', share: 0.6 },
      { whose: 'ioredis', share: 0.394 },
      { whose: 'redis-parser', share: 0.006 },
    ];
    const profiled = new Rows([{ ...rows[0]!, profile }, rows[1]!]);

    expect(documentOf({ machine, cases: profiled.all }, { rows: profiled, cases, pictures: [] })).toContain(
      "Where the time of taskq's process goes, by a profile: taskq 60 %, ioredis 39 %.",
    );
  });

  it('names what failed', () => {
    const failed = new Rows([rowOf('process-100', 'groupmq', [{ error: 'round 1: killed' }])]);
    expect(documentOf({ machine, cases: failed.all }, { rows: failed, cases, pictures: [] })).toContain(
      'groupmq failed, round 1: killed.',
    );
  });
});

describe('the record', () => {
  const newer = row('process-100', 'taskq', 7000);
  const other = row('enqueue-100', 'taskq', 100);

  it('takes newer rows in the places of older ones, in the order of cases', () => {
    const merged = mergedRecord({ machine, cases: rows }, { machine, cases: [newer, other] }, cases);
    expect(merged.cases.map((one) => [one.case, one.contender, one.tasksPerSecond])).toEqual([
      ['enqueue-100', 'taskq', 100],
      ['process-100', 'bullmq', 1000],
      ['process-100', 'taskq', 7000],
    ]);
  });

  it('lets rows of another machine go', () => {
    const known = { machine: { ...machine, cores: 64 }, cases: rows };
    expect(mergedRecord(known, { machine, cases: [newer] }, cases).cases).toEqual([newer]);
  });
});
