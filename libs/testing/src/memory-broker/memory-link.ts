import type { Broker, Clock, FetchAnswer } from '@taskq/core';
import { closed, linkLost, notConnected } from './faults.js';
import type { WaitingFetch } from './waiting-fetches.js';

/** Links that a process has to its Redis. */
const LINKS = ['commands', 'blocking', 'maintenance'] as const;

type ReconnectListener = Parameters<Broker['onReconnect']>[0];

/** How a process is connected to its store: whether it is, since when it heard nothing, and which fetches wait. */
export class MemoryLink {
  private state: 'up' | 'down' | 'closed' = 'up';
  private readonly listeners = new Set<ReconnectListener>();
  private readonly fetches = new Map<string, Set<WaitingFetch>>();
  /** When the store last answered, by the clock of the process. */
  private heardAt: number;
  private lostAt = 0;

  constructor(private readonly clock: Clock) {
    this.heardAt = clock.monotonicMs();
  }

  /** For every call: it is answered at once, or not at all. @throws BrokerError `UNAVAILABLE` or `CLOSED` */
  demand(): void {
    if (this.state === 'closed') throw closed();
    if (this.state === 'down') throw notConnected();
    this.heardAt = this.clock.monotonicMs();
  }

  /** The answer of a fetch that waits. @throws BrokerTimeoutError `LINK` when the link is lost meanwhile */
  async waited(fetch: WaitingFetch): Promise<FetchAnswer> {
    const { part = '' } = fetch.request;
    const ofPart = this.fetches.get(part) ?? new Set();
    this.fetches.set(part, ofPart.add(fetch));
    try {
      const answer = await fetch.answer;
      this.heardAt = this.clock.monotonicMs();
      return answer;
    } finally {
      ofPart.delete(fetch);
    }
  }

  /** Ends the fetch of a part that waits. */
  interrupt(part: string): void {
    for (const fetch of this.fetches.get(part) ?? []) fetch.end();
  }

  /** Nobody will fetch this part any more. */
  end(part: string): void {
    for (const fetch of this.fetches.get(part) ?? []) fetch.fail(linkLost());
    this.fetches.delete(part);
  }

  onReconnect(listener: ReconnectListener): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Loses the links, unless they are closed. */
  lose(): void {
    if (this.state === 'up') {
      this.state = 'down';
      this.lostAt = this.clock.monotonicMs();
    }
    this.failFetches();
  }

  /** Gets the links back; answers whether they had been lost. */
  regain(elsewhere: boolean): boolean {
    if (this.state !== 'down') return false;
    this.state = 'up';
    const now = this.clock.monotonicMs();
    const silentMs = elsewhere ? Number.POSITIVE_INFINITY : now - this.heardAt;
    const awayMs = now - this.lostAt;
    for (const link of LINKS) for (const listener of this.listeners) listener(link, silentMs, awayMs);
    return true;
  }

  close(): void {
    this.state = 'closed';
    this.failFetches();
  }

  private failFetches(): void {
    for (const ofPart of this.fetches.values()) for (const fetch of ofPart) fetch.fail(linkLost());
  }
}
