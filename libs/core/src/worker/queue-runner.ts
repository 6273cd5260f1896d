import type { Delivery, Lease } from '../broker/broker.js';
import type { LeaseBoard } from '../broker/lease-guard.js';
import {
  LeaseLostError,
  type MalformedTaskError,
  TaskTimeoutError,
  WorkerShutdownError,
} from '../contract/errors.js';
import type { TaskMessage } from '../contract/task-message.js';
import { entriesPerPage, meanAfter, UNKNOWN_MEAN_BYTES } from '../policy/group-size.js';
import { laneShares } from '../policy/lane-schedule.js';
import type { ExecutionResult, Outcome } from '../policy/outcome.js';
import type { ResolvedTaskOptions } from '../policy/task-options.js';
import { Deadlines } from '../runtime/deadlines.js';
import { announce, factOf } from './announce.js';
import { decide, type Decision } from './decision.js';
import { bytesOf, crashesOf, type Execution, startsOf } from './execution.js';
import { type ExecutionObserver, Executor, thrownResult } from './executor.js';
import { PrefetchedTasks } from './prefetched-tasks.js';
import { leaseOf, malformedSettlement, settlementOf } from './settlement.js';
import { Settler } from './settler.js';
import type { ConsumerParts } from './worker-parts.js';

/** Most entries asked for at once: a page, unless they are large. */
const FETCH_LIMIT = 100;

/** What a queue's runner needs of its worker. */
export interface RunnerParts extends ConsumerParts {
  /** Where leases are written for the guard, and the queue's position there. */
  readonly board: LeaseBoard;
  readonly boardQueue: number;
  /**
   * The queue may have something new to read, or may wait for it: the fetcher should look. `heard`: because Redis has
   * answered.
   */
  readonly changed: (runner: QueueRunner, heard: boolean) => void;
  /** A slot that was promised is free. */
  readonly vacated: (runner: QueueRunner) => void;
  /** One task fewer is active here: it ended, or whatever its handler still does is nobody's business. */
  readonly decided: () => void;
}

/**
 * Runs the tasks of one queue: keeps its slots filled, starts what was delivered, decides what becomes of what ended.
 * While there is work, settling and fetching share one trip; when there is none, the queue is left to the fetcher,
 * which waits for all idle queues at once.
 */
export class QueueRunner implements ExecutionObserver {
  readonly slots: number;
  /** The fetcher waits for this queue: fetching here as well would take entries for slots that are spoken for. */
  awaited = false;
  /** Tasks handed back though their handler had started. */
  released = 0;
  private readonly executor: Executor;
  private readonly settler: Settler<Decision>;
  private readonly deadlines: Deadlines<Execution>;
  /** Handlers that have not ended, whatever became of their tasks: each takes a slot. */
  private readonly running = new Set<Execution>();
  private readonly prefetched: PrefetchedTasks;
  private reserved = 0;
  /** Entries that calls under way may bring. */
  private asked = 0;
  private promised = 0;
  private served = 0;
  /** Of the entries that were delivered, roughly. */
  private meanBytes = UNKNOWN_MEAN_BYTES;
  private fetchable = true;
  private quietened = false;
  private filling = false;

  constructor(
    readonly queue: string,
    private readonly parts: RunnerParts,
  ) {
    const { concurrency, prefetch } = parts.partitions.optionsOf(queue);
    const whole = parts.partitions.queueOf(queue);
    this.slots = concurrency;
    this.prefetched = new PrefetchedTasks({
      clock: parts.clock,
      slots: concurrency,
      most: prefetch,
      leaseMs: parts.options.worker.leaseMs,
      overdue: (deliveries) => this.handBack(deliveries),
    });
    this.deadlines = new Deadlines(parts.clock, (execution) => this.expire(execution));
    this.executor = new Executor(queue, parts, this);
    this.settler = new Settler(queue, parts, {
      want: () => this.want(),
      asked: (count) => (this.asked += count),
      answered: (asked, deliveries) => this.fetched(asked, deliveries),
      settled: ({ row, message, outcome, runMs }) => {
        this.letGo(row);
        announce.outcome(parts.events, whole, message, outcome, runMs);
      },
      buried: ({ row, message, outcome }) => {
        this.letGo(row);
        announce.duplicateId(parts.events, factOf(queue, message), outcome);
      },
      stale: ({ row, message }) => {
        this.letGo(row);
        parts.events.emit('task.stale', { ...factOf(queue, message), what: 'outcome' });
      },
      dropped: ({ row }) => this.letGo(row),
    });
  }

  /**
   * Slots without a handler, less what is on its way. Outcomes that cannot be settled, beyond as many as there are slots,
   * keep theirs: otherwise whatever still brings entries would heap up outcomes for as long as that lasts.
   */
  get room(): number {
    return Math.max(0, this.slots - this.held);
  }

  private get held(): number {
    return this.running.size + this.prefetched.length + this.asked + this.reserved + this.unsettled;
  }

  private get unsettled(): number {
    return Math.max(0, this.settler.overdue - this.slots);
  }

  /** How many entries one call should bring at most, by the size of those that came before. */
  get page(): number {
    return entriesPerPage(this.meanBytes, FETCH_LIMIT);
  }

  /** Of these, the ones that new entries may have. */
  get free(): number {
    return Math.max(0, this.room - this.promised);
  }

  get active(): number {
    return this.running.size;
  }

  /** Handlers that ignored the abort signal past its grace. */
  get stuck(): number {
    let count = 0;
    for (const execution of this.running) if (execution.decided) count += 1;
    return count;
  }

  /** Whether the fetcher should wait for entries of this queue. */
  get waits(): boolean {
    return !this.quietened && !this.fetchable && !this.settler.fetching && this.free > 0;
  }

  /** Whether there are free slots and no call is under way that might fill them. */
  get resting(): boolean {
    return !this.quietened && this.free > 0 && !this.settler.busy;
  }

  /** Whether Redis owes this queue something: entries for its free slots, or an answer to what it was told last. */
  get wanting(): boolean {
    return this.resting || (!this.quietened && this.settler.failing);
  }

  /** Whether a task is running that has outlived two deliveries: only one such may run at a time. */
  get hasSuspect(): boolean {
    for (const execution of this.running) if (crashesOf(execution.delivery) > 2) return true;
    return false;
  }

  /** Entries in our hands, as the heartbeat names them. */
  leases(): Lease[] {
    const leases = [...this.settler.leases(), ...this.prefetched.leases()];
    for (const { delivery } of this.undecided()) leases.push(leaseOf(delivery));
    return leases;
  }

  /** Handlers that run and whose tasks are still ours, as far as is known. */
  *undecided(): Generator<Execution> {
    for (const execution of this.running) if (!execution.decided) yield execution;
  }

  /** Keeps `count` slots free for entries that are about to be delivered; answers how to give them up. */
  reserve(count: number): () => void {
    this.reserved += count;
    return () => {
      this.reserved -= count;
      // Whoever looked meanwhile saw no free slot and went away: look again, when what they are for has been received.
      queueMicrotask(() => this.fill());
      this.settler.pump();
      this.parts.changed(this, false);
    };
  }

  /**
   * Keeps the next `count` slots for tasks of the dead: without that a queue that is never empty would fill every slot
   * before they get one.
   */
  promise(count: number): void {
    this.promised = Math.min(count, this.slots);
  }

  /** Starts what was delivered; what finds no slot, or comes after the end, is handed back at once. */
  receive(deliveries: readonly Delivery[]): void {
    for (const delivery of deliveries) {
      this.prefetched.heard(delivery.era);
      this.meanBytes = meanAfter(this.meanBytes, bytesOf(delivery));
      if (delivery.from !== undefined) announce.reclaimed(this.parts.events, delivery);
      if (!this.quietened && this.mayStart(delivery)) this.executor.run(delivery);
      else if (this.quietened || !this.keep(delivery)) this.handBack([delivery]);
    }
    this.served += deliveries.length;
  }

  /** Looks for more work now. */
  wakeUp(): void {
    if (this.quietened) return;
    this.fetchable = true;
    this.settler.pump();
  }

  /** Another consumer owns the task: whatever its handler does now is stale. */
  loseLease(lease: Lease): void {
    for (const execution of this.running) {
      const { delivery } = execution;
      if (execution.decided || delivery.entryId !== lease.entryId || delivery.lane !== lease.lane) continue;
      execution.decided = true;
      this.letGo(execution.row);
      execution.abort(new LeaseLostError(`task ${execution.message.id} was taken over by another worker`));
      this.parts.events.emit('task.stale', { ...factOf(this.queue, execution.message), what: 'lease' });
      this.parts.decided();
    }
    this.prefetched.forget(lease);
    this.settler.forget(lease);
  }

  /** No more reads. Entries that still arrive are handed back. */
  quiet(): void {
    this.quietened = true;
    this.fetchable = false;
    this.handBack(this.prefetched.takeAll());
  }

  /** Tells every handler that its task is about to be handed back. */
  abortAll(): void {
    for (const execution of this.undecided()) {
      execution.abort(new WorkerShutdownError('the worker is shutting down'));
    }
  }

  /** Hands back whatever has not ended. */
  releaseAll(): void {
    for (const execution of this.undecided()) this.settle(execution, { kind: 'release' });
  }

  /** Resolves when every outcome decided so far is settled or given up. */
  flushed(): Promise<void> {
    return this.settler.flushed();
  }

  /** Ends timers and tries under way. */
  close(): void {
    this.deadlines.clear();
    this.prefetched.close();
    this.settler.close();
  }

  malformed(delivery: Delivery, error: MalformedTaskError, message?: TaskMessage): void {
    this.parts.events.emit('task.malformed', {
      queue: this.queue,
      entryId: delivery.entryId,
      detail: error.message,
    });
    this.settler.add(malformedSettlement(delivery, error, message));
  }

  refused(
    delivery: Delivery,
    message: TaskMessage,
    result: ExecutionResult,
    options: ResolvedTaskOptions,
  ): void {
    const outcome = decide(this.parts, message, result, startsOf(delivery, message), options);
    this.settler.add(settlementOf(delivery, message, outcome, false), {
      message,
      outcome,
      runMs: 0,
      row: -1,
    });
  }

  started(execution: Execution): void {
    this.running.add(execution);
    execution.row = this.hold(execution);
    this.deadlines.set(execution, execution.options.timeoutMs);
    announce.started(this.parts.events, execution, this.parts.broker);
  }

  ended(execution: Execution, result: ExecutionResult): void {
    if (execution.ended) return;
    execution.ended = true;
    this.running.delete(execution);
    this.deadlines.remove(execution);
    const runMs = this.parts.clock.monotonicMs() - execution.startedAt;
    this.prefetched.ran(runMs);
    if (this.promised > 0) this.parts.vacated(this);
    // Its task was settled without it (stuck, lost or handed back): only the slot is news.
    if (execution.decided) this.wakeUp();
    else {
      const { message, starts, options } = execution;
      this.settle(execution, decide(this.parts, message, result, starts, options), runMs);
    }
    this.fill();
  }

  /** Whether there is a slot for it: those that are kept for tasks of the dead are only for these. */
  private mayStart({ from }: Delivery): boolean {
    return this.running.size + (from === undefined ? this.reserved + this.unsettled : 0) < this.slots;
  }

  /** Only what was never delivered before may wait here: a task that has outlived its consumer is run, or left. */
  private keep(delivery: Delivery): boolean {
    return delivery.from === undefined && this.prefetched.add(delivery);
  }

  /** Starts what was leased ahead, as far as there are slots. */
  private fill(): void {
    // A handler that ends at once calls this again from within.
    if (this.filling) return;
    this.filling = true;
    while (this.running.size + this.reserved + this.unsettled < this.slots) {
      const delivery = this.prefetched.next();
      if (delivery === undefined) break;
      this.executor.run(delivery);
    }
    this.filling = false;
  }

  private handBack(deliveries: readonly Delivery[]): void {
    for (const delivery of deliveries)
      this.settler.add({ kind: 'release', lease: leaseOf(delivery), started: false });
  }

  /** Lets the guard renew the lease while this event loop cannot, for as long as the task may run. */
  private hold({ delivery, options, startedAt }: Execution): number {
    const { board, boardQueue } = this.parts;
    const mayRunMs = options.timeoutMs + this.parts.options.worker.abortGraceMs;
    return board.hold(boardQueue, delivery, startedAt + mayRunMs + board.offsetMs);
  }

  private letGo(row: number): void {
    this.parts.board.letGo(row);
  }

  private settle(
    execution: Execution,
    outcome: Outcome,
    runMs = this.parts.clock.monotonicMs() - execution.startedAt,
  ): void {
    execution.decided = true;
    if (outcome.kind === 'release') this.released += 1;
    const { delivery, message, row } = execution;
    this.settler.add(settlementOf(delivery, message, outcome, true), { message, outcome, runMs, row });
    this.parts.decided();
  }

  /**
   * First the signal; if the handler ignores that past its grace, the attempt is over without it. One that was told to
   * stop before, for what is not its fault, has not failed: its task is handed back.
   */
  private expire(execution: Execution): void {
    if (execution.ended || execution.decided) return;
    if (!execution.overdue) {
      execution.overdue = true;
      execution.abort(new TaskTimeoutError(execution.message.type, execution.options.timeoutMs));
      this.deadlines.set(execution, this.parts.options.worker.abortGraceMs);
      return;
    }
    const runMs = this.parts.clock.monotonicMs() - execution.startedAt;
    this.parts.events.emit('task.stuck', { ...factOf(this.queue, execution.message), runMs });
    const result = thrownResult(execution, execution.abortedBy);
    const { message, starts, options } = execution;
    this.settle(execution, decide(this.parts, message, result, starts, options));
  }

  /** How many entries the next settlement should bring along, and of which lanes first. */
  private want() {
    const ahead = this.promised > 0 || this.settler.overdue > 0 ? 0 : this.prefetched.size;
    const room = this.slots + ahead - this.held - this.promised;
    const total = this.quietened || this.awaited ? 0 : Math.max(0, Math.min(room, this.page));
    // What is only to be held ahead can wait for a trip that is made anyway, unless it is much.
    const worth = this.free > 0 || total > ahead / 2;
    return { shares: laneShares(this.served, total), urgent: this.fetchable && total > 0 && worth };
  }

  private fetched(asked: number, deliveries: readonly Delivery[] | undefined): void {
    this.asked -= asked;
    if (deliveries) {
      // Less than asked for: the queue is empty, and waiting is the fetcher's business.
      if (asked > 0) this.fetchable = !this.quietened && deliveries.length === asked;
      this.receive(deliveries);
    }
    this.fill(); // outcomes that kept slots may be settled now
    this.parts.changed(this, deliveries !== undefined);
  }
}
