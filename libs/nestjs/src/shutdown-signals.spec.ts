import { silentLogger } from '@taskq/core';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { onSecondSignal, warnWithoutShutdownHooks } from './shutdown-signals.js';

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

describe('onSecondSignal', () => {
  it('hurries when somebody listens, until it is stopped', () => {
    listen();
    const hurry = vi.fn<() => void>();
    const stop = onSecondSignal(hurry);
    process.emit('SIGTERM');
    expect(hurry).toHaveBeenCalledTimes(1);
    stop();
    process.emit('SIGTERM');
    expect(hurry).toHaveBeenCalledTimes(1);
    expect(process.listenerCount('SIGTERM')).toBe(1);
  });

  it('leaves signals alone that end the process', () => {
    const stop = onSecondSignal(() => undefined);
    expect(process.listenerCount('SIGTERM')).toBe(0);
    stop();
  });
});
