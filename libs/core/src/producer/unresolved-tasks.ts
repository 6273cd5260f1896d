import type { EnqueueAnswer, NewTask } from '../broker/broker.js';
import type { GroupFate } from './enqueue-channel.js';

/** Ids of which it is remembered what was found out. */
const MOST_KNOWN = 10_000;

/** The task that was accepted, itself or the one it was a duplicate of; false when none was; nothing when nobody can tell. */
type Resolved = (accepted: string | false | undefined) => void;

/**
 * What was found out about a task: which one was accepted, itself or the one it was a duplicate of; that it cannot be
 * found out any more, and nobody was told so yet; or that Redis does not have it, but may have had it before it lost
 * something.
 */
type FoundOut = { readonly standsFor: string } | 'forgotten' | 'gone';

/** An id of which nobody knows what became of it: it was in so many groups that were given up. */
interface Doubt {
  groups: number;
  /** One of them was so long ago that nobody can tell any more. */
  forgotten: boolean;
  readonly waiting: Resolved[];
}

/**
 * Tasks of which the caller was told that nobody knows what became of them. Whoever enqueues one of them again, by its
 * id, is to be told the truth, also when the first copy was accepted and is completed by now: then no other trace of it
 * is left.
 */
export class UnresolvedTasks {
  private readonly doubts = new Map<string, Doubt>();
  /** By id, oldest first. */
  private readonly known = new Map<string, FoundOut>();

  add(tasks: readonly NewTask[]): void {
    for (const id of new Set(tasks.map((task) => task.id))) {
      const doubt = this.doubts.get(id) ?? { groups: 0, forgotten: false, waiting: [] };
      doubt.groups += 1;
      this.doubts.set(id, doubt);
    }
  }

  /** Whether anything is to be found out about the task, or is known that its caller is to be told. */
  has(id: string): boolean {
    return this.doubts.has(id) || (this.known.has(id) && !this.mayHaveRun(id));
  }

  /**
   * Whether Redis may have had the task, and let it run, before it lost it: then it is not true that nothing was written,
   * whatever becomes of the next copy.
   */
  mayHaveRun(id: string): boolean {
    return this.known.get(id) === 'gone';
  }

  /**
   * Resolves when it is known whether the task was accepted: to the id of the task that stands for it, itself or the one
   * it was a duplicate of, when it was; to false when it is not there and will not be; to nothing when that cannot be
   * found out any more. That is told once: whoever asks again has made up his mind.
   */
  acceptedAs(id: string): Promise<string | false | undefined> {
    const known = this.known.get(id);
    const doubt = this.doubts.get(id);
    if (doubt && typeof known !== 'object') return new Promise((resolve) => doubt.waiting.push(resolve));
    if (known === 'forgotten') this.known.delete(id);
    if (known === 'forgotten') return Promise.resolve(undefined);
    return Promise.resolve(typeof known === 'object' && known.standsFor);
  }

  /**
   * Tells everybody who waits what became of a group's tasks. Several of them may have one id, in one group or in several:
   * it was accepted when one of them was, and it was not when all are known and none was.
   */
  resolve(tasks: readonly NewTask[], fate: GroupFate): void {
    const ids = new Map<string, EnqueueAnswer | undefined>();
    tasks.forEach(({ id }, i) => {
      const answer = typeof fate === 'string' ? undefined : fate[i];
      const other = ids.get(id);
      if (other === undefined || !stands(other)) ids.set(id, answer);
    });
    for (const [id, answer] of ids) this.resolveOne(id, answer, fate);
  }

  /** The task was accepted for certain. */
  accepted(id: string): void {
    if (this.mayHaveRun(id)) this.known.delete(id);
  }

  /** The broker has lost something: what was accepted may be gone, so whoever asks is to ask the broker. */
  lost(): void {
    for (const [id, known] of this.known) if (typeof known === 'object') this.known.set(id, 'gone');
  }

  private resolveOne(id: string, answer: EnqueueAnswer | undefined, fate: GroupFate): void {
    const doubt = this.doubts.get(id) ?? { groups: 1, forgotten: false, waiting: [] };
    doubt.groups -= 1;
    doubt.forgotten ||= fate === 'forgotten';
    if (doubt.groups === 0) this.doubts.delete(id);
    const accepted = answer !== undefined && stands(answer) && ('id' in answer ? answer.id : id);
    const toldTo = accepted || doubt.groups === 0 ? doubt.waiting.splice(0) : [];
    if (accepted) this.remember(id, { standsFor: accepted });
    else if (fate === 'gone') this.remember(id, fate);
    else if (doubt.forgotten && doubt.groups === 0 && toldTo.length === 0) this.remember(id, 'forgotten');
    for (const resolved of toldTo) resolved(accepted || (doubt.forgotten ? undefined : false));
  }

  private remember(id: string, found: FoundOut): void {
    this.known.set(id, found);
    for (const oldest of this.known.keys()) {
      if (this.known.size <= MOST_KNOWN) break;
      this.known.delete(oldest);
    }
  }
}

/** Whether there is a task: this one, or the one that it is a duplicate of. */
function stands({ status }: EnqueueAnswer): boolean {
  return status === 'accepted' || status === 'duplicate';
}
