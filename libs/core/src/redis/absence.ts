import type { Redis } from 'ioredis';
import { monotonicMs } from '../runtime/clock.js';

/**
 * Knows for how long the server behind some links did not answer. Two lengths, since an idle link hears nothing either:
 * how long ago the last answer came on any link, and since when a link is known to be without its server, which begins
 * when it closed or when the first command was sent that nobody answered.
 */
export class Absence {
  private heardAt = monotonicMs();
  private readonly since = new WeakMap<Redis, number>();

  /** @param longestWaitMs after which a command that is not answered fails */
  constructor(private readonly longestWaitMs: number) {}

  /** When the last answer came, in milliseconds of the steady clock. */
  get lastHeardAt(): number {
    return this.heardAt;
  }

  heard(link: Redis): void {
    this.heardAt = monotonicMs();
    this.since.delete(link);
  }

  /** A command was sent and nobody answered it: at its earliest it left after the last answer. */
  unanswered(link: Redis): void {
    this.goneSince(link, Math.max(this.heardAt, monotonicMs() - this.longestWaitMs));
  }

  closed(link: Redis): void {
    this.goneSince(link, monotonicMs());
  }

  /** How long the link has been without its server so far; 0 when it is not. */
  awayMs(link: Redis): number {
    const since = this.since.get(link);
    return since === undefined ? 0 : monotonicMs() - since;
  }

  /** The link is back. */
  over(link: Redis): { readonly silentMs: number; readonly awayMs: number } {
    const awayMs = this.awayMs(link);
    this.since.delete(link);
    return { silentMs: monotonicMs() - this.heardAt, awayMs };
  }

  private goneSince(link: Redis, since: number): void {
    this.since.set(link, Math.min(since, this.since.get(link) ?? since));
  }
}
