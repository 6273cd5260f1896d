import { EnqueueOutcomeUnknownError, type EnqueueResult } from '@taskq/core';
import { isOfferedAgain, numberOf } from '../book.js';
import type { Ask, Fact } from '../facts.js';
import { type Law, LawBroken, type Scene } from './law.js';

/** What became of one call of a user, which may have asked again under its id. */
interface Record {
  /** How often it was accepted since the store last lost anything. */
  accepted: number;
  /** Whether it was accepted ever: then it may have run. */
  ever: boolean;
  /** What it was told in the end, when that was that nothing was written. */
  refused: string | undefined;
}

/** What a user is told is true: accepted means written, refused means never written, and one call is one task. */
export class Answers implements Law {
  readonly name = 'answers';
  private readonly records = new Map<number, Record>();
  private readonly ids = new Set<string>();

  sees(fact: Fact, scene: Scene): void {
    if (fact.kind === 'applied') this.applied(fact, scene);
    else if (fact.kind === 'told') this.told(fact.ask, fact.answer);
    else if (fact.kind === 'blow') this.struck(fact.blow);
  }

  private applied({ call }: Fact & { kind: 'applied' }, { book }: Scene): void {
    if (call.verb !== 'enqueue' || call.error !== undefined) return;
    const [group] = call.request;
    if (book.known(group)) return;
    const again = isOfferedAgain(group.channel);
    for (const [i, { id, payload }] of group.tasks.entries()) {
      if (call.answer.answers[i]?.status !== 'accepted') continue;
      this.ids.add(`${group.queue} ${id}`);
      const record = this.of(numberOf(payload));
      // What was lost and is offered again may have been completed meanwhile: that is promised to nobody.
      if (again) continue;
      record.accepted += 1;
      record.ever = true;
      if (record.accepted > 1) this.broken(`${id} was accepted twice`);
      if (record.refused !== undefined)
        this.broken(`${id} was accepted, and refused before: ${record.refused}`);
    }
  }

  private struck(blow: string): void {
    for (const record of this.records.values()) {
      if (LOSING.has(blow)) record.accepted = 0;
      // Whoever deletes everything behind the back of those who wait for an answer, deletes what would tell them.
      if (blow === 'flush') record.ever = false;
    }
  }

  private told({ number, queue }: Ask, answer: EnqueueResult | Error): void {
    const record = this.of(number);
    if (answer instanceof EnqueueOutcomeUnknownError) return;
    if (answer instanceof Error) {
      record.refused = answer.message;
      if (record.ever)
        this.broken(`call ${number} was refused (${answer.message}), and its task was accepted`);
    } else if (!this.ids.has(`${queue} ${answer.id}`))
      this.broken(`call ${number} was told that ${answer.id} is ${answer.status}, and nothing was written`);
  }

  private of(number: number): Record {
    const record = this.records.get(number) ?? { accepted: 0, ever: false, refused: undefined };
    this.records.set(number, record);
    return record;
  }

  private broken(what: string): void {
    throw new LawBroken(this.name, what);
  }
}

/** After these a task may have to be written once more. */
const LOSING: ReadonlySet<string> = new Set(['failover', 'flush']);
