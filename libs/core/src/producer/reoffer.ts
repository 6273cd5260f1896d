import type { NewTask } from '../broker/broker.js';
import { encodeMeta, type TaskMeta } from '../contract/task-message.js';
import type { Clock } from '../runtime/clock.js';
import type { LossAnnouncer } from '../telemetry/loss-announcer.js';
import type { TaskEvents } from '../telemetry/task-events.js';
import type { EnqueueCommitter, LostTasks } from './enqueue-committer.js';
import type { TaskOutcome } from './enqueue-channel.js';

/** What is needed to find out about lost tasks and to offer them again. */
export interface ReofferParts {
  readonly clock: Clock;
  readonly events: TaskEvents;
  readonly losses: LossAnnouncer;
  /** Makes the queue's group before anything is written to it, since that is gone, too. */
  readonly ensure: (queue: string) => Promise<unknown>;
}

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
    await this.parts.ensure(queue);
    if (deleted || lost.tasks.length === 0) return;
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
