import type { NewTask } from '../broker/broker.js';
import { encodeMeta, type TaskMeta } from '../contract/task-message.js';
import { type Clock, sleep } from '../runtime/clock.js';
import type { LossAnnouncer } from '../telemetry/loss-announcer.js';
import type { TaskEvents } from '../telemetry/task-events.js';
import type { EnqueueCommitter, LostTasks } from './enqueue-committer.js';
import type { TaskOutcome } from './enqueue-channel.js';

/** What is needed to find out about lost tasks and to offer them again. */
export interface ReofferParts {
  readonly clock: Clock;
  readonly events: TaskEvents;
  readonly losses: LossAnnouncer;
  /** Makes the queue's group, since that is gone, too, and sees to its era. Answers whether it is there. */
  readonly ensure: (queue: string) => Promise<boolean>;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** Nothing is waited for any more. */
  readonly closing: AbortSignal;
}

/** First and longest pause between two tries to make a queue. */
const ENSURE_PAUSE_MS = { first: 50, longest: 2000 };

/**
 * Offers tasks again that Redis had accepted and lost. Each goes under its own id, so that one which is there after
 * all is found and not written twice; a delay counts from when it was accepted first.
 */
export class Reoffer {
  constructor(private readonly parts: ReofferParts) {}

  /** Announces the loss, and offers again what is known of it if it was Redis that lost it. */
  async lost(queue: string, lost: LostTasks, committer: EnqueueCommitter): Promise<void> {
    const deleted = this.parts.losses.deleted(lost.answeredAt);
    this.parts.losses.found({
      queue,
      how: lost.after === 0 ? 'replaced' : 'rolled-back',
      seenBy: 'producer',
      knownAt: lost.answeredAt,
      ranges: [
        { of: 'groups', after: `${lost.channel}/${lost.after}`, upTo: `${lost.channel}/${lost.upTo}` },
      ],
      reoffered: deleted ? 0 : lost.tasks.length,
      forgotten: lost.forgotten,
    });
    if (deleted || lost.tasks.length === 0) {
      await this.parts.ensure(queue);
      return;
    }
    if (!(await this.isMade(queue))) {
      this.parts.events.emit('data.reoffered', { queue, accepted: 0, present: 0, failed: lost.tasks.length });
      return;
    }
    const now = this.parts.clock.monotonicMs();
    const outcomes = await Promise.all(
      lost.tasks.map(({ task, at }) => offered(committer, asItIsNow(task, now - at))),
    );
    const count = (...statuses: readonly string[]): number =>
      outcomes.filter((outcome) => !(outcome instanceof Error) && statuses.includes(outcome.status)).length;
    const accepted = count('accepted');
    const present = count('duplicate', 'conflict');
    const failed = outcomes.length - accepted - present;
    this.parts.events.emit('data.reoffered', { queue, accepted, present, failed });
  }

  /**
   * Makes the queue, as often as it takes: tasks that were started in other data may only be there again when its era is
   * a later one, or they would be started under a fence that was given before. Answers whether that was done in time.
   */
  private async isMade(queue: string): Promise<boolean> {
    const { ensure, closing, clock, random } = this.parts;
    for (let pause = ENSURE_PAUSE_MS.first; !(await ensure(queue));) {
      if (closing.aborted) return false;
      await sleep(clock, pause * (0.5 + random()), closing);
      pause = Math.min(pause * 2, ENSURE_PAUSE_MS.longest);
    }
    return true;
  }
}

function offered(committer: EnqueueCommitter, task: NewTask): Promise<TaskOutcome> {
  return new Promise((settle) => committer.add({ task, settle }));
}

/**
 * More starts than a lost task can have had: those of its second life must have greater fences, also where the era is
 * the same. Nearly always it is another; so it is enough to do this as often as leaves room for real starts.
 */
const STARTS_FORGOTTEN = { each: 10_000, most: 500_000 };

function asItIsNow(task: NewTask, elapsedMs: number): NewTask {
  const { due } = task;
  const meta = (task.meta === '' ? {} : JSON.parse(task.meta)) as TaskMeta;
  const left = due && 'afterMs' in due ? { afterMs: Math.max(0, Math.round(due.afterMs - elapsedMs)) } : due;
  const known = meta.starts ?? 0;
  const starts = Math.max(known, Math.min(known + STARTS_FORGOTTEN.each, STARTS_FORGOTTEN.most));
  return { ...task, meta: encodeMeta({ ...meta, starts }), ...(left && { due: left }), ownId: true };
}
