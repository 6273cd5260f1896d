import type { TaskMessage } from '../contract/task-message.js';
import {
  COMPLETE,
  decideOutcome,
  type ExecutionResult,
  justCompletes,
  type Outcome,
} from '../policy/outcome.js';
import { type ResolvedTaskOptions, TASK_DEFAULTS } from '../policy/task-options.js';
import type { ConsumerParts } from './worker-parts.js';

/** What was decided about a task, kept until it is true in Redis. */
export interface Decision {
  readonly message: TaskMessage;
  readonly outcome: Outcome;
  readonly runMs: number;
  /** Row of its lease on the board; -1 for none. */
  readonly row: number;
}

/** What becomes of a task: asks for the circumstances only where they matter. */
export function decide(
  { broker, consumer, random, options: engine }: ConsumerParts,
  message: TaskMessage,
  result: ExecutionResult,
  starts: number,
  options: ResolvedTaskOptions = TASK_DEFAULTS,
): Outcome {
  if (justCompletes(result)) return COMPLETE;
  const { noHandlerDelayMs, noHandlerTimeoutMs } = engine.worker;
  return decideOutcome(message, result, {
    now: broker.now(),
    random: random(),
    worker: consumer,
    starts,
    options,
    noHandlerDelayMs,
    noHandlerTimeoutMs,
  });
}
