import type { EnqueueAnswer, NewTask } from '../broker/broker.js';

/** Ids of which it is remembered that they were accepted after all. */
const MOST_KNOWN = 10_000;

type Resolved = (accepted: boolean) => void;

/**
 * Tasks of which the caller was told that nobody knows what became of them. Whoever enqueues one of them again, by its
 * id, is to be told the truth, also when the first copy was accepted and is completed by now: then no other trace of it
 * is left.
 */
export class UnresolvedTasks {
  private readonly waiting = new Map<string, Resolved[]>();
  /** Found to be accepted, or to be another task, by the id of that; oldest first. */
  private readonly accepted = new Map<string, string>();

  add(tasks: readonly NewTask[]): void {
    for (const { id } of tasks) this.waiting.set(id, []);
  }

  /** Whether anything is to be found out, or known, about the task. */
  has(id: string): boolean {
    return this.waiting.has(id) || this.accepted.has(id);
  }

  /** Resolves when it is known whether the task was accepted: true when it was, false when it was not and will not be. */
  whetherAccepted(id: string): Promise<boolean> {
    const waiting = this.waiting.get(id);
    if (!waiting) return Promise.resolve(this.accepted.has(id));
    return new Promise((resolve) => waiting.push(resolve));
  }

  /** The task that stands for one that was accepted: itself, or the one it was a duplicate of. */
  standsFor(id: string): string {
    return this.accepted.get(id) ?? id;
  }

  /** @param answers what became of the tasks; nothing when their group was not applied */
  resolve(tasks: readonly NewTask[], answers: readonly EnqueueAnswer[] | undefined): void {
    tasks.forEach(({ id }, i) => {
      const answer = answers?.[i];
      const accepted = answer?.status === 'accepted' || answer?.status === 'duplicate';
      if (accepted) this.remember(id, 'id' in answer ? answer.id : id);
      for (const resolved of this.waiting.get(id) ?? []) resolved(accepted);
      this.waiting.delete(id);
    });
  }

  private remember(id: string, accepted: string): void {
    this.accepted.set(id, accepted);
    for (const oldest of this.accepted.keys()) {
      if (this.accepted.size <= MOST_KNOWN) break;
      this.accepted.delete(oldest);
    }
  }
}
