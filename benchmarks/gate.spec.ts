import { describe, expect, it } from 'vitest';
import { cases } from './cases/cases.js';
import { GATE_BOUNDS, gateText, judge } from './gate.js';
import { rowOf } from './report/rows.js';

const row = (contender: 'taskq' | 'ceiling', cpuMicros: number) =>
  rowOf('process-100', contender, [{ figures: { cpuMicros }, tasks: 1 }]);
const bound = { case: 'process-100', atMost: 4 };

describe('the gate', () => {
  it('is kept by what costs no more than its bound times the ceiling', () => {
    const [finding] = judge([row('taskq', 8), row('ceiling', 2)], [bound]);
    expect(finding).toEqual({ ...bound, ratio: 4, kept: true });
    expect(gateText(finding!)).toBe('kept   process-100 costs 4.00 × the ceiling, at most 4 × allowed');
  });

  it('is broken by what costs more, and by what was not measured', () => {
    expect(judge([row('taskq', 8.1), row('ceiling', 2)], [bound])[0]!.kept).toBe(false);
    const [missing] = judge([row('taskq', 8)], [bound]);
    expect(missing).toMatchObject({ kept: false, ratio: undefined });
    expect(gateText(missing!)).toContain('BROKEN process-100 was not measured');
  });

  it('bounds cases that taskq and the ceiling take part in', () => {
    for (const { case: id } of GATE_BOUNDS) {
      const names = cases.find((one) => one.id === id)?.contenders;
      expect(names).toEqual(expect.arrayContaining(['taskq', 'ceiling']));
    }
  });
});
