import { describe, expect, it } from 'vitest';
import { figureText } from './figures.js';
import { perTask } from './meter.js';
import { factOf } from './redis-facts.js';

describe('a figure in words', () => {
  it('has the digits and the unit of its kind', () => {
    expect(figureText('tasksPerSecond', 149_123.4)).toBe('149,123/s');
    expect(figureText('nodeCpuMicros', 6.06)).toBe('6.1 µs');
    expect(figureText('nodeCpuMicros', 6, 'bare')).toBe('6.0');
    expect(figureText('connections', 3)).toBe('3');
  });
});

describe('a window', () => {
  it('is divided by its tasks', () => {
    expect(perTask({ tasks: 500, ms: 250, nodeMicros: 10_000, redisMicros: 5000 })).toEqual({
      tasksPerSecond: 2000,
      cpuMicros: 30,
      nodeCpuMicros: 20,
      redisCpuMicros: 10,
    });
  });
});

describe('a fact of INFO', () => {
  const info = '# CPU\r\nused_cpu_sys:1.250000\r\nused_cpu_sys_children:9.000000\r\n';

  it('is found by its whole name', () => {
    expect(factOf(info, 'used_cpu_sys')).toBe(1.25);
  });

  it('that is not told is an error, not a zero', () => {
    expect(() => factOf(info, 'used_cpu_user')).toThrow('used_cpu_user');
  });
});
