import type { LeaseBoard } from '../broker/lease-guard.js';
import type { Service } from '../runtime/service.js';
import { Fetcher } from './fetcher.js';
import { Heartbeater } from './heartbeater.js';
import { Janitor } from './janitor.js';
import type { LeaseWatch } from './lease-watch.js';
import { Promoter } from './promoter.js';
import type { QueueRunner } from './queue-runner.js';
import { Reclaimer, type ReclaimerTimes } from './reclaimer.js';
import type { ConsumerParts } from './worker-parts.js';

/** How often due tasks are looked for when nothing says that one is due sooner. */
const PROMOTE_EVERY_MS = 1000;

/** How often the janitor comes. */
const CLEAN_EVERY_MS = 60_000;

/** What the services of a part need of its worker. */
export interface PartServicesParts extends ConsumerParts {
  /** Told of every beat. */
  readonly board: LeaseBoard;
  /** Told of every beat that succeeded. */
  readonly watch: LeaseWatch;
  readonly times: ReclaimerTimes;
}

/**
 * All that takes care of queues which are read together. Queues that are kept elsewhere have services of their own: a
 * server that hangs or is gone must not hold up what is done for those of another.
 */
export class PartServices {
  readonly fetcher: Fetcher;
  readonly heartbeater: Heartbeater;
  readonly reclaimer: Reclaimer;
  readonly services: readonly Service[];

  constructor(
    readonly runners: readonly QueueRunner[],
    parts: PartServicesParts,
  ) {
    const { broker, consumer, options, logger, clock, random, board, watch, times } = parts;
    const { leaseMs, heartbeatMs } = options.worker;
    const every = (name: string, everyMs: number) => ({ name, everyMs, clock, logger, random });
    const queues = runners.map(({ queue }) => queue);
    const promoter = new Promoter(broker, consumer, queues, every('promoter', PROMOTE_EVERY_MS));
    const reclaimer = new Reclaimer(broker, consumer, runners, times, every('reclaimer', leaseMs / 6));
    const janitor = new Janitor(broker, consumer, queues, options.limits, every('janitor', CLEAN_EVERY_MS));
    const beats = every('heartbeater', heartbeatMs);
    this.heartbeater = new Heartbeater(broker, consumer, runners, beats, board, watch);
    this.fetcher = new Fetcher(runners, {
      ...parts,
      part: `${consumer} ${queues[0]}`,
      woken: (queue, entryId, why) => (why === 'due' ? promoter : reclaimer).wake(queue, entryId),
    });
    this.reclaimer = reclaimer;
    this.services = [this.heartbeater, this.fetcher, promoter, reclaimer, janitor];
  }
}
