import type { Broker, DeadLetter, QueueCounts, ScheduledTask } from '../broker/broker.js';
import { TaskqError } from '../contract/errors.js';
import { decodeMessage, type TaskMessage, type TaskMeta } from '../contract/task-message.js';
import type { TaskState } from '../policy/task-state.js';

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

/** Answers what is in a queue, and acts on dead letters. Reads change nothing and never grow with the queue. */
export class Inspector {
  constructor(private readonly broker: Broker) {}

  /** How many tasks are ready (by lane), active, scheduled and dead, and how old the oldest ready one is. */
  counts(queue: string): Promise<QueueCounts> {
    return this.broker.counts(queue);
  }

  /**
   * A task by id, or `undefined` when the queue does not hold it: it never did, or it is completed or discarded.
   * Tasks that were written by others without an id are found once they were retried.
   */
  async find(queue: string, id: string): Promise<TaskView | undefined> {
    const place = await this.broker.find(queue, id);
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
        return letterView(place.letter);
    }
  }

  /** Dead letters, oldest first: at most `limit` (up to 100) after the entry id `after`. */
  deadLetters(queue: string, page: { after?: string; limit?: number } = {}): Promise<readonly DeadLetter[]> {
    return this.broker.listDeadLetters(queue, page.after ?? '', page.limit ?? PAGE);
  }

  /** Scheduled and retrying tasks, soonest first: at most `limit` (up to 100) from `offset` on. */
  async scheduled(
    queue: string,
    page: { offset?: number; limit?: number } = {},
  ): Promise<readonly TaskView[]> {
    const tasks = await this.broker.listScheduled(queue, page.offset ?? 0, page.limit ?? PAGE);
    return tasks.map((task) => scheduledView(queue, task));
  }

  /** Puts a dead task back into its queue with its attempts reset; answers whether it was dead. */
  async replay(queue: string, id: string): Promise<boolean> {
    const place = await this.broker.find(queue, id);
    const letter = place?.state === 'dead' ? place.letter : await this.letterByEntry(queue, id);
    return letter !== undefined && (await this.broker.replay(queue, [letter])) === 1;
  }

  /** Puts back every task that is dead when the call begins; answers how many. One that dies again stays dead. */
  async replayAll(queue: string): Promise<number> {
    const { dead } = await this.broker.counts(queue);
    let replayed = 0;
    let after = '';
    for (let seen = 0; seen < dead;) {
      const letters = await this.broker.listDeadLetters(queue, after, Math.min(PAGE, dead - seen));
      if (letters.length === 0) break;
      replayed += await this.broker.replay(queue, letters);
      seen += letters.length;
      after = letters.at(-1)!.entryId;
    }
    return replayed;
  }

  /** Round trip to Redis in milliseconds. Rejects when it does not answer. */
  ping(): Promise<number> {
    return this.broker.ping();
  }

  /** An entry that was no task has no id but its own, which the index does not know: look at the stream. */
  private async letterByEntry(queue: string, id: string): Promise<DeadLetter | undefined> {
    if (!/^\d+-\d+$/.test(id)) return undefined;
    const letters = await this.broker.listDeadLetters(queue, before(id), 1);
    return letters.find((letter) => letter.entryId === id);
  }
}

/** The stream id just before `id`, so that reading after it begins with `id`. */
function before(id: string): string {
  const [ms, sequence] = id.split('-').map(Number) as [number, number];
  if (sequence > 0) return `${ms}-${sequence - 1}`;
  return ms > 0 ? `${ms - 1}-18446744073709551615` : '';
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

function letterView(letter: DeadLetter): TaskView {
  const { queue, id, type, payload, attempt, enqueuedAt, reason, detail, meta, diedAt } = letter;
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
