import type { LeaseBoard } from '../broker/lease-guard.js';
import { LeaseUnprovenError } from '../contract/errors.js';
import { type PeriodicOptions, PeriodicService } from '../runtime/service.js';
import { factOf } from './announce.js';
import type { Execution } from './execution.js';
import type { QueueRunner } from './queue-runner.js';
import type { WorkerParts } from './worker-parts.js';

/**
 * For this part of a lease it counts as proven. The rest is for what this clock cannot see: the lease began before the
 * answer that told of it came, timers are late where the event loop is busy, and a handler takes a moment to stop.
 */
const PROVEN_PART = 0.9;

/**
 * Finds out, by the clock of this process alone, which handlers can no longer be sure of their tasks: those whose lease
 * was renewed for certain so long ago that another worker may take the task over next. No answer is waited for, since
 * one that does not come is what it is about.
 *
 * A lease is proven until `max(start of the handler, last renewal) + 0.9 × lease`. A renewal counts from just before it
 * was sent, so that it is over in Redis later than here. Each pass comes when the next lease would run out, at the
 * latest after the usual time; that is shorter than a lease lasts, so none that begins meanwhile is missed.
 */
export class LeaseWatch extends PeriodicService {
  private readonly renewals = new Map<QueueRunner, number>();
  private readonly provenMs: number;

  constructor(
    private readonly runners: readonly QueueRunner[],
    /** Tells what the guard has renewed. */
    private readonly board: LeaseBoard,
    private readonly parts: Pick<WorkerParts, 'events' | 'options'>,
    options: PeriodicOptions,
  ) {
    super(options);
    this.provenMs = parts.options.worker.leaseMs * PROVEN_PART;
  }

  /** Every lease that the runner had was renewed, by a request sent after `sentAt`, in milliseconds of the clock. */
  renewed(runner: QueueRunner, sentAt: number): void {
    this.renewals.set(runner, sentAt);
  }

  override async runOnce(): Promise<number> {
    const now = this.options.clock.monotonicMs();
    let nextMs = this.options.everyMs;
    for (const runner of this.runners) nextMs = Math.min(nextMs, this.look(runner, now));
    return nextMs;
  }

  /** Tells the handlers of a queue whose leases are not proven any more. Answers how long all others are, at least. */
  private look(runner: QueueRunner, now: number): number {
    const renewedAt = this.renewals.get(runner) ?? Number.NEGATIVE_INFINITY;
    const youngMs = renewedAt + this.provenMs - now;
    if (youngMs > 0) return youngMs;
    const guardedAt = this.board.lastRenewal - this.board.offsetMs;
    let nextMs = Number.POSITIVE_INFINITY;
    for (const execution of runner.undecided()) {
      if (execution.unproven) continue;
      // The guard leaves out what has outrun its timeout, too: such a handler was told to stop by that.
      const guarded = execution.row < 0 ? Number.NEGATIVE_INFINITY : guardedAt;
      const since = Math.max(execution.startedAt, renewedAt, guarded);
      const leftMs = since + this.provenMs - now;
      if (leftMs > 0) nextMs = Math.min(nextMs, leftMs);
      else this.tell(execution, now - since);
    }
    return nextMs;
  }

  private tell(execution: Execution, silentMs: number): void {
    const { events, options } = this.parts;
    const { delivery, message } = execution;
    execution.unproven = true;
    if (options.worker.whenUnproven === 'abort') {
      const why = `the lease of task ${message.id} was not renewed for ${Math.round(silentMs)} ms`;
      execution.abort(new LeaseUnprovenError(`${why}, and another worker may take it over`));
    }
    events.emit('task.unproven', { ...factOf(delivery.queue, message), silentMs });
  }
}
