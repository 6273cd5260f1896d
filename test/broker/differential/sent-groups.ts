import type { EnqueueGroup, NewTask } from '@taskq/core';
import { type Call, type TaskCall, TIMES } from './calls.js';

/** More than a task of a sequence is later than another. */
const LATER_MS = 200;

interface Sent {
  readonly group: EnqueueGroup;
  /** When, and how much time had been told to pass by then. */
  readonly now: number;
  readonly passedMs: number;
}

/** Groups of the producers' channels: the next of each, and those that come again. */
export class SentGroups {
  private readonly sent: Sent[] = [];
  private readonly sequences = new Map<string, number>();
  private passedMs = 0;
  private repeated = 0;

  constructor(private readonly queue: string) {}

  /** So much time was told to pass. */
  passed(ms: number): void {
    this.passedMs += ms;
  }

  next(call: Call & { verb: 'enqueue' }, now: number): EnqueueGroup {
    const { channel, maxReady } = call;
    const last = this.sequences.get(channel) ?? 0;
    const sequence = last + call.step;
    this.sequences.set(channel, sequence);
    const group: EnqueueGroup = {
      queue: this.queue,
      channel,
      sequence,
      after: Math.max(0, last - call.forgets),
      maxReady,
      durability: 'accepted',
      tasks: call.tasks.map((task) => newTask(task, now)),
    };
    this.sent.push({ group, now, passedMs: this.passedMs });
    return group;
  }

  /** A group that was sent before, or what could be the next one of its channel. */
  again({ pick, behind }: Call & { verb: 'repeat' | 'resolve' }, now: number): EnqueueGroup {
    const { queue } = this;
    const sent = this.sent[pick % this.sent.length];
    if (sent === undefined)
      return { queue, channel: 'c0', sequence: 1, after: 0, maxReady: 0, durability: 'accepted', tasks: [] };
    const { group } = sent;
    const sinceMs = now - sent.now - (this.passedMs - sent.passedMs);
    const tasks = group.tasks.map((task) => this.taskAgain(task, sinceMs));
    return { ...group, tasks, sequence: group.sequence + (behind === 2 ? 1 : 0) };
  }

  /**
   * A task as it would be sent now: due after those that were kept meanwhile, and equally far off on both sides, of
   * which one shows the time that it was told to let pass and the other the time that really passed.
   */
  private taskAgain({ due, ...task }: NewTask, sinceMs: number): NewTask {
    this.repeated += 1;
    if (due === undefined) return task;
    const moreMs = LATER_MS + this.repeated;
    return {
      ...task,
      due: 'at' in due ? { at: due.at + sinceMs + moreMs } : { afterMs: due.afterMs && due.afterMs + moreMs },
    };
  }
}

function newTask({ own, due, idempotency, unique, ...task }: TaskCall, now: number): NewTask {
  return {
    ...task,
    type: 'mail.send',
    ...(due && {
      due: due.absolute ? { at: now + due.ms } : { afterMs: Math.max(0, due.ms) },
    }),
    ...(idempotency && { idempotency: { ...idempotency, windowMs: TIMES.window } }),
    ...(unique !== undefined && { unique: { key: unique, ttlMs: TIMES.ttl } }),
    ...(own && { ownId: true }),
  };
}
