import type { Broker, EnqueueReply, NewTask } from '../broker/broker.js';
import type { Durability } from '../contract/durability.js';
import {
  DurabilityUnavailableError,
  EnqueueOutcomeUnknownError,
  type TaskqError,
} from '../contract/errors.js';
import { type Clock, sleep } from '../runtime/clock.js';
import { atEndOfTurn } from '../runtime/turn.js';
import { type AcceptedTask, AcceptedTasks } from './accepted-tasks.js';
import { Forgetting } from './forgetting.js';
import type { UnresolvedTasks } from './unresolved-tasks.js';
import { EnqueueChannel, type GroupFate, type LostGroups, type TaskOutcome } from './enqueue-channel.js';

/** A task on its way, and whom to tell. */
export interface PendingTask {
  readonly task: NewTask;
  readonly settle: (outcome: TaskOutcome) => void;
}

/** Groups that were answered and are gone, with what is still known of them. */
export interface LostTasks extends LostGroups {
  readonly tasks: readonly AcceptedTask[];
  /** Groups among them that are too old, or were too many, to be known. */
  readonly forgotten: number;
}

/** What a committer is made of. */
export interface CommitterParts {
  readonly broker: Broker;
  readonly clock: Clock;
  readonly queue: string;
  /** First part of the names of its channels; unique among all committers of all producers. */
  readonly name: string;
  readonly durability: Durability;
  /** Ready tasks at which the queue is full; 0 for no limit. */
  readonly maxReady: number;
  readonly timeoutMs: number;
  /** For how long, and up to how many bytes, accepted tasks are kept so that they can be offered again. */
  readonly keep: { readonly windowMs: number; readonly bytes: number };
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** Tasks of the queue of which nobody knows what became of them. */
  readonly unresolved: UnresolvedTasks;
  /** Has every committer of the queue find out about them. */
  readonly resolveAll: () => void;
  readonly lost: (lost: LostTasks) => void;
}

/** Tasks of one script call: keeps it well below 5 ms. */
const GROUP_SIZE = 200;

/** Groups under way at once: while Redis works on one, the next is made. */
const CHANNELS = 2;

/** The same where an answer waits for a disk or for replicas, which take in many groups at once. */
const PATIENT_CHANNELS = 16;

/**
 * When a group is as large as this, and what else is under way is less than half of it, half of its callers are
 * answered in this turn of the event loop and half in the next. What they enqueue then leaves in two groups, so that
 * Redis and this process work at the same time instead of in turns.
 */
const SPREAD_FROM = 32;

/**
 * Gathers the tasks that are enqueued in one queue during one turn of the event loop and sends them together. A lone
 * task leaves at the end of its turn; tasks that come while every channel is busy leave with the next group.
 */
export class EnqueueCommitter {
  private readonly idle: EnqueueChannel[];
  private readonly waiting: PendingTask[] = [];
  /** Called with why not, or nothing, when a group that leaves from now on is answered. */
  private confirming: ((failure: unknown) => void)[] = [];
  private readonly accepted: AcceptedTasks;
  private readonly forgetting: Forgetting;
  private scheduled = false;
  /** Tasks under way. */
  private sending = 0;

  constructor(private readonly parts: CommitterParts) {
    const { clock, keep, durability, name } = parts;
    this.accepted = new AcceptedTasks(clock, keep.windowMs, keep.bytes);
    this.forgetting = new Forgetting(this.accepted, {
      clock,
      everyMs: keep.windowMs,
      ping: () => parts.broker.ping(),
    });
    const channelParts = {
      ...parts,
      answered: (channel: string, sequence: number, tasks: readonly NewTask[], reply: EnqueueReply) => {
        this.accepted.add(channel, sequence, acceptedOf(tasks, reply));
        this.forgetting.arm();
      },
      unknown: (tasks: readonly NewTask[]) => parts.unresolved.add(tasks),
      resolved: (tasks: readonly NewTask[], fate: GroupFate) => parts.unresolved.resolve(tasks, fate),
      lost: (groups: LostGroups) => this.lost(groups),
    };
    this.idle = Array.from(
      { length: durability === 'accepted' ? CHANNELS : PATIENT_CHANNELS },
      (_, i) => new EnqueueChannel(`${name}-${i}`, channelParts),
    );
  }

  add(pending: PendingTask): void {
    const { id, ownId } = pending.task;
    if (ownId && this.parts.unresolved.has(id)) void this.addAgain(pending);
    else this.enlist(pending);
  }

  /** Finds out about the groups that were given up on, on every channel that has nothing better to send. */
  resolve(): void {
    this.sendEmpty((channel) => channel.doubtful);
  }

  /** A task that was given up on: it is only enqueued when it is certain that the first copy was not accepted. */
  private async addAgain(pending: PendingTask): Promise<void> {
    const { clock, queue, timeoutMs, unresolved, resolveAll } = this.parts;
    const { id } = pending.task;
    const over = new AbortController();
    resolveAll();
    const accepted = await Promise.race([
      unresolved.whetherAccepted(id),
      sleep(clock, timeoutMs, over.signal).then(() => undefined),
    ]);
    over.abort();
    if (accepted === false) return this.enlist(pending);
    const doubt = accepted
      ? await this.doubtOfDurability(id)
      : new EnqueueOutcomeUnknownError(id, queue, undefined);
    pending.settle(doubt ?? { status: 'duplicate', id: unresolved.standsFor(id) });
  }

  /**
   * What was accepted may have been asked to be less safe than it is asked to be now: waits until everything that was
   * written before is as safe as that. Answers nothing when it is.
   */
  private async doubtOfDurability(id: string): Promise<TaskqError | undefined> {
    if (this.parts.durability === 'accepted') return undefined;
    const failure = await new Promise<unknown>((tell) => {
      this.confirming.push(tell);
      this.flushAtEndOfTurn();
    });
    if (failure === undefined || failure instanceof DurabilityUnavailableError) return failure;
    return new EnqueueOutcomeUnknownError(id, this.parts.queue, failure);
  }

  private enlist(pending: PendingTask): void {
    this.waiting.push(pending);
    this.flushAtEndOfTurn();
  }

  private flushAtEndOfTurn(): void {
    if (this.scheduled || this.idle.length === 0) return;
    this.scheduled = true;
    atEndOfTurn(() => {
      this.scheduled = false;
      this.flush();
    });
  }

  /**
   * Asks whether Redis still knows what it had answered, on every channel that has nothing better to send: the others
   * find out with the group that is under way. `awayMs`: for how long it was away.
   */
  probe(awayMs: number): void {
    this.accepted.back(awayMs);
    this.sendEmpty((channel) => channel.remembered || channel.doubtful);
  }

  private sendEmpty(which: (channel: EnqueueChannel) => boolean): void {
    for (const channel of this.idle.filter(which)) {
      this.idle.splice(this.idle.indexOf(channel), 1);
      void this.send(channel, []);
    }
  }

  /** Keeps nothing in time any more: no timer is left. */
  close(): void {
    this.forgetting.close();
  }

  private flush(): void {
    while (this.idle.length > 0 && (this.waiting.length > 0 || this.confirming.length > 0)) {
      void this.send(this.idle.pop()!, this.waiting.splice(0, GROUP_SIZE));
    }
  }

  private async send(channel: EnqueueChannel, group: readonly PendingTask[]): Promise<void> {
    this.sending += group.length;
    const confirming = this.confirming;
    if (confirming.length > 0) this.confirming = [];
    const { outcomes, failure } = await channel.send(group.map((pending) => pending.task));
    this.sending -= group.length;
    this.idle.push(channel);
    for (const tell of confirming) tell(failure);
    const alone = group.length >= SPREAD_FROM && this.sending < group.length / 2;
    const now = alone ? Math.ceil(group.length / 2) : group.length;
    answer(group, outcomes, 0, now);
    if (now < group.length) setImmediate(() => answer(group, outcomes, now, group.length));
    this.flush();
  }

  private lost(groups: LostGroups): void {
    this.parts.lost({ ...groups, ...this.accepted.between(groups.channel, groups.after, groups.upTo) });
  }
}

/** The tasks of a group that are in Redis because of it; nearly always all of them. */
function acceptedOf(tasks: readonly NewTask[], { answers }: EnqueueReply): readonly NewTask[] {
  if (answers.every(({ status }) => status === 'accepted')) return tasks;
  return tasks.filter((_, position) => answers[position]?.status === 'accepted');
}

function answer(
  group: readonly PendingTask[],
  answers: readonly TaskOutcome[],
  from: number,
  to: number,
): void {
  for (let i = from; i < to; i += 1) group[i]!.settle(answers[i]!);
}
