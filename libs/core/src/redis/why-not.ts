import type { Redis } from 'ioredis';
import type { Endpoint } from './endpoint.js';
import { toBrokerError } from './redis-errors.js';

/** Why a server could not be reached. */
export interface Unreachable {
  readonly why: string;
  /** Waiting longer cannot help: credentials or options are wrong. */
  readonly hopeless: boolean;
  /** What to do about it, where that is known. */
  readonly fix?: string | undefined;
}

/** Answers to the first commands on a link after which no other try can do better, and what to do about each. */
const HOPELESS: readonly (readonly [RegExp, string])[] = [
  [/^(WRONGPASS|NOAUTH|ERR AUTH)/, 'check redis.username and redis.password'],
  [/^NOPERM/, 'give the Redis user the permissions that taskq needs'],
  [/^ERR (DB index|invalid DB)/, 'set redis.db, or the number in redis.url, to a database that it has'],
  [
    /^ERR SELECT is not allowed/,
    'it is a node of a Cluster: set redis.cluster to some of the nodes, in place of redis.url, redis.addr and redis.db',
  ],
];

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

  /** Waiting longer cannot help: credentials or options are wrong. */
  get hopeless(): boolean {
    return this.fix !== undefined;
  }

  get told(): Unreachable {
    return { why: this.words(), hopeless: this.hopeless, fix: this.fix };
  }

  private get fix(): string | undefined {
    return HOPELESS.find(([answer]) => answer.test(messageOf(this.reason)))?.[1];
  }

  private remember(error: unknown): void {
    // That the connection is closed in the end says less than why it was never made; and that no Sentinel is left to
    // ask says less than what one has answered.
    const vague = !saysWhy(error) && saysWhy(this.reason);
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

/** Whether it comes from the other end, or from the socket, rather than from the client that has lost both. */
function saysWhy(error: unknown): boolean {
  return codeOf(error) !== undefined || (error as Error | undefined)?.name === 'ReplyError';
}

/** The socket's own word for what went wrong: ECONNREFUSED, ENOTFOUND … */
function codeOf(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | undefined)?.code;
  return typeof code === 'string' ? code : undefined;
}
