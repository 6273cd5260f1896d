import { describe, expect, it } from 'vitest';
import { ratioOf, ratioText } from './ratios.js';
import { type Outcome, rowOf, Rows } from './rows.js';

const outcomes = (...rates: readonly number[]): readonly Outcome[] =>
  rates.map((tasksPerSecond) => ({ figures: { tasksPerSecond }, tasks: 10 }));

describe('a row', () => {
  it('has the median of every figure, and least and most', () => {
    const row = rowOf('process-100', 'taskq', outcomes(30, 10, 20));
    expect(row).toMatchObject({
      ...{ case: 'process-100', contender: 'taskq', rounds: 3, tasks: 30 },
      tasksPerSecond: 20,
      spread: { tasksPerSecond: [10, 30] },
    });
    expect(row.failed).toBeUndefined();
  });

  it('names the trials that failed, and does without them', () => {
    const row = rowOf('process-100', 'taskq', [...outcomes(30), { error: 'round 2: killed' }]);
    expect(row).toMatchObject({ rounds: 1, tasksPerSecond: 30, failed: ['round 2: killed'] });
  });

  it('of nothing but failures has no figure', () => {
    const row = rowOf('process-100', 'taskq', [{ error: 'round 1: killed' }]);
    expect(row).toMatchObject({ rounds: 0, tasks: 0, spread: {}, samples: [] });
    expect(new Rows([row]).figure('process-100', 'taskq', 'tasksPerSecond')).toBeUndefined();
  });

  it('keeps the note of a trial', () => {
    const [first] = outcomes(1);
    expect(rowOf('backlog-2m', 'taskq', [{ ...first!, note: 'slowest: settle' }]).note).toBe(
      'slowest: settle',
    );
  });
});

describe('a ratio', () => {
  const mine = rowOf('process-100', 'taskq', outcomes(60, 100, 90));
  const base = rowOf('process-100', 'bullmq', outcomes(20, 25, 30));

  it('is median over median, with the rounds behind it', () => {
    expect(ratioOf(mine, base, 'tasksPerSecond')).toEqual({ value: 3.6, least: 3, most: 4 });
  });

  it('is none where one side was not measured', () => {
    expect(ratioOf(mine, undefined, 'tasksPerSecond')).toBeUndefined();
    expect(ratioOf(mine, base, 'p99Ms')).toBeUndefined();
  });

  it('in words shows its spread where there is one', () => {
    expect(ratioText({ value: 3.6, least: 3, most: 4 })).toBe('3.60 × (3.00–4.00)');
    expect(ratioText({ value: 12.34, least: 12.34, most: 12.34 })).toBe('12.3 ×');
    expect(ratioText({ value: 123.4, least: 123.4, most: 123.4 })).toBe('123 ×');
  });
});
