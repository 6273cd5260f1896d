import type { Redis } from 'ioredis';
import { monotonicMs } from '../runtime/clock.js';
import type { ServerFacts } from './server-check.js';

/** For how long a server is believed what it said of its settings and replicas. */
const BELIEVED_MS = 2000;

/** When it is asked anew while it is still believed: whoever comes again and again never waits for the answer. */
const ASK_AGAIN_MS = 1000;

/**
 * What servers say of themselves, asked for where it is needed and never older than {@link BELIEVED_MS}: people change
 * settings, and replicas go, without a connection being lost.
 */
export class BelievedFacts {
  private readonly last = new WeakMap<Redis, { readonly facts: ServerFacts; readonly askedAt: number }>();
  private readonly asking = new WeakMap<Redis, Promise<ServerFacts>>();

  constructor(
    private readonly ask: (link: Redis) => Promise<ServerFacts>,
    private readonly now: () => number = monotonicMs,
  ) {}

  /** What the server says, or has just said. */
  async of(link: Redis): Promise<ServerFacts> {
    const last = this.last.get(link);
    const ageMs = last ? this.now() - last.askedAt : Number.POSITIVE_INFINITY;
    if (last && ageMs < ASK_AGAIN_MS) return last.facts;
    const answer = this.anew(link);
    if (!last || ageMs >= BELIEVED_MS) return answer;
    answer.catch(() => undefined); // who comes when it is believed no more asks, and hears of it
    return last.facts;
  }

  /** What the server says now. */
  anew(link: Redis): Promise<ServerFacts> {
    const underWay = this.asking.get(link);
    if (underWay) return underWay;
    const askedAt = this.now();
    const asking: Promise<ServerFacts> = this.ask(link)
      .then((facts) => {
        // Unless it was forgotten meanwhile: then it is another server's answer.
        if (this.asking.get(link) === asking) this.last.set(link, { facts, askedAt });
        return facts;
      })
      .finally(() => {
        if (this.asking.get(link) === asking) this.asking.delete(link);
      });
    this.asking.set(link, asking);
    return asking;
  }

  /** It may be another server by now, or what it said has turned out not to be so. */
  forget(link: Redis): void {
    this.last.delete(link);
    this.asking.delete(link);
  }
}
