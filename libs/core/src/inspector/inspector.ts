import type { Broker, DeadLetter, QueueCounts, ScheduledTask, TaskPlace } from '../broker/broker.js';
import { TaskqError } from '../contract/errors.js';
import { decodeMessage, type TaskMessage, type TaskMeta } from '../contract/task-message.js';
import type { Partitions } from '../policy/partitions.js';
import type { TaskState } from '../policy/task-state.js';
import { afterEach, compareMarks, entryBefore, markOf, sumOf } from './parts.js';

/** How many tasks are in which state. */
export type Inspection = QueueCounts;

/** A task as it is now. The payload is its JSON text, unparsed. */
export interface TaskView {
  readonly id: string;
  readonly type: string;
  readonly queue: string;
  readonly state: Exclude<TaskState, 'completed' | 'discarded'>;
  readonly payload: string;
  readonly attempt: number;
  /** Milliseconds of the Redis clock. */
  readonly enqueuedAt: number | undefined;
  readonly meta: TaskMeta;
  /** When it runs again, for a scheduled or retrying task. */
  readonly dueAt?: number;
  /** Consumer that runs it, for an active task. */
  readonly worker?: string;
  /** Why it died, for a dead task. */
  readonly reason?: string;
  readonly detail?: string;
  /** When it died, for a dead task: milliseconds of the Redis clock. */
  readonly diedAt?: number;
}

/** Dead letters and scheduled tasks read or moved at once. */
const PAGE = 100;

/**
 * Answers what is in a queue, and acts on dead letters. Reads change nothing and never grow with the queue. A queue with
 * partitions is looked at as one; each of them can be looked at by its own name, too.
 */
export class Inspector {
  constructor(
    private readonly broker: Broker,
    private readonly parts: Partitions,
  ) {}

  /** What the parts of a queue are called in Redis, and here; its own name where it is not split. */
  partitions(queue: string): readonly string[] {
    return this.parts.of(queue);
  }

  /** How many tasks are ready (by lane), active, scheduled and dead, and how old the oldest ready one is. */
  async counts(queue: string): Promise<QueueCounts> {
    const names = this.parts.of(queue);
    return sumOf(await Promise.all(names.map((name) => this.broker.counts(name))));
  }

  /**
   * A task by id, or `undefined` when the queue does not hold it: it never did, or it is completed or discarded.
   * Tasks that were written by others without an id are found once they were retried.
   */
  async find(queue: string, id: string): Promise<TaskView | undefined> {
    const { place } = (await this.locate(queue, id)) ?? {};
    if (!place) return undefined;
    switch (place.state) {
      case 'ready':
        return viewOf(queue, 'ready', decodeMessage(place.fields, place.entryId));
      case 'active':
        return {
          ...viewOf(queue, 'active', decodeMessage(place.fields, place.entryId)),
          worker: place.consumer,
        };
      case 'scheduled':
        return scheduledView(queue, place.task);
      case 'dead':
        return letterView(queue, place.letter);
    }
  }

  /**
   * Dead letters, oldest first: at most `limit` (up to 100) after the `entryId` of the last one of the page before. Of a
   * queue with partitions that ends in the partition (`1796117241887-0/2`).
   */
  async deadLetters(
    queue: string,
    page: { after?: string; limit?: number } = {},
  ): Promise<readonly DeadLetter[]> {
    const names = this.parts.of(queue);
    const limit = Math.min(page.limit ?? PAGE, PAGE);
    const pages = await Promise.all(
      afterEach(names.length, page.after ?? '').map((after, i) =>
        this.broker.listDeadLetters(names[i]!, after, limit),
      ),
    );
    if (names.length === 1) return pages[0]!;
    const letters = pages.flatMap((own, i) =>
      own.map((letter) => ({ ...letter, queue, entryId: markOf(letter.entryId, i) })),
    );
    return letters.toSorted((a, b) => compareMarks(a.entryId, b.entryId)).slice(0, limit);
  }

  /**
   * Scheduled and retrying tasks, soonest first: at most `limit` (up to 100) from `offset` on. Of a queue with partitions
   * all that comes before is read, too.
   */
  async scheduled(
    queue: string,
    page: { offset?: number; limit?: number } = {},
  ): Promise<readonly TaskView[]> {
    const { offset = 0, limit = PAGE } = page;
    const names = this.parts.of(queue);
    if (names.length === 1) {
      const tasks = await this.broker.listScheduled(names[0]!, offset, limit);
      return tasks.map((task) => scheduledView(queue, task));
    }
    const upTo = offset + Math.min(limit, PAGE);
    const soonest = await Promise.all(names.map((name) => this.soonest(name, upTo)));
    return soonest
      .flat()
      .toSorted((a, b) => a.dueAt - b.dueAt)
      .slice(offset, upTo)
      .map((task) => scheduledView(queue, task));
  }

  /** Puts a dead task back into its queue with its attempts reset; answers whether it was dead. */
  async replay(queue: string, id: string): Promise<boolean> {
    const found = await this.locate(queue, id);
    const dead =
      found?.place.state === 'dead'
        ? { name: found.name, letter: found.place.letter }
        : await this.letterByEntry(queue, id);
    return dead !== undefined && (await this.broker.replay(dead.name, [dead.letter])) === 1;
  }

  /** Puts back every task that is dead when the call begins; answers how many. One that dies again stays dead. */
  async replayAll(queue: string): Promise<number> {
    let replayed = 0;
    for (const name of this.parts.of(queue)) replayed += await this.replayPart(name);
    return replayed;
  }

  /** Round trip to Redis in milliseconds. Rejects when it does not answer. */
  ping(): Promise<number> {
    return this.broker.ping();
  }

  /** Where a task is, and in which partition. */
  private async locate(queue: string, id: string): Promise<{ name: string; place: TaskPlace } | undefined> {
    const names = this.parts.of(queue);
    const places = await Promise.all(names.map((name) => this.broker.find(name, id)));
    const at = places.findIndex((place) => place !== undefined);
    return at < 0 ? undefined : { name: names[at]!, place: places[at]! };
  }

  private async soonest(name: string, count: number): Promise<readonly ScheduledTask[]> {
    const tasks: ScheduledTask[] = [];
    while (tasks.length < count) {
      const page = await this.broker.listScheduled(name, tasks.length, Math.min(PAGE, count - tasks.length));
      tasks.push(...page);
      if (page.length === 0) break;
    }
    return tasks;
  }

  private async replayPart(name: string): Promise<number> {
    const { dead } = await this.broker.counts(name);
    let replayed = 0;
    let after = '';
    for (let seen = 0; seen < dead;) {
      const letters = await this.broker.listDeadLetters(name, after, Math.min(PAGE, dead - seen));
      if (letters.length === 0) break;
      replayed += await this.broker.replay(name, letters);
      seen += letters.length;
      after = letters.at(-1)!.entryId;
    }
    return replayed;
  }

  /** An entry that was no task has no id but its own, which the index does not know: look at the stream. */
  private async letterByEntry(
    queue: string,
    id: string,
  ): Promise<{ name: string; letter: DeadLetter } | undefined> {
    const names = this.parts.of(queue);
    const [, entryId, position] = /^(\d+-\d+)(?:\/(\d+))?$/.exec(id) ?? [];
    if (entryId === undefined) return undefined;
    for (const name of position === undefined ? names : names.slice(Number(position), Number(position) + 1)) {
      const letters = await this.broker.listDeadLetters(name, entryBefore(entryId), 1);
      const letter = letters.find((one) => one.entryId === entryId);
      if (letter) return { name, letter };
    }
    return undefined;
  }
}

function viewOf(queue: string, state: TaskView['state'], message: TaskMessage): TaskView {
  return { queue, state, ...message };
}

function scheduledView(queue: string, task: ScheduledTask): TaskView {
  const { id, type, payload, attempt, enqueuedAt, dueAt } = task;
  const fields = ['id', id, 'type', type, 'payload', payload, 'attempt', String(attempt), 'meta', task.meta];
  const message = decodeMessage(fields, id);
  return { ...viewOf(queue, attempt > 1 ? 'retrying' : 'scheduled', { ...message, enqueuedAt }), dueAt };
}

function letterView(queue: string, letter: DeadLetter): TaskView {
  const { id, type, payload, attempt, enqueuedAt, reason, detail, meta, diedAt } = letter;
  return {
    queue,
    id,
    type,
    payload,
    attempt,
    enqueuedAt,
    reason,
    meta: metaOf(meta),
    state: 'dead',
    detail,
    diedAt,
  };
}

/** What is kept of a dead task is shown even when it cannot be read. */
function metaOf(text: string): TaskMeta {
  try {
    return decodeMessage(['type', 'x', 'payload', '', 'meta', text], 'x').meta;
  } catch (error) {
    if (error instanceof TaskqError) return {};
    throw error;
  }
}
