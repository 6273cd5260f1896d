import type { NewTask } from '../broker/broker.js';
import type { CancelTimer, Clock } from '../runtime/clock.js';
import type { TaskOutcome } from './enqueue-channel.js';
import { asksForMore } from '../broker/plain-task.js';
import { taskBytes } from './task-bytes.js';

/** A task on its way, and whom to tell. */
export interface PendingTask {
  readonly task: NewTask;
  readonly settle: (outcome: TaskOutcome) => void;
}

/** What waits in all lines of a producer, roughly in bytes, and how much of it may. */
export class WaitingBytes {
  used = 0;

  constructor(readonly most: number) {}

  /** Whether so much more may wait. One task may, however large it is. */
  admit(bytes: number): boolean {
    return this.used === 0 || this.used + bytes <= this.most;
  }
}

/** What a line is made of. */
export interface LineParts {
  readonly clock: Clock;
  /** For how long a task may wait; infinite for as long as it takes. */
  readonly patienceMs: number;
  /**
   * Tasks of one group, and bytes, unless one task alone has more. A task that asks for more than to be run counts
   * twice: to have it wait, or to look for an earlier one, takes Redis as long as two others.
   */
  readonly most: { readonly tasks: number; readonly bytes: number };
  /** Tasks of one group are no further apart than this: they share their deadline. */
  readonly spreadMs: number;
  readonly bytes: WaitingBytes;
  /** The time of these is over. */
  readonly overdue: (tasks: readonly PendingTask[]) => void;
}

/** Tasks that leave together, and since when the first of them waits. */
export interface WaitingGroup {
  readonly tasks: readonly PendingTask[];
  readonly since: number;
}

/**
 * Tasks that wait for a free channel, in the order of their calls. One timer watches over the first of them; there is
 * none while no task waits for longer than its turn of the event loop.
 */
export class WaitingLine {
  private tasks: PendingTask[] = [];
  /** Since when each of them waits. */
  private since: number[] = [];
  /** Where the line begins. */
  private first = 0;
  private patienceMs: number;
  private cancelTimer: CancelTimer | undefined;

  constructor(private readonly parts: LineParts) {
    this.patienceMs = parts.patienceMs;
  }

  get length(): number {
    return this.tasks.length - this.first;
  }

  /** Answers whether there was room for it. */
  add(pending: PendingTask, since: number): boolean {
    const bytes = taskBytes(pending.task);
    if (!this.parts.bytes.admit(bytes)) return false;
    this.parts.bytes.used += bytes;
    if (this.length > 0 && since < this.since[this.since.length - 1]!) this.insert(pending, since);
    else {
      this.tasks.push(pending);
      this.since.push(since);
    }
    return true;
  }

  /** Takes the next group away; nothing while no task waits. */
  take(): WaitingGroup | undefined {
    const { tasks, first } = this;
    if (first === tasks.length) return undefined;
    const since = this.since[first]!;
    const end = this.endOfGroup(since);
    this.leave(end);
    return { tasks: first === 0 && end === tasks.length ? tasks : tasks.slice(first, end), since };
  }

  /** No channel is free: from now on the line is watched. */
  watch(): void {
    if (this.cancelTimer !== undefined || this.length === 0 || this.patienceMs === Infinity) return;
    const { clock } = this.parts;
    const inMs = this.since[this.first]! + this.patienceMs - clock.monotonicMs();
    this.cancelTimer = clock.after(Math.max(0, inMs), () => {
      this.cancelTimer = undefined;
      this.giveUp();
    });
  }

  /** From now on no task waits for longer than this. */
  hurry(patienceMs: number): void {
    this.patienceMs = Math.min(this.patienceMs, patienceMs);
    this.unwatch();
    this.watch();
  }

  private giveUp(): void {
    const { tasks, since, first } = this;
    const latest = this.parts.clock.monotonicMs() - this.patienceMs;
    let end = first;
    while (end < tasks.length && since[end]! <= latest) end += 1;
    if (end > first) {
      for (let i = first; i < end; i += 1) this.parts.bytes.used -= taskBytes(tasks[i]!.task);
      const late = tasks.slice(first, end);
      this.moveTo(end);
      this.parts.overdue(late);
    }
    this.watch();
  }

  private endOfGroup(since: number): number {
    const { tasks, first } = this;
    const { most, spreadMs, bytes } = this.parts;
    let room = most.tasks;
    let size = 0;
    let end = first;
    for (; end < tasks.length; end += 1) {
      const { task } = tasks[end]!;
      const more = taskBytes(task);
      room -= asksForMore(task) ? 2 : 1;
      const fits = room >= 0 && size + more <= most.bytes && this.since[end]! - since <= spreadMs;
      if (end > first && !fits) break;
      size += more;
    }
    bytes.used -= size;
    return end;
  }

  /** The first ones have left. */
  private leave(end: number): void {
    this.moveTo(end);
    // The timer was for one that has left: it may come too early for the next, and then it looks again.
    if (this.length === 0) this.unwatch();
  }

  private moveTo(end: number): void {
    this.first = end;
    if (end === this.tasks.length) {
      this.tasks = [];
      this.since = [];
      this.first = 0;
    } else if (end > 1024 && end * 2 > this.tasks.length) {
      // Now and then instead of each time: it copies everything behind.
      this.tasks = this.tasks.slice(end);
      this.since = this.since.slice(end);
      this.first = 0;
    }
  }

  /** One that has waited elsewhere before it came into line. */
  private insert(pending: PendingTask, since: number): void {
    let at = this.first;
    while (this.since[at]! <= since) at += 1;
    this.tasks.splice(at, 0, pending);
    this.since.splice(at, 0, since);
    if (at === this.first) this.unwatch();
  }

  private unwatch(): void {
    this.cancelTimer?.();
    this.cancelTimer = undefined;
  }
}
