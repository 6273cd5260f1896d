import { constants } from 'node:os';
import type { Logger } from '@taskq/core';

/** What an orchestrator and a terminal send to end a process. */
const SIGNALS = ['SIGTERM', 'SIGINT'] as const;

/** `enableShutdownHooks()` may be called after the application has started: shortly after, not a minute later. */
const LOOK_AFTER_MS = 1000;

/**
 * Warns, a moment from now, when nothing in the process listens to SIGTERM: then a deployment kills running handlers.
 * Nest does not tell its providers whether `enableShutdownHooks()` was called; listeners of one's own are as good.
 * @returns how to stop that
 */
export function warnWithoutShutdownHooks(logger: Logger): () => void {
  const timer = setTimeout(() => {
    if (process.listenerCount('SIGTERM') > 0) return;
    logger.warn(
      'nothing listens to SIGTERM, so stopping this process kills running handlers: call app.enableShutdownHooks()',
    );
  }, LOOK_AFTER_MS);
  timer.unref();
  return () => clearTimeout(timer);
}

/**
 * Calls `hurry` when the process is told once more to end while it is ending, and `giveUp` when it is told again after
 * that. Only signals that somebody listens to are watched: for others the default, which ends the process, is hurry
 * enough.
 * @returns how to stop that
 */
export function onFurtherSignals(hurry: () => void, giveUp: (signal: NodeJS.Signals) => void): () => void {
  const watched = SIGNALS.filter((signal) => process.listenerCount(signal) > 0);
  let hurried = false;
  const heard = (signal: NodeJS.Signals): void => {
    if (hurried) giveUp(signal);
    else hurry();
    hurried = true;
  };
  for (const signal of watched) process.on(signal, heard);
  return () => {
    for (const signal of watched) process.off(signal, heard);
  };
}

/** Ends the process at once, with the code of one that the signal ended: 128 and its number. */
export function exitBy(signal: NodeJS.Signals, logger: Logger): void {
  logger.error(`${signal} for the third time: ending at once; unfinished tasks run again after their lease`);
  process.exit(128 + constants.signals[signal]);
}
