import type { Broker, EnqueueAnswer, NewTask } from '../broker/broker.js';
import {
  BrokerError,
  BrokerTimeoutError,
  EnqueueOutcomeUnknownError,
  type TaskqError,
} from '../contract/errors.js';
import { monotonicMs, sleep } from '../runtime/clock.js';

/** First and longest pause between two tries of a group. */
const RETRY_PAUSE_MS = { first: 25, longest: 1000 };

/** What became of a task: the broker's answer, or why there is none. */
export type TaskOutcome = EnqueueAnswer | TaskqError;

/**
 * Sends groups of one queue, one at a time. Because the next group leaves only when the last is answered or given up,
 * a group is known by its sequence alone, and one whose reply was lost can be repeated without a task being written
 * twice.
 */
export class EnqueueChannel {
  private sequence = 0;

  constructor(
    private readonly broker: Broker,
    private readonly queue: string,
    private readonly channel: string,
    private readonly maxReady: number,
    private readonly timeoutMs: number,
    private readonly random: () => number,
  ) {}

  /** Sends one group; answers for each task what became of it, within `timeoutMs`. Never rejects. */
  async send(tasks: readonly NewTask[]): Promise<readonly TaskOutcome[]> {
    this.sequence += 1;
    try {
      return await this.sendUntilAnswered(tasks);
    } catch (error) {
      return tasks.map((task) => this.failure(task, error));
    }
  }

  private async sendUntilAnswered(tasks: readonly NewTask[]): Promise<readonly EnqueueAnswer[]> {
    const { queue, channel, sequence, maxReady } = this;
    const deadline = monotonicMs() + this.timeoutMs;
    let maybeApplied = false;
    for (let pause = RETRY_PAUSE_MS.first; ; pause = Math.min(pause * 2, RETRY_PAUSE_MS.longest)) {
      try {
        const answer = this.broker.enqueue({ queue, channel, sequence, maxReady, tasks });
        return await within(deadline - monotonicMs(), answer);
      } catch (error) {
        if (!(error instanceof BrokerError)) throw error;
        maybeApplied ||= error instanceof BrokerTimeoutError;
        const wait = pause * (0.5 + this.random());
        if (!error.retryable || monotonicMs() + wait >= deadline) {
          throw maybeApplied ? new UnknownOutcome(error) : error;
        }
        await sleep(wait);
      }
    }
  }

  private failure(task: NewTask, error: unknown): TaskqError {
    if (error instanceof UnknownOutcome)
      return new EnqueueOutcomeUnknownError(task.id, this.queue, error.cause);
    return error instanceof BrokerError
      ? error
      : new BrokerError('INTERNAL', String(error), { cause: error });
  }
}

/** A try may have been applied, and none was answered. */
class UnknownOutcome extends Error {
  constructor(cause: BrokerError) {
    super('outcome unknown', { cause });
  }
}

/** The answer, unless it takes longer than `ms`. */
function within<T>(ms: number, answer: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const late = setTimeout(
      () => reject(new BrokerTimeoutError('DEADLINE', 'Redis did not answer in time')),
      ms,
    );
    answer.then(resolve, reject).finally(() => clearTimeout(late));
  });
}
