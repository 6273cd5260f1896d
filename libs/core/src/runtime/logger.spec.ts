import { describe, expect, it } from 'vitest';
import { neverThrowing, silentLogger } from './logger.js';

describe('neverThrowing', () => {
  it('hands everything on', () => {
    const lines: string[] = [];
    const say = (level: string) => (message: string) => void lines.push(`${level} ${message}`);
    const logger = neverThrowing({ debug: say('d'), info: say('i'), warn: say('w'), error: say('e') });
    for (const level of ['debug', 'info', 'warn', 'error'] as const) logger[level](level);

    expect(lines).toEqual(['d debug', 'i info', 'w warn', 'e error']);
  });

  it.each(['debug', 'info', 'warn', 'error'] as const)('keeps a failure of %s to itself', (level) => {
    const broken = () => {
      throw new Error('the disk is full');
    };

    expect(() => neverThrowing({ ...silentLogger, [level]: broken })[level]('x')).not.toThrow();
  });
});
