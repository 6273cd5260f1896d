import { type Duration, durationMs } from './duration.js';
import { ConfigurationError } from './errors.js';

const DIRECTIVE = Symbol.for('taskq.directive');

/** What a handler may return instead of a result, for outcomes that are not failures. */
export type TaskDirective =
  | { readonly kind: 'snooze'; readonly delayMs: number }
  | { readonly kind: 'discard'; readonly reason: string }
  | { readonly kind: 'dead-letter'; readonly reason: string };

/**
 * Run the task again after `delay`, without spending an attempt.
 * @throws ConfigurationError when `delay` is no duration
 */
export function snooze(delay: Duration): TaskDirective {
  const delayMs = durationMs(delay);
  if (delayMs === undefined) {
    throw new ConfigurationError('snooze', [
      `delay ${JSON.stringify(delay)} is no duration such as "10m" or 500`,
    ]);
  }
  return mark({ kind: 'snooze', delayMs });
}

/** Drop the task for good: it counts as discarded, not as completed, and is not kept. */
export function discard(reason: string): TaskDirective {
  return mark({ kind: 'discard', reason });
}

/** Put the task into the dead-letter stream now, with `reason`, whatever attempts are left. */
export function deadLetter(reason: string): TaskDirective {
  return mark({ kind: 'dead-letter', reason });
}

/** Whether a handler's return value is a directive; results that merely look like one are not. */
export function isDirective(value: unknown): value is TaskDirective {
  return typeof value === 'object' && value !== null && DIRECTIVE in value;
}

function mark<D extends TaskDirective>(directive: D): D {
  Object.defineProperty(directive, DIRECTIVE, { value: true });
  return Object.freeze(directive);
}
