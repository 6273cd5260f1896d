import { describe, expect, it, vi } from 'vitest';
import { ConfigurationError } from './errors.js';
import { deadLetter, discard, isDirective, snooze } from './task-directive.js';

describe('directives', () => {
  it('say what they say', () => {
    expect(snooze('10m')).toEqual({ kind: 'snooze', delayMs: 600_000 });
    expect(snooze(0)).toEqual({ kind: 'snooze', delayMs: 0 });
    expect(discard('old')).toEqual({ kind: 'discard', reason: 'old' });
    expect(deadLetter('odd')).toEqual({ kind: 'dead-letter', reason: 'odd' });
  });

  it('are recognised, also those of another copy of the package', async () => {
    vi.resetModules();
    const copy = await import('./task-directive.js');

    for (const directive of [snooze(1), discard('x'), deadLetter('x')]) {
      expect(isDirective(directive)).toBe(true);
      expect(copy.isDirective(directive)).toBe(true);
    }
    expect(isDirective(copy.snooze(1))).toBe(true);
    expect(copy.snooze).not.toBe(snooze);
  });

  it('cannot be changed', () => {
    expect(Object.isFrozen(snooze(1))).toBe(true);
  });

  it.each([
    ['an object of the same shape', { kind: 'snooze', delayMs: 5 }],
    ['a copy', { ...snooze(5) }],
    ['one that went through JSON', JSON.parse(JSON.stringify(discard('x')))],
    ['a list', [snooze(5)]],
    ['text', 'snooze'],
    ['null', null],
    ['undefined', undefined],
    ['a function', snooze],
    ['true', true],
  ])('are not taken for: %s', (_, value) => {
    expect(isDirective(value)).toBe(false);
  });

  it.each(['10', 'soon', -1, Number.NaN, undefined, null])('snooze refuses %s', (delay) => {
    expect(() => snooze(delay as never)).toThrow(ConfigurationError);
  });
});
