import type { Broker, EnqueueReply, NewTask } from '../broker/broker.js';
import type { Durability } from '../contract/durability.js';
import {
  BacklogFullError,
  BrokerError,
  DurabilityUnavailableError,
  EnqueueOutcomeUnknownError,
  type TaskqError,
} from '../contract/errors.js';
import { callsAtOnce, GROUP_BYTES } from '../policy/group-size.js';
import { type Clock, sleep } from '../runtime/clock.js';
import { atEndOfTurn } from '../runtime/turn.js';
import { type AcceptedTask, AcceptedTasks } from './accepted-tasks.js';
import { Forgetting } from './forgetting.js';
import type { UnresolvedTasks } from './unresolved-tasks.js';
import { EnqueueChannel, type GroupFate, type LostGroups, type TaskOutcome } from './enqueue-channel.js';
import { type PendingTask, type WaitingBytes, WaitingLine } from './waiting-line.js';

export type { PendingTask } from './waiting-line.js';

/** Groups that were answered and are gone, with what is still known of them. */
export interface LostTasks extends LostGroups {
  readonly tasks: readonly AcceptedTask[];
  /** Groups among them that are too old, or were too many, to be known. */
  readonly forgotten: number;
}

/** How many tasks are on their way to Redis. */
export interface TasksUnderWay {
  tasks: number;
}

/** What a committer is made of. */
export interface CommitterParts {
  readonly broker: Broker;
  readonly clock: Clock;
  /** The queue as people know it, and as the broker does: one of `partitions` parts of it, or itself. */
  readonly queue: string;
  readonly partition: string;
  readonly partitions: number;
  /** With what the committers of the other partitions have under way. */
  readonly underWay: TasksUnderWay;
  /** First part of the names of its channels; unique among all committers of all producers. */
  readonly name: string;
  readonly durability: Durability;
  /** Ready tasks at which the queue is full; 0 for no limit. */
  readonly maxReady: number;
  readonly timeoutMs: number;
  /** What waits for a free channel, here and in the other committers of the producer. */
  readonly waiting: WaitingBytes;
  /** Whether tasks wait for a channel as long as it takes, until the committer is closed: nobody waits for their answer. */
  readonly patient?: boolean;
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

/** Tasks of one script call: together with the bound on their bytes, this keeps it well below 5 ms. */
const GROUP_SIZE = 200;

/**
 * How much of its time a task may spend in line: what is left is for its answer. And how much later than the first of
 * its group it may have come: they share one deadline.
 */
const SHARE_IN_LINE = { wait: 0.9, spread: 0.25 };

/** Groups under way at once where an answer waits for a disk or for replicas, which take in many groups at once. */
const PATIENT_CHANNELS = 16;

/**
 * When a group is as large as this, and what else is under way is less than half of it, half of its callers are
 * answered in this turn of the event loop and half in the next. What they enqueue then leaves in two groups, so that
 * Redis and this process work at the same time instead of in turns.
 */
const SPREAD_FROM = 32;

/**
 * Gathers the tasks that are enqueued in one queue, or one partition of it, during one turn of the event loop and sends
 * them together. A lone task leaves at the end of its turn; tasks that come while every channel is busy leave with the next group.
 */
export class EnqueueCommitter {
  private readonly channels: readonly EnqueueChannel[];
  private readonly idle: EnqueueChannel[];
  private readonly line: WaitingLine;
  /** Called with why not, or nothing, when a group that leaves from now on is answered. */
  private confirming: ((failure: unknown) => void)[] = [];
  private readonly accepted: AcceptedTasks;
  private readonly forgetting: Forgetting;
  private scheduled = false;
  /** When the turn began in which tasks are gathered. */
  private turnAt = 0;

  constructor(private readonly parts: CommitterParts) {
    const { clock, keep, durability, name, timeoutMs, patient } = parts;
    this.accepted = new AcceptedTasks(clock, keep.windowMs, keep.bytes);
    this.forgetting = new Forgetting(this.accepted, {
      clock,
      everyMs: keep.windowMs,
      ping: () => parts.broker.ping(),
    });
    this.line = new WaitingLine({
      clock,
      patienceMs: patient ? Infinity : timeoutMs * SHARE_IN_LINE.wait,
      most: { tasks: GROUP_SIZE, bytes: GROUP_BYTES },
      spreadMs: timeoutMs * SHARE_IN_LINE.spread,
      bytes: parts.waiting,
      overdue: (tasks) => this.overdue(tasks),
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
    this.channels = Array.from(
      { length: durability === 'accepted' ? callsAtOnce(parts.partitions) : PATIENT_CHANNELS },
      (_, i) => new EnqueueChannel(`${name}-${i}`, channelParts),
    );
    this.idle = [...this.channels];
  }

  /** Whether a group is under way. */
  get busy(): boolean {
    return this.idle.length < this.channels.length;
  }

  add(pending: PendingTask): void {
    const { id, ownId } = pending.task;
    if (ownId && this.parts.unresolved.has(id)) void this.addAgain(pending);
    else this.enlist(pending, this.scheduled ? this.turnAt : this.parts.clock.monotonicMs());
  }

  /** Finds out about the groups that were given up on, on every channel that has nothing better to send. */
  resolve(): void {
    this.sendEmpty((channel) => channel.doubtful);
  }

  /** A task that was given up on: it is only enqueued when it is certain that the first copy was not accepted. */
  private async addAgain(pending: PendingTask): Promise<void> {
    const { clock, queue, timeoutMs, unresolved, resolveAll } = this.parts;
    const { id } = pending.task;
    const since = clock.monotonicMs();
    const over = new AbortController();
    const late = sleep(clock, timeoutMs, over.signal).then(() => undefined);
    resolveAll();
    const accepted = await Promise.race([unresolved.acceptedAs(id), late]);
    const unknown = (): TaskqError => new EnqueueOutcomeUnknownError(id, queue, undefined);
    const doubt = accepted ? await Promise.race([this.doubtOfDurability(id), late.then(unknown)]) : unknown();
    over.abort();
    if (accepted === false) return this.enlist(pending, since);
    pending.settle(doubt ?? { status: 'duplicate', id: accepted! });
  }

  /**
   * What was accepted may have been asked to be less safe than it is asked to be now: waits until everything that was
   * written before is as safe as that. Answers nothing when it is.
   */
  private async doubtOfDurability(id: string): Promise<TaskqError | undefined> {
    if (this.parts.durability === 'accepted') return undefined;
    const failure = await new Promise<unknown>((tell) => {
      this.confirming.push(tell);
      this.flushAtEndOfTurn(this.parts.clock.monotonicMs());
    });
    if (failure === undefined || failure instanceof DurabilityUnavailableError) return failure;
    return new EnqueueOutcomeUnknownError(id, this.parts.queue, failure);
  }

  private enlist(pending: PendingTask, since: number): void {
    const { queue, waiting } = this.parts;
    if (!this.line.add(pending, since)) pending.settle(new BacklogFullError(queue, waiting.most));
    else if (this.idle.length === 0) this.line.watch();
    else this.flushAtEndOfTurn(since);
  }

  /** Redis did not take in as much as was enqueued, for as long as these may wait. */
  private overdue(tasks: readonly PendingTask[]): void {
    const error = new BrokerError('UNAVAILABLE', 'Redis does not answer in time; nothing was sent', {
      retryable: true,
    });
    for (const { settle } of tasks) settle(error);
  }

  private flushAtEndOfTurn(now: number): void {
    if (this.scheduled || this.idle.length === 0) return;
    this.scheduled = true;
    this.turnAt = now;
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

  /** What was sent and is not answered may have been applied, and lost since. */
  otherData(): void {
    for (const channel of this.channels) channel.otherData();
  }

  private sendEmpty(which: (channel: EnqueueChannel) => boolean): void {
    for (const channel of this.idle.filter(which)) {
      this.idle.splice(this.idle.indexOf(channel), 1);
      void this.send(channel, [], this.parts.timeoutMs);
    }
  }

  /** Keeps nothing in time any more, and what waits is answered in time: no timer is left then. */
  close(): void {
    this.forgetting.close();
    this.line.hurry(this.parts.timeoutMs * SHARE_IN_LINE.wait);
  }

  private flush(): void {
    while (this.idle.length > 0 && (this.line.length > 0 || this.confirming.length > 0)) {
      const group = this.line.take();
      void this.send(this.idle.pop()!, group?.tasks ?? [], this.timeLeft(group?.since));
    }
    this.line.watch();
  }

  /** For how long a group may be sent, of which the first task came then. */
  private timeLeft(since: number | undefined): number {
    const { clock, timeoutMs, patient } = this.parts;
    if (since === undefined || patient) return timeoutMs;
    // A turn that took long is nobody's fault: what comes after it is given time, too.
    return Math.max(since + timeoutMs - clock.monotonicMs(), timeoutMs * (1 - SHARE_IN_LINE.wait));
  }

  private async send(
    channel: EnqueueChannel,
    group: readonly PendingTask[],
    timeoutMs: number,
  ): Promise<void> {
    const { underWay } = this.parts;
    underWay.tasks += group.length;
    const confirming = this.confirming;
    if (confirming.length > 0) this.confirming = [];
    const { outcomes, failure } = await channel.send(
      group.map((pending) => pending.task),
      timeoutMs,
    );
    underWay.tasks -= group.length;
    this.idle.push(channel);
    for (const tell of confirming) tell(failure);
    const alone = group.length >= SPREAD_FROM && underWay.tasks < group.length / 2;
    const now = alone ? Math.ceil(group.length / 2) : group.length;
    answer(group, outcomes, 0, now);
    if (now < group.length) setImmediate(() => answer(group, outcomes, now, group.length));
    // What waits leaves with what those who were answered enqueue now.
    if (this.line.length >= GROUP_SIZE) this.flush();
    else this.flushAtEndOfTurn(this.parts.clock.monotonicMs());
  }

  private lost(groups: LostGroups): void {
    const { channel, after, upTo } = groups;
    const lost = this.accepted.between(channel, after, upTo);
    this.accepted.handOver(channel, after, upTo);
    this.parts.lost({ ...groups, ...lost });
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
