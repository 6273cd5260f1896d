import type { Broker } from '../broker/broker.js';
import { type Durability, durabilityName } from '../contract/durability.js';
import type { ResolvedEngineOptions } from '../policy/engine-options.js';
import type { Partitions } from '../policy/partitions.js';
import type { Clock } from '../runtime/clock.js';
import type { LossAnnouncer } from '../telemetry/loss-announcer.js';
import type { TaskEvents } from '../telemetry/task-events.js';
import { EnqueueCommitter, type LostTasks, type TasksUnderWay } from './enqueue-committer.js';
import { Reoffer } from './reoffer.js';
import { UnresolvedTasks } from './unresolved-tasks.js';
import { WaitingBytes } from './waiting-line.js';

/** What the committers of a producer share. */
export interface CommittersParts {
  readonly broker: Broker;
  readonly options: ResolvedEngineOptions;
  readonly partitions: Partitions;
  readonly events: TaskEvents;
  readonly losses: LossAnnouncer;
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** Makes a queue's group anew; answers whether it is there. */
  readonly ensure: (queue: string) => Promise<boolean>;
}

/** Ends the names of channels on which tasks are offered again. */
const AGAIN = '-again';

/**
 * The committers of one producer: one per partition and durability, since the tasks of a group share both, and one more
 * for what Redis lost and is offered again. A queue that is not split is its own partition; here all are called queues.
 */
export class Committers {
  private readonly committers = new Map<string, EnqueueCommitter>();
  private readonly unresolved = new Map<string, UnresolvedTasks>();
  /** Tasks under way to all partitions of a queue, by queue and durability. */
  private readonly underWay = new Map<string, TasksUnderWay>();
  private readonly waiting: WaitingBytes;
  private readonly reoffer: Reoffer;
  private readonly offering = new Set<Promise<void>>();
  private readonly closing = new AbortController();
  private readonly forgetReconnect: () => void;

  constructor(
    /** Names the producer; no other has the same. */
    private readonly producer: string,
    private readonly parts: CommittersParts,
  ) {
    this.reoffer = new Reoffer({ ...parts, closing: this.closing.signal });
    this.waiting = new WaitingBytes(parts.options.producer.waitingBytes);
    this.forgetReconnect = parts.broker.onReconnect((link, silentMs, awayMs) => {
      if (link !== 'commands') return;
      const elsewhere = !Number.isFinite(silentMs);
      if (elsewhere) for (const committer of this.committers.values()) committer.otherData();
      this.reconnected(awayMs ?? (elsewhere ? 0 : silentMs));
    });
  }

  of(queue: string, durability: Durability): EnqueueCommitter {
    // Most tasks are content with this: their queue is the key.
    const key = durability === 'accepted' ? queue : `${queue} ${durabilityName(durability)}`;
    return (
      this.committers.get(key) ??
      this.create(key, queue, durability, this.parts.partitions.optionsOf(queue).maxReady)
    );
  }

  /** Whether a group of tasks that are content to be accepted is on its way there. */
  isBusy(queue: string): boolean {
    return this.committers.get(queue)?.busy ?? false;
  }

  /** Whether Redis may have had the task, and let it run, before it lost it. */
  mayHaveRun(queue: string, id: string): boolean {
    return this.unresolved.get(queue)?.mayHaveRun(id) ?? false;
  }

  /** The task, of which that could be said, is accepted now. */
  accepted(queue: string, id: string): void {
    this.unresolved.get(queue)?.accepted(id);
  }

  /** Resolves when what is being offered again is answered. */
  async close(): Promise<void> {
    this.forgetReconnect();
    this.closing.abort();
    for (const committer of this.committers.values()) committer.close();
    await Promise.all(this.offering);
  }

  private create(
    key: string,
    queue: string,
    durability: Durability,
    maxReady: number,
    suffix = '',
  ): EnqueueCommitter {
    const { broker, partitions, clock, random } = this.parts;
    const { timeoutMs, reofferWindowMs, reofferBytes } = this.parts.options.producer;
    const level = durability === 'accepted' ? '' : `-${durabilityName(durability).replace(/\W/g, '')}`;
    const committer = new EnqueueCommitter({
      broker,
      clock,
      queue: partitions.queueOf(queue),
      partition: queue,
      underWay: this.underWayOf(`${partitions.queueOf(queue)} ${level}${suffix}`),
      partitions: partitions.optionsOf(queue).partitions,
      name: this.producer + level + suffix,
      durability,
      maxReady,
      timeoutMs,
      // What was accepted once is bounded already, and lost if it is refused or given up now.
      ...(suffix === AGAIN
        ? { waiting: new WaitingBytes(Infinity), patient: true }
        : { waiting: this.waiting }),
      keep: { windowMs: reofferWindowMs, bytes: reofferBytes },
      random,
      unresolved: this.unresolvedOf(queue),
      resolveAll: () => this.resolveAll(queue),
      lost: (tasks) => this.lost(queue, durability, tasks),
    });
    this.committers.set(key, committer);
    return committer;
  }

  private underWayOf(name: string): TasksUnderWay {
    const known = this.underWay.get(name) ?? { tasks: 0 };
    this.underWay.set(name, known);
    return known;
  }

  private unresolvedOf(queue: string): UnresolvedTasks {
    const known = this.unresolved.get(queue) ?? new UnresolvedTasks();
    this.unresolved.set(queue, known);
    return known;
  }

  private resolveAll(queue: string): void {
    for (const committer of this.allOf(queue)) committer.resolve();
  }

  private allOf(queue: string): readonly EnqueueCommitter[] {
    const own = [...this.committers].filter(([key]) => key === queue || key.startsWith(`${queue} `));
    return own.map(([, committer]) => committer);
  }

  /** Redis may have come back with less than it had answered: ask, before anybody has to wait for the answer. */
  private reconnected(awayMs: number): void {
    this.parts.losses.reconnected();
    for (const committer of this.committers.values()) committer.probe(awayMs);
  }

  private lost(queue: string, durability: Durability, tasks: LostTasks): void {
    this.unresolvedOf(queue).lost();
    for (const committer of this.allOf(queue)) committer.otherData();
    const offering = this.reoffer
      .lost(queue, tasks, this.again(queue, durability))
      .finally(() => this.offering.delete(offering));
    this.offering.add(offering);
  }

  /** What was accepted once is not refused for want of room: this committer knows no bound. */
  private again(queue: string, durability: Durability): EnqueueCommitter {
    const key = `${queue} ${durabilityName(durability)} ${AGAIN}`;
    return this.committers.get(key) ?? this.create(key, queue, durability, 0, AGAIN);
  }
}
