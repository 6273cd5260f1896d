import { type CommandMatch, matches, type SeenCommand } from './command.js';
import { errorReply } from './resp.js';

/** Something that is broken until it is taken away. */
export interface Fault {
  remove(): void;
}

/** A fault that befalls single commands. */
export interface RuleHandle extends Fault {
  /** How often it has happened. */
  readonly count: number;
  /** The first command that it happened to. Rejects when the rule is removed before. */
  readonly happened: Promise<SeenCommand>;
  /** Resolves when it has happened `times` times. Rejects when the rule is removed before. */
  readonly done: Promise<void>;
}

/** Which commands a rule befalls. */
export interface Hits {
  /** Default: every command, those of the handshake included. */
  match?: CommandMatch;
  /** The first one of those that match to be befallen, counted from when the rule is made. Default 1. */
  nth?: number;
  /** How many, from the `nth` on. Default 1; `Infinity` until the rule is removed. */
  times?: number;
}

/** Hits, which may be told by the reply, too. */
export interface ReplyHits extends Hits {
  /**
   * Only replies that hold this text, or of which this is true. Then replies are counted instead of commands, and
   * also those to commands that were under way when the rule was made: a read that blocks.
   */
  reply?: string | ((reply: Buffer) => boolean);
}

/** What becomes of the connection after a reply was lost. */
export type LinkEnd = 'reset' | 'hang' | 'close';

export interface DropReply extends ReplyHits {
  /** `'reset'` (default), `'close'` in good order, or `'hang'`: open, but every later reply is withheld, too. */
  end?: LinkEnd;
  /** The command is lost instead and Redis never sees it; the link is reset once all before it are answered. */
  beforeApply?: boolean;
}

export interface LateReply extends ReplyHits {
  ms: number;
}

export interface ReplyWith extends Hits {
  /** Code and text: `LOADING Redis is loading the dataset in memory`. */
  error?: string;
  /** Any other reply, as bytes of RESP: `$-1\r\n`. */
  raw?: string | Buffer;
}

/** What a rule does. */
export type Effect =
  | { readonly kind: 'drop'; readonly end: LinkEnd }
  | { readonly kind: 'late'; readonly ms: number }
  | { readonly kind: 'lose' }
  | { readonly kind: 'answer'; readonly reply: Buffer };

/** What {@link DropReply} does. */
export function dropEffect({ end = 'reset', beforeApply = false }: DropReply): Effect {
  return beforeApply ? { kind: 'lose' } : { kind: 'drop', end };
}

/** What {@link ReplyWith} does. */
export function answerEffect({ error, raw }: ReplyWith): Effect {
  if (error !== undefined) return { kind: 'answer', reply: errorReply(error) };
  if (raw === undefined) throw new Error('replyWith needs an error or raw bytes');
  return { kind: 'answer', reply: Buffer.from(raw) };
}

/** One rule: claims the commands it is to befall, and counts those that it did. */
export class Rule implements RuleHandle {
  count = 0;
  /** It befalls nothing any more. */
  removed = false;
  readonly happened: Promise<SeenCommand>;
  readonly done: Promise<void>;
  private resolveHappened!: (command: SeenCommand) => void;
  private resolveDone!: () => void;
  private rejectAll: ((reason: Error) => void)[] = [];
  private seen = 0;
  /** Commands that it befell or is to befall. */
  private claimed = 0;
  private readonly nth: number;
  private readonly times: number;

  constructor(
    readonly effect: Effect,
    private readonly hits: ReplyHits,
    private readonly onOver: (rule: Rule) => void,
  ) {
    this.nth = hits.nth ?? 1;
    this.times = hits.times ?? 1;
    this.happened = this.promised((resolve) => (this.resolveHappened = resolve));
    this.done = this.promised((resolve) => (this.resolveDone = resolve));
  }

  /** Whether it is told by replies which commands it befalls. */
  get byReply(): boolean {
    return this.hits.reply !== undefined;
  }

  /** Whether it is to befall this command, which must then be `hit` or `release`d. */
  claims(command: SeenCommand, reply?: Buffer): boolean {
    if (!matches(this.hits.match ?? {}, command) || !this.isAbout(reply)) return false;
    this.seen += 1;
    if (this.seen < this.nth || this.claimed >= this.times) return false;
    this.claimed += 1;
    return true;
  }

  hit(command: SeenCommand): void {
    this.count += 1;
    this.resolveHappened(command);
    if (this.count < this.times) return;
    this.resolveDone();
    this.remove();
  }

  /** What it was to befall got away: the next one that matches takes its place. */
  release(): void {
    this.claimed -= 1;
  }

  remove(): void {
    this.removed = true;
    for (const reject of this.rejectAll) reject(new Error(`the rule was removed after ${this.count} times`));
    this.onOver(this);
  }

  private isAbout(reply: Buffer | undefined): boolean {
    const { reply: wanted } = this.hits;
    if (wanted === undefined || reply === undefined) return wanted === undefined;
    return typeof wanted === 'string' ? reply.includes(wanted) : wanted(reply);
  }

  private promised<T>(take: (resolve: (value: T) => void) => void): Promise<T> {
    const promise = new Promise<T>((resolve, reject) => {
      take(resolve);
      this.rejectAll.push(reject);
    });
    promise.catch(() => undefined); // nobody has to wait for it
    return promise;
  }
}

/** All rules in force, in the order they were made. */
export class Rulebook {
  private rules: Rule[] = [];

  add(effect: Effect, hits: ReplyHits): RuleHandle {
    const rule = new Rule(effect, hits, (over) => {
      this.rules = this.rules.filter((other) => other !== over);
    });
    this.rules.push(rule);
    return rule;
  }

  /** The rules that are to befall a command; just one when that keeps the command from Redis. */
  claim(command: SeenCommand): Rule[] {
    const claims = this.rules.filter((rule) => !rule.byReply && rule.claims(command));
    const decisive = claims.find(({ effect }) => effect.kind === 'lose' || effect.kind === 'answer');
    if (!decisive) return claims;
    for (const rule of claims) if (rule !== decisive) rule.release();
    return [decisive];
  }

  /** The rules that are to befall a command for what its reply is. */
  claimByReply(command: SeenCommand, reply: Buffer): Rule[] {
    return this.rules.filter((rule) => rule.byReply && rule.claims(command, reply));
  }

  clear(): void {
    for (const rule of this.rules) rule.remove();
  }
}
