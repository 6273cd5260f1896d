import { describe, expect, it } from 'vitest';
import { durationMs, formatDuration } from './duration.js';

describe('durationMs', () => {
  it.each([
    [0, 0],
    [1500, 1500],
    [1.4, 1],
    ['0ms', 0],
    ['250ms', 250],
    ['5s', 5_000],
    ['1.5h', 5_400_000],
    ['2d', 172_800_000],
    ['1w', 604_800_000],
    ['10m', 600_000],
    ['0.5ms', 1],
    [' 3s ', 3_000],
  ])('reads %j as %i ms', (value, ms) => {
    expect(durationMs(value)).toBe(ms);
  });

  it.each([
    '',
    '5',
    '500',
    's',
    '5 s',
    '5sec',
    '5S',
    '-5s',
    '+5s',
    '1e3s',
    '.5s',
    '5.s',
    '1h30m',
    '5s5s',
    'Infinitys',
    -1,
    Number.NaN,
    Number.POSITIVE_INFINITY,
    null,
    undefined,
    true,
    {},
    [5],
    new Date(5),
    5n,
  ])('takes %s for no duration', (value) => {
    expect(durationMs(value)).toBeUndefined();
  });
});

describe('formatDuration', () => {
  it.each([
    [0, '0ms'],
    [1, '1ms'],
    [999, '999ms'],
    [1000, '1s'],
    [1500, '1.5s'],
    [90_000, '1.5m'],
    [3_600_000, '1h'],
    [86_400_000, '1d'],
    [604_800_000, '1w'],
    [1234, '1234ms'],
  ])('writes %i ms as %s', (ms, text) => {
    expect(formatDuration(ms)).toBe(text);
  });

  it('writes what durationMs reads back, whatever the length', () => {
    for (let ms = 0; ms < 2_000_000_000; ms = ms * 2 + 7) expect(durationMs(formatDuration(ms))).toBe(ms);
  });
});
