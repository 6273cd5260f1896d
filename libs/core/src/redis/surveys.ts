import type {
  CleaningRequest,
  DutyAnswer,
  DutyRequest,
  SweepAnswer,
  SweepRequest,
} from '../broker/broker.js';
import { monotonicMs } from '../runtime/clock.js';
import type { Calls } from './calls.js';
import type { QueueKeys } from './keys.js';
import type { Script } from './run-script.js';
import { scripts } from './scripts.generated.js';

/** Queues that one script call looks at. */
const QUEUES_PER_SURVEY = 50;

/** Looks at many queues in one call, so that idle ones cost next to nothing. */
export class Surveys {
  constructor(
    private readonly calls: Calls,
    private readonly keysOf: (queue: string) => QueueKeys,
    /** Told what the clock of the queue's server showed, and when it was asked. */
    private readonly heard: (queue: string, now: number, sentAt: number) => void,
  ) {}

  /** @throws BrokerError when Redis does not answer, or refuses */
  async takeDuties({ queues, consumer, dutyMs }: DutyRequest): Promise<DutyAnswer> {
    const duties: { queue: string; nextInMs: number }[] = [];
    let waiting = false;
    for (const page of pagesOf(queues)) {
      const keys = page.map((queue) => this.keysOf(queue));
      const names = [...keys.map(({ scheduled }) => scheduled), ...keys.map(({ control }) => control)];
      const [waits, ...taken] = await this.look(page, scripts.takeDuties, names, [consumer, dutyMs]);
      waiting ||= waits === 1;
      for (let i = 0; i < taken.length; i += 2)
        duties.push({ queue: page[taken[i]! - 1]!, nextInMs: taken[i + 1]! });
    }
    return { duties, waiting };
  }

  /** @throws BrokerError when Redis does not answer, or refuses */
  async sweepsDue({ queues, everyMs, notAfter }: SweepRequest): Promise<SweepAnswer> {
    const found: string[] = [];
    for (const page of pagesOf(queues)) {
      const keys = page.map((queue) => this.keysOf(queue));
      const names = keys.flatMap(({ laneList, control }) => [...laneList, control]);
      const args = [everyMs, notAfter === undefined ? '' : Math.ceil(notAfter)];
      const [late, ...positions] = await this.look(page, scripts.sweepsDue, names, args);
      if (late === 1) return { queues: [], late: true };
      found.push(...positions.map((position) => page[position - 1]!));
    }
    return { queues: found, late: false };
  }

  /** @throws BrokerError when Redis does not answer, or refuses */
  async cleaningDue(request: CleaningRequest): Promise<readonly string[]> {
    const { consumer, consumerAgeMs, deadLetters, deadLetterAgeMs } = request;
    const found: string[] = [];
    for (let from = 0; from < request.queues.length;) {
      const page = request.queues.slice(from, from + QUEUES_PER_SURVEY);
      const keys = page.map((queue) => this.keysOf(queue));
      const names = keys.flatMap(({ laneList, wake, dead }) => [...laneList, wake, dead]);
      const args = [consumer, consumerAgeMs, deadLetters, deadLetterAgeMs];
      const [looked, ...positions] = await this.look(page, scripts.cleaningDue, names, args);
      found.push(...positions.map((position) => page[position - 1]!));
      from += looked!;
    }
    return found;
  }

  /** What a script answers after the time. */
  private async look(
    page: readonly string[],
    script: Script,
    keys: readonly string[],
    args: readonly (string | number)[],
  ): Promise<number[]> {
    const sentAt = monotonicMs();
    const reply = await this.calls.run('maintenance', page[0]!, script, keys, args);
    const [now, ...rest] = reply as [number, ...number[]];
    for (const queue of page) this.heard(queue, now, sentAt);
    return rest;
  }
}

function pagesOf(queues: readonly string[]): readonly (readonly string[])[] {
  const pages: (readonly string[])[] = [];
  for (let i = 0; i < queues.length; i += QUEUES_PER_SURVEY)
    pages.push(queues.slice(i, i + QUEUES_PER_SURVEY));
  return pages;
}
