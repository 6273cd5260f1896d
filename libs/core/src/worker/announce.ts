import type { Broker, Delivery } from '../broker/broker.js';
import { TaskqError } from '../contract/errors.js';
import { decodeMessage, type TaskMessage, versionOf } from '../contract/task-message.js';
import type { Outcome } from '../policy/outcome.js';
import type { TaskEvents, TaskFact } from '../telemetry/task-events.js';
import type { Execution } from './execution.js';

/** What every event about a task says. */
export function factOf(queue: string, { type, id, attempt }: TaskMessage): TaskFact {
  return { queue, type, id, attempt };
}

/**
 * Turns what happened to a task into the event that says so. Nothing is built when nobody listens. What every task comes
 * by is spelled out: an object that begins with a spread costs microseconds, without it a tenth of one.
 */
export const announce = {
  started(events: TaskEvents, execution: Execution, broker: Broker): void {
    if (!events.heard('task.started')) return;
    const { context, message, fence } = execution;
    const { type, id, attempt, enqueuedAt } = message;
    const waitMs = enqueuedAt === undefined ? undefined : Math.max(0, broker.now() - enqueuedAt);
    events.emit('task.started', { queue: context.queue, type, id, attempt, waitMs, fence });
  },

  reclaimed(events: TaskEvents, delivery: Delivery): void {
    if (!events.heard('task.reclaimed')) return;
    const { queue, from = '', delivery: times } = delivery;
    try {
      const { type, id, attempt } = decodeMessage(delivery.fields, delivery.entryId);
      events.emit('task.reclaimed', { queue, type, id, attempt, from, delivery: times });
    } catch (error) {
      if (!(error instanceof TaskqError)) throw error; // malformed: told when it is run
    }
  },

  /** To be called when the task was to wait, and became a dead letter because of its id. */
  duplicateId(events: TaskEvents, fact: TaskFact, outcome: Outcome): void {
    const error = outcome.kind === 'retry' ? outcome.error : undefined;
    const detail = 'another task with this id was waiting when this one was to wait';
    events.emit('task.dead', { ...fact, reason: 'duplicate-id', detail, error });
  },

  /** To be called when the outcome is true in Redis. */
  outcome(events: TaskEvents, queue: string, message: TaskMessage, outcome: Outcome, runMs: number): void {
    if (outcome.kind === 'complete') {
      if (!events.heard('task.completed')) return;
      const { type, id, attempt } = message;
      events.emit('task.completed', { queue, type, id, attempt, runMs });
      return;
    }
    const fact = factOf(queue, message);
    switch (outcome.kind) {
      case 'retry':
        events.emit('task.retrying', { ...fact, runMs, delayMs: outcome.delayMs, error: outcome.error });
        return;
      case 'snooze':
        events.emit('task.snoozed', { ...fact, delayMs: outcome.delayMs });
        return;
      case 'no-handler':
        events.emit('task.unhandled', {
          ...fact,
          delayMs: outcome.delayMs,
          version: versionOf(outcome.meta),
          handlerVersion: outcome.handlerVersion,
        });
        return;
      case 'discard':
        events.emit('task.discarded', { ...fact, reason: outcome.reason });
        return;
      case 'dead-letter':
        events.emit('task.dead', {
          ...fact,
          reason: outcome.reason,
          detail: outcome.detail,
          error: outcome.error,
        });
        return;
      case 'release':
        events.emit('task.released', { ...fact, started: true });
    }
  },
};
