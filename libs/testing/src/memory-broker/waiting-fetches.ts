import type { Clock, FetchAnswer, FetchRequest } from '@taskq/core';

const NOTHING: FetchAnswer = { deliveries: [], woken: [] };

/** A fetch that waits. */
export class WaitingFetch {
  /** Settles once. */
  readonly answer: Promise<FetchAnswer>;
  private resolve!: (answer: FetchAnswer) => void;
  private reject!: (error: Error) => void;

  constructor(
    readonly request: FetchRequest,
    /** Called when it has ended. */
    private readonly leave: () => void,
  ) {
    this.answer = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
  }

  /** Ends it with an answer, or with nothing. */
  end(answer = NOTHING): void {
    this.leave();
    this.resolve(answer);
  }

  /** Ends it with an error. */
  fail(error: Error): void {
    this.leave();
    this.reject(error);
  }
}

/** Fetches that wait, in the order in which they began: who came first is served first. */
export class WaitingFetches {
  private readonly byQueue = new Map<string, Set<WaitingFetch>>();

  constructor(
    private readonly clock: Clock,
    /** Leases what is there now; nothing when there is nothing. */
    private readonly read: (request: FetchRequest) => FetchAnswer | undefined,
  ) {}

  /** What is there now, or a fetch that waits for it for `blockMs`. */
  fetch(request: FetchRequest): FetchAnswer | WaitingFetch {
    return this.read(request) ?? (request.blockMs > 0 ? this.wait(request) : NOTHING);
  }

  /** Something was added to a queue: gives it to whoever has waited longest. */
  serve(queue: string): void {
    const waiting = this.byQueue.get(queue);
    if (waiting === undefined || waiting.size === 0) return;
    for (const fetch of waiting) {
      const answer = this.read(fetch.request);
      if (answer === undefined) return;
      fetch.end(answer);
    }
  }

  /** Ends those that wait for a queue, or all, with an error. */
  fail(error: () => Error, queue?: string): void {
    const concerned = queue === undefined ? [...this.byQueue.values()] : [this.of(queue)];
    for (const waiting of concerned) for (const fetch of waiting) fetch.fail(error());
  }

  private wait(request: FetchRequest): WaitingFetch {
    const cancel = this.clock.after(request.blockMs, () => fetch.end());
    const fetch = new WaitingFetch(request, () => {
      cancel();
      for (const queue of request.queues) this.byQueue.get(queue)?.delete(fetch);
    });
    for (const queue of request.queues) this.of(queue).add(fetch);
    return fetch;
  }

  private of(queue: string): Set<WaitingFetch> {
    let waiting = this.byQueue.get(queue);
    if (waiting === undefined) {
      waiting = new Set();
      this.byQueue.set(queue, waiting);
    }
    return waiting;
  }
}
