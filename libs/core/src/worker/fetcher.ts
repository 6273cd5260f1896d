import type { WakeReason } from '../broker/broker.js';
import { BrokerError } from '../contract/errors.js';
import { LANES } from '../contract/lane.js';
import { type CancelTimer, sleep } from '../runtime/clock.js';
import type { Service } from '../runtime/service.js';
import type { QueueRunner } from './queue-runner.js';
import type { ConsumerParts } from './worker-parts.js';

/** First and longest pause after a read that failed. */
const RETRY_PAUSE_MS = { first: 50, longest: 1000 };

/** How often a read under way is told to end, until it has: the first word may come before it waits. */
const INTERRUPT_EVERY_MS = 20;

interface FetcherParts extends ConsumerParts {
  /** Names this reader to the broker. */
  readonly part: string;
  /** A queue was woken: look at what is due or was handed back. */
  readonly woken: (queue: string, entryId: string, why: WakeReason) => void;
}

/**
 * Waits for entries of all idle queues of its part in one blocking read; nearly everywhere there is one part. It is the
 * only thing that blocks, and only while a queue has free slots and is known to be empty; whatever it brings makes the
 * queue's runner go on by itself.
 */
export class Fetcher implements Service {
  private loop: Promise<void> | undefined;
  private running = false;
  /** Cuts the pause between two words short. */
  private interrupting: AbortController | undefined;
  private reading: ReadonlySet<QueueRunner> | undefined;
  private wake: (() => void) | undefined;
  private cancelLook: CancelTimer | undefined;
  /** When Redis answered last, or when there was last nothing that it could have answered. */
  private progressAt: number;
  private wanted = false;

  constructor(
    private readonly runners: readonly QueueRunner[],
    private readonly parts: FetcherParts,
  ) {
    this.progressAt = parts.clock.monotonicMs();
  }

  /**
   * Milliseconds for which Redis has answered nothing though something was wanted of it, however often it was asked: more
   * than a few blocking reads' worth means that this worker is stalled, whatever it thinks of itself.
   */
  get silentMs(): number {
    const stalled = this.running && this.wanted && this.wants;
    return stalled ? this.parts.clock.monotonicMs() - this.progressAt : 0;
  }

  start(): void {
    if (this.running) return;
    this.running = true;
    this.lookLater();
    this.loop = this.run();
  }

  /** Ends the read under way; what it still brings is handed to the runners, which know what to do. */
  async stop(): Promise<void> {
    this.running = false;
    this.cancelLook?.();
    this.wake?.();
    await Promise.all([this.loop, this.interrupt()]);
    await this.parts.broker.endFetch(this.parts.part);
  }

  /** A queue had an answer (`heard`), or may have begun or ceased to wait. */
  changed(runner: QueueRunner, heard: boolean): void {
    this.note(heard);
    if (!this.reading) this.wake?.();
    else if (runner.waits !== this.reading.has(runner)) void this.interrupt();
  }

  /**
   * Ends the read under way if it should wait for other queues than it does, or for none. The word is repeated, since
   * the first may come before Redis has begun to wait; and the next read may be outdated just as soon.
   */
  private async interrupt(): Promise<void> {
    if (this.interrupting) {
      this.interrupting.abort();
      return;
    }
    while (this.reading && this.isOutdated(this.reading)) {
      this.interrupting = new AbortController();
      await this.parts.broker.interruptFetch(this.parts.part).catch(() => undefined);
      await sleep(this.parts.clock, INTERRUPT_EVERY_MS, this.interrupting.signal);
    }
    this.interrupting = undefined;
  }

  private get wants(): boolean {
    return this.reading !== undefined || this.runners.some((runner) => runner.wanting);
  }

  /** Time without an answer counts from the moment from which one is wanted. */
  private note(heard: boolean): void {
    if (heard || !this.wanted) this.progressAt = this.parts.clock.monotonicMs();
    this.wanted = this.wants;
  }

  private isOutdated(reading: ReadonlySet<QueueRunner>): boolean {
    return !this.running || this.runners.some((runner) => runner.waits !== reading.has(runner));
  }

  private async run(): Promise<void> {
    let pause = RETRY_PAUSE_MS.first;
    while (this.running) {
      const waiting = this.runners.filter((runner) => runner.waits);
      if (waiting.length === 0) {
        await new Promise<void>((resolve) => (this.wake = resolve));
        this.wake = undefined;
        continue;
      }
      try {
        await this.read(waiting);
        this.rouse();
        pause = RETRY_PAUSE_MS.first;
      } catch (error) {
        await this.recover(waiting, error, pause);
        pause = Math.min(pause * 2, RETRY_PAUSE_MS.longest);
      }
    }
  }

  /**
   * Has those look for work that have free slots, no call under way and no read that waits for them: they were told to
   * while a read did, or nobody knew that a slot is free.
   */
  private rouse(): void {
    for (const runner of this.runners) if (runner.resting && !runner.waits) runner.wakeUp();
  }

  /** Looks now and then whether a queue was forgotten: whatever nobody has said is found in the time of a read. */
  private lookLater(): void {
    const { clock, options } = this.parts;
    this.cancelLook = clock.after(options.worker.blockMs, () => {
      this.lookLater();
      this.rouse();
      if (!this.reading) this.wake?.();
    });
  }

  private async read(waiting: readonly QueueRunner[]): Promise<void> {
    this.note(false);
    this.reading = new Set(waiting);
    this.wanted = true;
    for (const runner of waiting) runner.awaited = true;
    try {
      const { broker, consumer, options, part } = this.parts;
      const { blockMs } = options.worker;
      // Redis counts per stream: a share of the free slots for each lane.
      const wanted = Math.min(...waiting.map((runner) => Math.min(runner.free, runner.page)));
      const count = Math.max(1, Math.floor(wanted / LANES.length));
      const queues = waiting.map((runner) => runner.queue);
      const answer = await broker.fetch({ consumer, part, blockMs, count: Math.min(count, 100), queues });
      this.note(true);
      this.release(waiting);
      for (const runner of waiting) {
        const deliveries = answer.deliveries.filter((delivery) => delivery.queue === runner.queue);
        if (deliveries.length === 0) continue;
        runner.receive(deliveries);
        runner.wakeUp();
      }
      for (const { queue, entryId, why } of answer.woken) this.parts.woken(queue, entryId, why);
    } finally {
      this.release(waiting);
    }
  }

  private release(waiting: readonly QueueRunner[]): void {
    this.reading = undefined;
    this.interrupting?.abort(); // there is nothing left to interrupt
    for (const runner of waiting) runner.awaited = false;
  }

  private async recover(waiting: readonly QueueRunner[], error: unknown, pause: number): Promise<void> {
    const { logger, clock, random } = this.parts;
    const first = pause === RETRY_PAUSE_MS.first;
    // What cannot be mended, or was in vain, is a failure like any other: asked again without a pause it has no end.
    if (isMendable(error) && (await this.mend(waiting)) && first) return;
    logger.warn(`reading failed, trying again: ${error instanceof Error ? error.message : String(error)}`);
    const over = new AbortController();
    this.wake = () => over.abort();
    await sleep(clock, pause * (0.5 + random()), over.signal);
    this.wake = undefined;
  }

  /** Makes what is missing. Answers whether nothing is any more. */
  private async mend(waiting: readonly QueueRunner[]): Promise<boolean> {
    const { broker, events } = this.parts;
    const made = await Promise.all(
      waiting.map(({ queue }) => broker.ensureQueue(queue).catch((): undefined => undefined)),
    );
    made.forEach((anew, i) => anew && events.emit('queue.recreated', { queue: waiting[i]!.queue }));
    return !made.includes(undefined);
  }
}

/** A group is missing, or a key or the server's role has changed under a read that waited. */
function isMendable(error: unknown): boolean {
  return error instanceof BrokerError && (error.reason === 'NOGROUP' || error.reason === 'UNBLOCKED');
}
