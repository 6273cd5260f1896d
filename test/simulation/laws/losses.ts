import type { TaskEventMap } from '@taskq/core';
import { isOfferedAgain, numberOf } from '../book.js';
import type { Fact } from '../facts.js';
import { type Law, LawBroken, type Scene } from './law.js';

type Loss = TaskEventMap['data.lost'];

/** An accepted task, as the producer knows it that was told so. */
interface Accepted {
  readonly number: number;
  readonly id: string;
  readonly queue: string;
  readonly by: string;
  readonly channel: string;
  readonly sequence: number;
}

/** A loss that a producer announced. */
interface Announced {
  readonly by: string;
  readonly loss: Loss;
  readonly after: number;
  readonly upTo: number;
  readonly channel: string;
}

/**
 * A task that was answered as accepted comes to its end. What the store has forgotten of it is announced by the
 * producer that was answered, if that still lives, and offered again unless it says that it cannot. And nobody raises
 * a false alarm.
 */
export class Losses implements Law {
  readonly name = 'losses';
  /** Accepted tasks that came to no end: their producers have ended, or said that they cannot offer them again. */
  excused = 0;
  private readonly accepted = new Map<number, Accepted>();
  /** Channel and sequence of the group in which each call was last accepted. */
  private readonly groups = new Map<number, { channel: string; sequence: number }>();
  /** The call that was accepted last under each id: a task of an earlier one is that task, says whoever gave the id. */
  private readonly callOf = new Map<string, number>();
  private readonly ended = new Set<number>();
  private readonly gone = new Set<string>();
  /** Accepted tasks that the store forgot, by number. */
  private readonly forgotten = new Map<number, Accepted>();
  private readonly announced: Announced[] = [];
  private readonly failed = new Map<string, number>();
  private lossy = 0;

  sees(fact: Fact, { book, now }: Scene): void {
    switch (fact.kind) {
      case 'applied':
        this.applied(fact, book.queue.bind(book));
        break;
      case 'told':
        if (!(fact.answer instanceof Error) && fact.answer.status === 'accepted') {
          const { number, queue } = fact.ask;
          const group = this.groups.get(number);
          if (group) this.accepted.set(number, { number, queue, id: fact.answer.id, by: fact.by, ...group });
        }
        break;
      case 'event':
        this.event(fact, now);
        break;
      case 'blow':
        if (fact.blow === 'crash' || fact.blow === 'terminate') this.gone.add(fact.on);
        break;
      default:
    }
  }

  /** The store goes back to an earlier page, or to none: what is not there any more is lost. */
  lost(isThere: (queue: string, id: string) => boolean): void {
    this.lossy += 1;
    for (const task of this.accepted.values()) {
      if (!this.ended.has(task.number) && !isThere(task.queue, task.id))
        this.forgotten.set(task.number, task);
    }
  }

  ends(scene: Scene): void {
    for (const task of this.forgotten.values()) this.demandAnnounced(task);
    for (const task of this.accepted.values()) {
      if (this.ended.has(task.number) || scene.book.queue(task.queue).tasks.has(task.id)) continue;
      this.demandExcuse(task);
    }
  }

  private applied({ call }: Fact & { kind: 'applied' }, queue: Scene['book']['queue']): void {
    if (call.error !== undefined) return;
    if (call.verb === 'enqueue') {
      const [group] = call.request;
      for (const [i, { id, payload }] of group.tasks.entries()) {
        const status = call.answer.answers[i]?.status;
        if (status === 'accepted') {
          this.groups.set(numberOf(payload), group);
          this.callOf.set(`${group.queue} ${id}`, numberOf(payload));
        }
        // Its key, or its id, is that of another task by now, which stands for it.
        else if (isOfferedAgain(group.channel)) this.ended.add(numberOf(payload));
      }
    } else if (call.verb === 'settle') {
      const [{ queue: name, outcomes }] = call.request;
      const refused = new Set(call.answer.stale);
      for (const [i, outcome] of outcomes.entries()) {
        const task = outcome.kind === 'remove' ? queue(name).tasks.get(outcome.id) : undefined;
        if (task && !refused.has(i)) this.ended.add(task.number);
      }
    } else if (call.verb === 'deleteDeadLetters')
      for (const { id } of call.request[1]) {
        const task = queue(call.request[0]).tasks.get(id);
        if (task) this.ended.add(task.number);
      }
  }

  private event(fact: Fact & { kind: 'event' }, now: number): void {
    if (fact.name === 'data.reoffered') {
      const { failed } = fact.event as TaskEventMap['data.reoffered'];
      this.failed.set(fact.by, (this.failed.get(fact.by) ?? 0) + failed);
    }
    if (fact.name !== 'data.lost' && fact.name !== 'data.lost.more') return;
    const loss = fact.event as Loss;
    if (this.lossy === 0)
      this.broken(`${fact.by} announced a loss at ${Math.round(now)} ms, and nothing was lost`);
    if (loss.seenBy !== 'producer') return;
    for (const { after, upTo } of loss.ranges) {
      const [channel, last] = split(upTo);
      this.announced.push({ by: fact.by, loss, channel, after: split(after)[1], upTo: last });
    }
  }

  private demandAnnounced(task: Accepted): void {
    if (this.gone.has(task.by) || this.covering(task).length > 0) return;
    this.broken(
      `${task.id} was lost, and ${task.by} did not say so (group ${task.channel}/${task.sequence})`,
    );
  }

  private demandExcuse(task: Accepted): void {
    this.excused += 1;
    if (this.callOf.get(`${task.queue} ${task.id}`) !== task.number) return;
    if (this.gone.has(task.by) || (this.failed.get(task.by) ?? 0) > 0) return;
    const covering = this.covering(task);
    if (covering.some(({ loss }) => loss.how === 'deleted' || loss.forgotten > 0)) return;
    this.broken(`${task.id} was accepted by ${task.by} and is neither done nor dead`);
  }

  private covering({ by, channel, sequence, queue }: Accepted): readonly Announced[] {
    return this.announced.filter(
      (one) =>
        one.by === by &&
        one.loss.queue === queue &&
        (one.channel.includes('-again-') ||
          (one.channel === channel && one.after < sequence && sequence <= one.upTo)),
    );
  }

  private broken(what: string): void {
    throw new LawBroken(this.name, what);
  }
}

function split(mark: string): [string, number] {
  const at = mark.lastIndexOf('/');
  return [mark.slice(0, at), Number(mark.slice(at + 1))];
}
