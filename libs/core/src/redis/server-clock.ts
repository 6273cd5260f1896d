/**
 * What the servers' clocks show, queue by queue: in a Cluster they may be kept by different ones. An answer proves that
 * its time lies between sending and hearing; the clock is corrected by no more than that, so that an answer that was
 * long on its way does not look like a clock that was set.
 */
export class ServerClock {
  /** A server's clock minus this process' steady clock. */
  private readonly offsets = new Map<string, number>();
  private latest: number;

  /** @param offset what is taken for true until something is heard */
  constructor(offset: number) {
    this.latest = offset;
  }

  /** What the clock of the queue's server shows at a moment of the steady one; of the last one heard of when none is named. */
  at(steadyMs: number, queue?: string): number {
    const offset = queue === undefined ? undefined : this.offsets.get(queue);
    return Math.round(steadyMs + (offset ?? this.latest));
  }

  /** A server showed `now`, in whole milliseconds, between two moments of the steady clock. */
  heard(queue: string, now: number, sentAt: number, heardAt: number): void {
    const least = now - heardAt;
    const most = now + 1 - sentAt;
    this.latest = Math.min(most, Math.max(least, this.offsets.get(queue) ?? least));
    this.offsets.set(queue, this.latest);
  }
}
