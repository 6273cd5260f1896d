import type { EnqueueAnswer, NewTask } from '@taskq/core';
import type { BookKey, QueueBook } from '../book.js';
import type { Fact } from '../facts.js';
import { type Law, LawBroken, type Scene } from './law.js';

/** Calls with one idempotency key within its window are one task; so are calls with one id while that task is there. */
export class Keys implements Law {
  readonly name = 'keys';

  sees(fact: Fact, { book, storeNow }: Scene): void {
    if (fact.kind !== 'applied' || fact.call.verb !== 'enqueue' || fact.call.error !== undefined) return;
    const [group] = fact.call.request;
    const { answers } = fact.call.answer;
    const known = book.known(group);
    if (known) {
      if (JSON.stringify(known.answers) !== JSON.stringify(answers))
        this.broken(`group ${group.channel}/${group.sequence} was answered otherwise the second time`);
      return;
    }
    const taken = new Taken(book.queue(group.queue), storeNow);
    for (const [i, task] of group.tasks.entries()) {
      this.judge(task, answers[i]!, taken);
      if (answers[i]!.status === 'accepted') taken.take(task);
    }
  }

  private judge(task: NewTask, answer: EnqueueAnswer, taken: Taken): void {
    const { id, idempotency, unique } = task;
    const holder = idempotency && taken.holder(idempotency.key);
    if (holder) {
      const status = holder.fingerprint === idempotency.fingerprint ? 'duplicate' : 'conflict';
      if (answer.status !== status || answer.id !== holder.id)
        this.broken(`${id} was ${answer.status}, and its key is that of ${holder.id} (${status})`);
      return;
    }
    if (answer.status === 'conflict') this.broken(`${id} was a conflict with nothing`);
    if (answer.status === 'accepted') {
      if (taken.has(id)) this.broken(`${id} was accepted, and is there already`);
      const first = unique && taken.unfinished(unique.key);
      if (first !== undefined)
        this.broken(`${id} was accepted, and ${first} is unfinished with the same key`);
    } else if (answer.status === 'duplicate' && !taken.has(answer.id))
      this.broken(`${id} was a duplicate of ${answer.id}, which is not there`);
  }

  private broken(what: string): void {
    throw new LawBroken(this.name, what);
  }
}

/** Keys and ids that are taken, those of the group so far among them. */
class Taken {
  private readonly keys = new Map<string, BookKey>();
  private readonly ids = new Set<string>();
  private readonly uniques = new Map<string, string>();

  constructor(
    private readonly book: QueueBook,
    private readonly now: number,
  ) {}

  take({ id, idempotency, unique }: NewTask): void {
    this.ids.add(id);
    if (unique) this.uniques.set(unique.key, id);
    if (!idempotency) return;
    const { key, fingerprint } = idempotency;
    this.keys.set(key, { id, fingerprint, until: Number.POSITIVE_INFINITY });
  }

  holder(key: string): BookKey | undefined {
    const holder = this.keys.get(key) ?? this.book.keys.get(key);
    return holder && this.now <= holder.until ? holder : undefined;
  }

  has(id: string): boolean {
    return this.ids.has(id) || this.book.tasks.has(id);
  }

  unfinished(key: string): string | undefined {
    const first = this.uniques.get(key);
    if (first !== undefined) return first;
    for (const { id, unique, place } of this.book.tasks.values())
      if (unique === key && place !== 'dead') return id;
    return undefined;
  }
}
