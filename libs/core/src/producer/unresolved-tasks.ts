import type { NewTask } from '../broker/broker.js';
import type { GroupFate } from './enqueue-channel.js';

/** Ids of which it is remembered what was found out. */
const MOST_KNOWN = 10_000;

type Resolved = (accepted: boolean | undefined) => void;

/**
 * Tasks of which the caller was told that nobody knows what became of them. Whoever enqueues one of them again, by its
 * id, is to be told the truth, also when the first copy was accepted and is completed by now: then no other trace of it
 * is left.
 */
export class UnresolvedTasks {
  private readonly waiting = new Map<string, Resolved[]>();
  /**
   * By id, oldest first: the id of the task that was accepted, which is another where it was a duplicate; nothing where
   * that cannot be found out any more, and nobody was told so yet.
   */
  private readonly known = new Map<string, string | undefined>();

  add(tasks: readonly NewTask[]): void {
    for (const { id } of tasks) this.waiting.set(id, []);
  }

  /** Whether anything is to be found out, or known, about the task. */
  has(id: string): boolean {
    return this.waiting.has(id) || this.known.has(id);
  }

  /**
   * Resolves when it is known whether the task was accepted: true when it was, false when it was not and will not be,
   * nothing when that cannot be found out any more. That is told once: whoever asks again has made up his mind.
   */
  whetherAccepted(id: string): Promise<boolean | undefined> {
    const waiting = this.waiting.get(id);
    if (waiting) return new Promise((resolve) => waiting.push(resolve));
    if (!this.known.has(id)) return Promise.resolve(false);
    if (this.known.get(id) !== undefined) return Promise.resolve(true);
    this.known.delete(id);
    return Promise.resolve(undefined);
  }

  /** The task that stands for one that was accepted: itself, or the one it was a duplicate of. */
  standsFor(id: string): string {
    return this.known.get(id) ?? id;
  }

  /** Tells everybody who waits what became of a group's tasks. */
  resolve(tasks: readonly NewTask[], fate: GroupFate): void {
    tasks.forEach(({ id }, i) => {
      const waiting = this.waiting.get(id) ?? [];
      this.waiting.delete(id);
      const answer = typeof fate === 'string' ? undefined : fate[i];
      const accepted = answer?.status === 'accepted' || answer?.status === 'duplicate';
      if (accepted) this.remember(id, 'id' in answer ? answer.id : id);
      else if (fate === 'forgotten' && waiting.length === 0) this.remember(id, undefined);
      for (const resolved of waiting) resolved(fate === 'forgotten' ? undefined : accepted);
    });
  }

  /** The broker has lost something: what was accepted may be gone, so whoever asks is to ask the broker. */
  lost(): void {
    for (const [id, accepted] of this.known) if (accepted !== undefined) this.known.delete(id);
  }

  private remember(id: string, accepted: string | undefined): void {
    this.known.set(id, accepted);
    for (const oldest of this.known.keys()) {
      if (this.known.size <= MOST_KNOWN) break;
      this.known.delete(oldest);
    }
  }
}
