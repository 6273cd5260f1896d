import type { TaskEventMap, TaskEventName, TaskEvents } from '@taskq/core';
import { waitFor } from '@taskq/testing';

const NAMES: readonly TaskEventName[] = [
  'task.enqueued',
  'task.started',
  'task.completed',
  'task.retrying',
  'task.snoozed',
  'task.discarded',
  'task.dead',
  'task.unhandled',
  'task.released',
  'task.reclaimed',
  'task.stale',
  'task.stuck',
  'task.unproven',
  'task.malformed',
  'queue.recreated',
  'broker.reconnected',
  'data.lost',
  'data.lost.more',
  'data.reoffered',
];

/** A fact and when it was heard, in milliseconds of `performance.now()`. */
export type Heard<Name extends TaskEventName> = TaskEventMap[Name] & { readonly at: number };

interface Entry {
  readonly name: TaskEventName;
  readonly fact: { readonly at: number; readonly id?: string };
}

/** What to look for: facts about one task, facts that fit, and how many of them. */
export interface Sought<Name extends TaskEventName> {
  id?: string;
  where?: (fact: Heard<Name>) => boolean;
  count?: number;
  timeoutMs?: number;
}

/** Everything that engines announced, in order; asked by name, and awaited with a deadline. */
export class Facts {
  private readonly heard: Entry[] = [];

  constructor(
    events: TaskEvents,
    private readonly tell: (name: TaskEventName, fact: object) => void = () => undefined,
  ) {
    this.listenTo(events);
  }

  /** Hears another engine, too. */
  listenTo(events: TaskEvents): this {
    for (const name of NAMES) {
      events.on(name, (fact) => {
        this.heard.push({ name, fact: { ...fact, at: performance.now() } });
        this.tell(name, fact);
      });
    }
    return this;
  }

  /** What was heard so far under a name, about one task when `id` is given. */
  of<Name extends TaskEventName>(name: Name, id?: string): Heard<Name>[] {
    return this.heard
      .filter((entry) => entry.name === name && (id === undefined || entry.fact.id === id))
      .map((entry) => entry.fact as Heard<Name>);
  }

  /** Waits for `count` facts and answers all that fit. */
  async until<Name extends TaskEventName>(name: Name, sought: Sought<Name> = {}): Promise<Heard<Name>[]> {
    const { id, where = () => true, count = 1, timeoutMs = 5000 } = sought;
    const what = `${count} × ${name}${id === undefined ? '' : ` of ${id}`}`;
    await waitFor(() => this.of(name, id).filter(where).length >= count, { what, timeoutMs });
    return this.of(name, id).filter(where);
  }

  /** Names of all facts about one task, in order. */
  story(id: string): TaskEventName[] {
    // Its producer hears that it is accepted when the reply comes, which may be after a worker has started it.
    const told = this.heard.filter(({ fact, name }) => fact.id === id && name !== 'task.enqueued');
    return told.map((entry) => entry.name);
  }
}
