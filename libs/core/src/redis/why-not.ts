import type { Redis } from 'ioredis';
import type { Endpoint } from './endpoint.js';
import { toBrokerError } from './redis-errors.js';

/** Why a server could not be reached. */
export interface Unreachable {
  readonly why: string;
  /** Waiting longer cannot help: the credentials are wrong. */
  readonly hopeless: boolean;
}

/** What a link says of why it is not made; the second comes of asking a Sentinel. */
const EVENTS = ['error', 'sentinelError'] as const;

/** What ioredis says when it has asked all Sentinels. */
const NO_SENTINEL = /All sentinels are unreachable(?:.*Last error: (.*))?/;

/** Listens why a link is not made. */
export class WhyNot {
  private reason: unknown;

  constructor(
    link: Redis,
    private readonly endpoint: Endpoint,
  ) {
    for (const event of EVENTS) link.on(event, (error: unknown) => this.remember(error));
    link.on('ready', () => (this.reason = undefined));
  }

  /** Something has gone wrong since it was made last. */
  get known(): boolean {
    return this.reason !== undefined;
  }

  /** Waiting longer cannot help: the credentials are wrong. */
  get hopeless(): boolean {
    return /^(WRONGPASS|NOAUTH|NOPERM|ERR AUTH|ERR invalid DB)/.test(messageOf(this.reason));
  }

  get told(): Unreachable {
    return { why: this.words(), hopeless: this.hopeless };
  }

  private remember(error: unknown): void {
    // That the connection is closed in the end says less than why it was never made; and that no Sentinel is left to
    // ask says less than what one has answered.
    const vague = codeOf(error) === undefined && codeOf(this.reason) !== undefined;
    if (!vague && !(isUnknownName(this.reason) && NO_SENTINEL.test(messageOf(error)))) this.reason = error;
  }

  private words(): string {
    const message = messageOf(this.reason);
    if (this.reason === undefined) return 'no answer';
    if (/^(WRONGPASS|NOAUTH|NOPERM|ERR)/.test(message)) return message;
    if (isUnknownName(this.reason))
      return `the Sentinels know no primary by the name "${this.endpoint.name}"`;
    const asked = NO_SENTINEL.exec(message);
    if (asked) return noSentinel(asked[1]);
    // ioredis wraps refused connections to several addresses in one error with an empty message.
    return codeOf(this.reason) ?? (message || toBrokerError(this.reason).message);
  }
}

/** Why none of the Sentinels said where the primary is, by the last one's words. */
function noSentinel(last = ''): string {
  if (last === '' || last.startsWith('Connection is closed')) return 'no Sentinel answers';
  return `no Sentinel says where it is: ${last}`;
}

function isUnknownName(reason: unknown): boolean {
  return /invalid reply: null$|No such master with that name/.test(messageOf(reason));
}

function messageOf(reason: unknown): string {
  return reason instanceof Error ? reason.message : '';
}

/** The socket's own word for what went wrong: ECONNREFUSED, ENOTFOUND … */
function codeOf(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | undefined)?.code;
  return typeof code === 'string' ? code : undefined;
}
