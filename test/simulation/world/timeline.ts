/** Something that happens at a time. */
interface Event {
  readonly at: number;
  /** Events of the same time come in the order in which they were planned. */
  readonly order: number;
  readonly run: () => void;
}

/**
 * The one time of a simulation, and everything that is to happen in it. It stands still while anything can run that
 * waits for no time, so a whole run is a function of what was planned and of nothing else.
 */
export class Timeline {
  /** Milliseconds since the simulation began. */
  now = 0;
  /** Events that have happened. */
  steps = 0;
  private readonly heap: Event[] = [];
  private planned = 0;

  /** Plans something for a time; one in the past means now. */
  at(ms: number, run: () => void): void {
    this.planned += 1;
    this.push({ at: Math.max(ms, this.now), order: this.planned, run });
  }

  after(ms: number, run: () => void): void {
    this.at(this.now + ms, run);
  }

  /**
   * Lets everything happen until there is nothing more or `done` says so, which is asked after each event and
   * whatever follows from it at once. Rejects with what an event or `done` throws.
   */
  run(done: () => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      const step = (): void => {
        try {
          if (done()) return resolve();
          const event = this.pop();
          if (event === undefined) return resolve();
          this.now = event.at;
          this.steps += 1;
          event.run();
          // Promise reactions and ticks of this event come before.
          setImmediate(step);
        } catch (error) {
          reject(error instanceof Error ? error : new Error(String(error)));
        }
      };
      setImmediate(step);
    });
  }

  private push(event: Event): void {
    const { heap } = this;
    let at = heap.push(event) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isBefore(event, heap[parent]!)) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = event;
  }

  private pop(): Event | undefined {
    const { heap } = this;
    const first = heap[0];
    const last = heap.pop();
    if (first === undefined || last === undefined || heap.length === 0) return first;
    let at = 0;
    for (let child = 1; child < heap.length; child = 2 * at + 1) {
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child += 1;
      if (!isBefore(heap[child]!, last)) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = last;
    return first;
  }
}

function isBefore(a: Event, b: Event): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}
