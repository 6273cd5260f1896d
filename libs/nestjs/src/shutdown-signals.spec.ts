import { silentLogger } from '@taskq/core';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { exitBy, onFurtherSignals, warnWithoutShutdownHooks } from './shutdown-signals.js';

let others: NodeJS.SignalsListener[];
beforeEach(() => {
  others = process.listeners('SIGTERM');
  process.removeAllListeners('SIGTERM');
});
afterEach(() => {
  process.removeAllListeners('SIGTERM');
  for (const listener of others) process.on('SIGTERM', listener);
});
const listen = (): void => void process.on('SIGTERM', () => undefined);

describe('warnWithoutShutdownHooks', () => {
  const warned: string[] = [];
  const logger = { ...silentLogger, warn: (message: string) => void warned.push(message) };
  beforeEach(() => {
    warned.length = 0;
    vi.useFakeTimers();
  });
  afterEach(() => vi.useRealTimers());

  it('warns when nobody listens', () => {
    warnWithoutShutdownHooks(logger);
    expect(warned).toEqual([]);
    vi.advanceTimersByTime(1000);
    expect(warned).toEqual([expect.stringContaining('call app.enableShutdownHooks()')]);
  });

  it('does not when somebody does, even a little later, nor once it is stopped', () => {
    warnWithoutShutdownHooks(logger)();
    vi.advanceTimersByTime(1000);
    warnWithoutShutdownHooks(logger);
    listen();
    vi.advanceTimersByTime(1000);
    expect(warned).toEqual([]);
  });

  it('keeps no process alive', () => {
    vi.useRealTimers();
    const before = process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;
    const stop = warnWithoutShutdownHooks(logger);
    expect(process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout')).toHaveLength(before);
    stop();
  });
});

describe('onFurtherSignals', () => {
  it('hurries at the first, and gives up at every other, until it is stopped', () => {
    listen();
    const told: string[] = [];
    const stop = onFurtherSignals(
      () => void told.push('hurry'),
      (signal) => void told.push(signal),
    );
    for (let i = 0; i < 3; i += 1) process.emit('SIGTERM', 'SIGTERM');
    expect(told).toEqual(['hurry', 'SIGTERM', 'SIGTERM']);
    stop();
    process.emit('SIGTERM', 'SIGTERM');
    expect(told).toHaveLength(3);
    expect(process.listenerCount('SIGTERM')).toBe(1);
  });

  it('leaves signals alone that end the process', () => {
    const nothing = (): void => undefined;
    const stop = onFurtherSignals(nothing, nothing);
    expect(process.listenerCount('SIGTERM')).toBe(0);
    stop();
  });
});

describe('exitBy', () => {
  it('says why, and ends with the code of the signal', () => {
    const said: string[] = [];
    const exit = vi.spyOn(process, 'exit').mockReturnValue(undefined as never);
    exitBy('SIGINT', { ...silentLogger, error: (message: string) => void said.push(message) });
    expect(exit).toHaveBeenCalledExactlyOnceWith(130);
    expect(said).toEqual([expect.stringContaining('SIGINT for the third time')]);
    exit.mockRestore();
  });
});
