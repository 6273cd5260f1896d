import type { Broker, EnqueueAnswer, EnqueueReply, NewTask } from '../broker/broker.js';
import type { Durability } from '../contract/durability.js';
import {
  BrokerError,
  BrokerTimeoutError,
  EnqueueOutcomeUnknownError,
  type TaskqError,
} from '../contract/errors.js';
import { type Clock, type Moment, momentOf, msSince, sleep } from '../runtime/clock.js';

/** First and longest pause between two tries of a group. */
const RETRY_PAUSE_MS = { first: 25, longest: 1000 };

/**
 * How long a channel expects a group to be known: the broker remembers its last one for 15 minutes, a minute less keeps
 * the clocks of both from mattering. By either clock of this machine: it may have slept meanwhile, and Redis has not.
 */
export const REMEMBERED_MS = 14 * 60_000;

/** What became of a task: the broker's answer, or why there is none. */
export type TaskOutcome = EnqueueAnswer | TaskqError;

/** What became of a group that was sent. */
export interface SentGroup {
  /** One per task, in order. */
  readonly outcomes: readonly TaskOutcome[];
  /** Why it was not answered, if it was not. */
  readonly failure: unknown;
}

/**
 * What is found out about a group that was given up: an answer per task; `not-applied`, and then it never will be;
 * `gone`, the same of data of which something may have been lost since it was sent; or `forgotten`, since it was so long
 * ago that nobody can tell any more.
 */
export type GroupFate = readonly EnqueueAnswer[] | 'not-applied' | 'gone' | 'forgotten';

/** Groups that were answered and are gone. */
export interface LostGroups {
  readonly channel: string;
  /** Sequence of the last group that is still known. */
  readonly after: number;
  /** Sequence of the last one that was answered. */
  readonly upTo: number;
  /** When that was, in milliseconds of this process' steady clock. */
  readonly answeredAt: number;
}

/** What a channel is made of. */
export interface ChannelParts {
  readonly broker: Broker;
  readonly clock: Clock;
  /** The queue as people know it, and as the broker does: one of `partitions` parts of it, or itself. */
  readonly queue: string;
  readonly partition: string;
  readonly partitions: number;
  /** Ready tasks at which the queue is full; 0 for no limit. */
  readonly maxReady: number;
  readonly durability: Durability;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** Called for every group whose tasks were all decided, before anybody is told of it. */
  readonly answered: (
    channel: string,
    sequence: number,
    tasks: readonly NewTask[],
    reply: EnqueueReply,
  ) => void;
  /** Called when the callers of these tasks are told that nobody knows what became of them. */
  readonly unknown: (tasks: readonly NewTask[]) => void;
  /** Called when as much is known of that as ever will be; and with `gone` of tasks that were refused by other data. */
  readonly resolved: (tasks: readonly NewTask[], fate: GroupFate) => void;
  /** Called when the broker has forgotten groups that it had answered. */
  readonly lost: (groups: LostGroups) => void;
}

/**
 * Sends groups of one queue, one at a time. Because the next group leaves only when the last is answered or given up,
 * a group is known by its sequence alone, and one whose reply was lost can be repeated without a task being written
 * twice. A group that was given up without an answer is asked about before the next one leaves. And since each group
 * names the last one that was answered, a broker that has lost it is found out.
 */
export class EnqueueChannel {
  private sequence = 0;
  private answered = 0;
  private answeredAt: Moment | undefined;
  /** Counts how often the broker may have lost something. */
  private line = 0;
  /** The last group, when it was given up without an answer. */
  private unresolved: Unresolved | undefined;

  constructor(
    private readonly name: string,
    private readonly parts: ChannelParts,
  ) {}

  /** Whether a group was answered that the broker must still know. */
  get remembered(): boolean {
    return this.answeredAt !== undefined && this.mayKnow(this.answeredAt);
  }

  /** Whether nobody knows yet what became of the last group. */
  get doubtful(): boolean {
    return this.unresolved !== undefined;
  }

  /** The broker has other data from now on: of what it was sent and has not answered, it may know nothing. */
  otherData(): void {
    this.line += 1;
  }

  /**
   * Sends one group; answers for each task what became of it, within `timeoutMs`. Never rejects. A group without tasks
   * finds out about the last one, and is answered when all that came before it is as safe as the durability says.
   */
  async send(tasks: readonly NewTask[], timeoutMs: number): Promise<SentGroup> {
    const sentAt = momentOf(this.parts.clock);
    const { line } = this;
    const time = { begun: sentAt, deadline: sentAt.steadyMs + timeoutMs };
    try {
      if (this.unresolved) await this.resolveLast(this.unresolved, time);
      this.sequence += 1;
      const after = this.remembered ? this.answered : 0;
      const { reply, repeated } = await this.sendUntilAnswered(tasks, after, time);
      this.heard(tasks, reply, after);
      if (repeated && line !== this.line) this.parts.resolved(refusedOf(tasks, reply), 'gone');
      return { outcomes: reply.answers, failure: undefined };
    } catch (error) {
      if (error instanceof UnknownOutcome) {
        this.unresolved = { tasks, sentAt, line };
        this.parts.unknown(tasks);
      }
      const failure = error instanceof UnknownOutcome ? error.cause : error;
      return { outcomes: tasks.map((task) => this.failure(task, error)), failure };
    }
  }

  /** The next group would take the place of the last one's record: what that says is read before. */
  private async resolveLast({ tasks, sentAt, line }: Unresolved, time: Allowed): Promise<void> {
    const { sequence, name: channel } = this;
    const { broker, partition: queue, durability, resolved } = this.parts;
    const answers = await this.untilAnswered(time, () =>
      broker.resolveGroup({ queue, channel, sequence, durability }),
    ).catch((error: unknown) => {
      // Whatever it is, the group that waits for this was not sent.
      throw nothingSent(error);
    });
    this.unresolved = undefined;
    // It may have been applied when it was sent first, and what the broker knew of it has expired, or was lost.
    const notThere = this.line === line ? 'not-applied' : 'gone';
    resolved(tasks, answers ?? (this.mayKnow(sentAt) ? notThere : 'forgotten'));
  }

  private heard(tasks: readonly NewTask[], reply: EnqueueReply, after: number): void {
    const { answeredAt } = this;
    this.answered = this.sequence;
    // First what is gone: what has been answered now may take its room, and was answered after that was found out.
    if (reply.lostAfter !== undefined && answeredAt !== undefined) {
      const { steadyMs } = answeredAt;
      this.parts.lost({ channel: this.name, after: reply.lostAfter, upTo: after, answeredAt: steadyMs });
    }
    this.answeredAt = momentOf(this.parts.clock);
    this.parts.answered(this.name, this.sequence, tasks, reply);
  }

  private async sendUntilAnswered(
    tasks: readonly NewTask[],
    after: number,
    time: Allowed,
  ): Promise<{ readonly reply: EnqueueReply; readonly repeated: boolean }> {
    const { sequence, name: channel } = this;
    const { broker, partition: queue, partitions, maxReady, durability } = this.parts;
    const group = { queue, channel, sequence, after, maxReady, durability, partitions, tasks };
    let maybeApplied = false;
    try {
      const reply = await this.untilAnswered(
        time,
        () => broker.enqueue(group),
        (error) => {
          maybeApplied ||= error instanceof BrokerTimeoutError;
        },
      );
      return { reply, repeated: maybeApplied };
    } catch (error) {
      throw maybeApplied && error instanceof BrokerError ? new UnknownOutcome(error) : error;
    }
  }

  /** Asks again and again until there is an answer, or an error that will not pass by itself, or no time left. */
  private async untilAnswered<T>(
    { begun, deadline }: Allowed,
    ask: () => Promise<T>,
    failed: (error: BrokerError) => void = () => undefined,
  ): Promise<T> {
    const { clock, random } = this.parts;
    let failure: BrokerError | undefined;
    for (let pause = RETRY_PAUSE_MS.first; ; pause = Math.min(pause * 2, RETRY_PAUSE_MS.longest)) {
      // Before every try: the machine may have slept through the pause, and the broker has forgotten the first try.
      if (clock.monotonicMs() >= deadline || !this.mayKnow(begun)) throw failure ?? nothingSent(undefined);
      try {
        return await within(clock, deadline - clock.monotonicMs(), ask());
      } catch (error) {
        if (!(error instanceof BrokerError)) throw error;
        failure = error;
        failed(error);
        const wait = pause * (0.5 + random());
        if (!error.retryable || clock.monotonicMs() + wait >= deadline) throw error;
        await sleep(clock, wait);
      }
    }
  }

  /** Whether the broker must still know what it was told at that moment. */
  private mayKnow(moment: Moment): boolean {
    return msSince(this.parts.clock, moment) < REMEMBERED_MS;
  }

  private failure(task: NewTask, error: unknown): TaskqError {
    if (error instanceof UnknownOutcome)
      return new EnqueueOutcomeUnknownError(task.id, this.parts.queue, error.cause);
    return error instanceof BrokerError
      ? error
      : new BrokerError('INTERNAL', String(error), { cause: error });
  }
}

/** A group that was given up, when it was sent first, and to which data. */
interface Unresolved {
  readonly tasks: readonly NewTask[];
  readonly sentAt: Moment;
  readonly line: number;
}

/** When a group was sent first, and until when it may be sent again, by the steady clock. */
interface Allowed {
  readonly begun: Moment;
  readonly deadline: number;
}

function refusedOf(tasks: readonly NewTask[], { answers }: EnqueueReply): readonly NewTask[] {
  return tasks.filter((_, position) => answers[position]?.status === 'full');
}

function nothingSent(cause: unknown): BrokerError {
  return new BrokerError('UNAVAILABLE', 'Redis does not answer; nothing was sent', {
    cause,
    retryable: true,
  });
}

/** A try may have been applied, and none was answered. */
class UnknownOutcome extends Error {
  constructor(cause: BrokerError) {
    super('outcome unknown', { cause });
  }
}

/** The answer, unless it takes longer than `ms`. */
function within<T>(clock: Clock, ms: number, answer: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const cancel = clock.after(ms, () =>
      reject(new BrokerTimeoutError('DEADLINE', 'Redis did not answer in time')),
    );
    answer.then(resolve, reject).finally(cancel);
  });
}
