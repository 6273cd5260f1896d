import type { Clock } from './clock.js';

/** What taskq needs of a logger. Nest's `LoggerService`, pino and console fit with a line of glue. */
export interface Logger {
  debug(message: string): void;
  info(message: string): void;
  warn(message: string): void;
  error(message: string): void;
}

/** A logger that says nothing. */
export const silentLogger: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

/** A logger whose failures stay its own: what is not written down must not end a worker. */
export function neverThrowing(logger: Logger): Logger {
  const careful =
    (say: (message: string) => void) =>
    (message: string): void => {
      try {
        say(message);
      } catch {
        // There is nobody left to tell.
      }
    };
  return {
    debug: careful((message) => logger.debug(message)),
    info: careful((message) => logger.info(message)),
    warn: careful((message) => logger.warn(message)),
    error: careful((message) => logger.error(message)),
  };
}

/** The same line is said again after so long. */
const SILENCE_MS = 10_000;

/** Lines of which it is remembered when they were said. */
const MOST_LINES = 100;

/** Says the same line once in a while only: what fails again and again for one reason is one piece of news. */
export function withoutRepeats(logger: Logger, clock: Clock): Logger {
  const said = new Map<string, { at: number; left: number }>();
  const calm =
    (say: (message: string) => void) =>
    (message: string): void => {
      const now = clock.monotonicMs();
      const last = said.get(message);
      if (last && now - last.at < SILENCE_MS) {
        last.left += 1;
        return;
      }
      if (said.size >= MOST_LINES) said.clear();
      said.set(message, { at: now, left: 0 });
      say(last && last.left > 0 ? `${message} (and ${last.left} times more since)` : message);
    };
  return {
    debug: calm((message) => logger.debug(message)),
    info: calm((message) => logger.info(message)),
    warn: calm((message) => logger.warn(message)),
    error: calm((message) => logger.error(message)),
  };
}
