import type { LostRange } from '../contract/data-loss.js';
import type { DeadLetterReason } from '../policy/outcome.js';

/** What every event about a task says. */
export interface TaskFact {
  readonly queue: string;
  readonly type: string;
  readonly id: string;
  readonly attempt: number;
}

/** What is said of a loss: that something is gone, what, and what comes of it. */
export interface LossFact {
  /** Which loss of this engine it is, from 1. What is missing for the same reason has the same number. */
  readonly loss: number;
  readonly queue: string;
  /**
   * `rolled-back`: the same data as it was earlier. `replaced`: other data, or none; or of a channel that was first
   * written to after the data was last saved. `deleted`: the connection lasted, so somebody deleted it.
   */
  readonly how: 'rolled-back' | 'replaced' | 'deleted';
  /** Who found out: a producer that misses its own tasks, or the connection that misses entries it has seen. */
  readonly seenBy: 'producer' | 'connection';
  /** Empty when the connection finds other data and has seen no entries of what was there before. */
  readonly ranges: readonly LostRange[];
  /** Accepted tasks of this producer that are gone and are offered again now; 0 when seen by the connection. */
  readonly reoffered: number;
  /**
   * Groups of this producer that are gone and cannot be offered again, since they were too old or too many to be kept.
   * An upper bound for what is missed: most of their tasks will have been done long ago, and nobody knows which.
   */
  readonly forgotten: number;
}

/** Facts, by name. Each is announced after it is true in Redis; none holds a payload. */
export interface TaskEventMap {
  /** A group was accepted; one event per task. */
  'task.enqueued': {
    readonly queue: string;
    readonly type: string;
    readonly id: string;
    readonly status: 'accepted' | 'duplicate' | 'conflict';
  };
  /** A handler is about to run. `waitMs`: since the task was enqueued, when that is known. */
  'task.started': TaskFact & { readonly waitMs: number | undefined; readonly fence: number };
  'task.completed': TaskFact & { readonly runMs: number };
  'task.retrying': TaskFact & { readonly runMs: number; readonly delayMs: number; readonly error: unknown };
  'task.snoozed': TaskFact & { readonly delayMs: number };
  'task.discarded': TaskFact & { readonly reason: string };
  'task.dead': TaskFact & {
    readonly reason: DeadLetterReason;
    readonly detail: string;
    readonly error: unknown;
  };
  /**
   * No handler in this process, or one of a lower version (`handlerVersion`) than the payload (`version`): the task is
   * offered again later.
   */
  'task.unhandled': TaskFact & {
    readonly delayMs: number;
    readonly version: number;
    readonly handlerVersion: number | undefined;
  };
  /** Handed back unfinished: at shutdown, or when its lease could not be proven any more. */
  'task.released': TaskFact & { readonly started: boolean };
  /** Taken from a consumer that was silent for longer than the lease, or that handed it back. */
  'task.reclaimed': TaskFact & { readonly from: string; readonly delivery: number };
  /** Another worker owns the task: what this one did with it was refused. */
  'task.stale': TaskFact & { readonly what: 'outcome' | 'lease' };
  /**
   * A handler runs on a lease that cannot be proven any more: Redis has not answered a heartbeat since `silentMs`, and
   * another worker may take the task over. Once per start. What follows is `worker.whenUnproven`.
   */
  'task.unproven': TaskFact & { readonly silentMs: number };
  /** The handler ignored the abort signal past its grace. Its slot stays taken until it ends. */
  'task.stuck': TaskFact & { readonly runMs: number };
  /** An entry that is no task was dead-lettered. */
  'task.malformed': { readonly queue: string; readonly entryId: string; readonly detail: string };
  /** A queue's group had vanished (a flush, an eviction, a restore) and was made again. */
  'queue.recreated': { readonly queue: string };
  /** Redis came back with less than it had answered, or lost it by a command. Once per loss and queue. */
  'data.lost': LossFact;
  /**
   * More is missing because of a loss that was announced: one more of this producer's channels found out, or the
   * connection did. What it says comes on top.
   */
  'data.lost.more': LossFact;
  /** What became of the tasks that were offered again. `present`: they had not been lost, or were there again. */
  'data.reoffered': {
    readonly queue: string;
    readonly accepted: number;
    readonly present: number;
    readonly failed: number;
  };
  /** A link to Redis (`commands`, `blocking` or `maintenance`) came back after it was lost. */
  'broker.reconnected': { readonly link: string };
}

export type TaskEventName = keyof TaskEventMap;
type Listener<Name extends TaskEventName> = (event: TaskEventMap[Name]) => void;

/**
 * Announces facts to whoever listens: logs, metrics, spans, tests. An event without a listener costs a look-up; a
 * listener that throws is reported once and does not disturb the queue.
 */
export class TaskEvents {
  private readonly listeners = new Map<TaskEventName, Set<Listener<TaskEventName>>>();

  /**
   * `report` is told of listeners that throw. `queueOf` names the queue to which a name belongs that the broker knows:
   * events are for people, and speak of queues.
   */
  constructor(
    private readonly report: (message: string) => void = () => undefined,
    private readonly queueOf: (name: string) => string = (name) => name,
  ) {}

  /** Calls `listener` for every event of that name from now on; answers how to stop that. */
  on<Name extends TaskEventName>(name: Name, listener: Listener<Name>): () => void {
    const listeners = this.listeners.get(name) ?? new Set();
    this.listeners.set(name, listeners);
    listeners.add(listener as Listener<TaskEventName>);
    return () => {
      listeners.delete(listener as Listener<TaskEventName>);
      if (listeners.size === 0) this.listeners.delete(name);
    };
  }

  /** Whether anybody listens: look before building an event on the hot path. */
  heard(name: TaskEventName): boolean {
    return this.listeners.has(name);
  }

  emit<Name extends TaskEventName>(name: Name, event: TaskEventMap[Name]): void {
    const listeners = this.listeners.get(name);
    if (!listeners) return;
    const told = this.forPeople(event);
    for (const listener of listeners) {
      try {
        listener(told);
      } catch (error) {
        this.report(`listener of "${name}" threw: ${error instanceof Error ? error.message : String(error)}`);
      }
    }
  }

  private forPeople<Event extends object>(event: Event): Event {
    if (!('queue' in event)) return event;
    const queue = this.queueOf(event.queue as string);
    return queue === event.queue ? event : { ...event, queue };
  }
}
