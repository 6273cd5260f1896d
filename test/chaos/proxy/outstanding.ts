import type { SeenCommand } from './command.js';
import { firstWord } from './resp.js';

const PUSH = 0x3e;
const ARRAY = 0x2a;

const SUBSCRIPTIONS = new Set([
  'SUBSCRIBE',
  'PSUBSCRIBE',
  'SSUBSCRIBE',
  'UNSUBSCRIBE',
  'PUNSUBSCRIBE',
  'SUNSUBSCRIBE',
]);
const MESSAGES = new Set(['message', 'pmessage', 'smessage']);

/** Something that waits for the reply to this command. */
interface Waiting {
  readonly command: SeenCommand;
}

/**
 * Requests of one connection that have no reply yet. Redis answers in order, so a reply belongs to the first of them;
 * but messages and other announcements belong to none, and a subscription is confirmed channel by channel.
 */
export class Outstanding<Request extends Waiting> {
  private readonly queue: Request[] = [];
  /** Confirmations that the first request has had. */
  private confirmed = 0;
  private subscriber = false;

  add(request: Request): void {
    this.queue.push(request);
    this.subscriber ||= SUBSCRIPTIONS.has(request.command.command);
  }

  /** The request that would be answered next. */
  get first(): Request | undefined {
    return this.queue[0];
  }

  /** The request that this reply answers; undefined when it answers none, or does so only in part. */
  answeredBy(reply: Buffer): Request | undefined {
    if (reply[0] === PUSH || (this.subscriber && reply[0] === ARRAY)) {
      const word = firstWord(reply);
      if (this.isSubscription(word)) return this.confirm();
      if (reply[0] === PUSH || MESSAGES.has(word)) return undefined;
    }
    return this.takeFirst();
  }

  takeFirst(): Request | undefined {
    this.confirmed = 0;
    return this.queue.shift();
  }

  /** All of them, none of which will be answered any more. */
  abandon(): Request[] {
    return this.queue.splice(0);
  }

  /** Whether this is how the first request is confirmed; every kind of subscription has its own word. */
  private isSubscription(word: string): boolean {
    return SUBSCRIPTIONS.has(word.toUpperCase()) && word.toUpperCase() === this.first?.command.command;
  }

  private confirm(): Request | undefined {
    this.confirmed += 1;
    // Without channels it ends all of them, nobody knows how many: the first confirmation counts.
    return this.confirmed >= this.first!.command.args.length ? this.takeFirst() : undefined;
  }
}
