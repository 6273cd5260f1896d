import { newClientName, SeenCommand } from './command.js';
import { Outstanding } from './outstanding.js';
import { commandWords, FrameCutter } from './resp.js';
import type { Rule, Rulebook } from './rules.js';

/** What was counted since the proxy was started. */
export interface Counters {
  /** Connections that were let in. */
  links: number;
  /** Commands that clients sent. */
  requests: number;
  /** Replies that Redis sent, announcements not counted. */
  replies: number;
  /** Replies that a rule dropped, and commands that one lost. */
  dropped: number;
  /** Replies of rules instead of Redis. */
  answered: number;
  /** Connections that were reset by order. */
  resets: number;
  /** Bytes that vanished in black holes and on hanging links. */
  vanishedBytes: number;
}

/** What the exchanges of a proxy share. */
export interface Surroundings {
  readonly rules: Rulebook;
  readonly counters: Counters;
  readonly scriptNames: ReadonlyMap<string, string>;
  /** Is told of every command before anything is done with it. */
  heard(command: SeenCommand): void;
}

/** Where what is passed on goes. */
export interface Outlets {
  toServer(bytes: Buffer): void;
  toClient(bytes: Buffer, lateMs: number): void;
  /** Ends the connection behind what was sent to the client before. */
  end(how: 'reset' | 'close'): void;
}

/** A command without a reply, and the rules that are to befall it. */
interface Request {
  readonly command: SeenCommand;
  readonly claims: readonly Rule[];
}

/** What is said on one connection: commands, their replies, and which rules befall them. */
export class Exchange {
  /** What the client calls itself. */
  name = '';
  /** A reply was dropped and every later one is, too. */
  hung = false;
  /** Nothing more is passed on. */
  over = false;
  /** A command was lost: those behind it are, too, until the connection is reset. */
  private deaf = false;
  /** What passes is not RESP, so it only passes. */
  private opaque = false;
  private readonly requests = new FrameCutter('commands');
  private readonly replies = new FrameCutter('replies');
  private readonly outstanding = new Outstanding<Request>();

  constructor(
    private readonly connection: number,
    private readonly around: Surroundings,
    private readonly outlets: Outlets,
  ) {}

  /** Whether a client that went on would misread what it gets. */
  get broken(): boolean {
    return this.hung || this.deaf;
  }

  /** Nothing more is passed on. */
  end(): void {
    this.over = true;
    this.letGo();
  }

  /** Rules do not befall what will never be answered: they are free for others. */
  letGo(): void {
    for (const rule of this.outstanding.abandon().flatMap(({ claims }) => claims)) {
      if (rule.effect.kind !== 'lose') rule.release();
    }
  }

  takeRequests(bytes: Buffer): void {
    if (this.over) return;
    if (this.opaque) {
      this.outlets.toServer(bytes);
      return;
    }
    for (const frame of this.requests.push(bytes)) this.takeRequest(frame);
    if (this.requests.broken) this.becomeOpaque();
  }

  takeReplies(bytes: Buffer): void {
    if (this.over) return;
    if (this.opaque && !this.hung) {
      this.outlets.toClient(bytes, 0);
      return;
    }
    for (const frame of this.replies.push(bytes)) this.takeReply(frame);
    if (this.replies.broken) this.becomeOpaque();
  }

  private takeRequest(frame: Buffer): void {
    if (this.over) return;
    const words = commandWords(frame);
    if (words.length === 0) this.outlets.toServer(frame);
    else this.takeCommand(frame, words);
  }

  private takeCommand(frame: Buffer, words: readonly Buffer[]): void {
    const { counters, rules, scriptNames } = this.around;
    this.name = newClientName(words) ?? this.name;
    const command = new SeenCommand(frame, words, this.name, this.connection, scriptNames);
    counters.requests += 1;
    this.around.heard(command);
    if (this.over || this.deaf) return; // whoever heard it may have ended all
    const request = { command, claims: this.hung ? [] : rules.claim(command) };
    if (!this.hung) this.outstanding.add(request);
    if (isForwarded(request)) this.outlets.toServer(frame);
    else this.keepFromServer(request);
  }

  private keepFromServer({ command, claims: [rule] }: Request): void {
    if (rule!.effect.kind === 'lose') {
      this.deaf = true;
      this.around.counters.dropped += 1;
      rule!.hit(command);
    }
    this.answerByRule();
  }

  private takeReply(frame: Buffer): void {
    if (this.over) return;
    if (this.hung) {
      this.around.counters.vanishedBytes += frame.length;
      return;
    }
    const request = this.outstanding.answeredBy(frame);
    if (request) this.handOver(request, frame);
    else this.outlets.toClient(frame, 0);
    this.answerByRule();
  }

  /** Lets the rules befall a reply of Redis. */
  private handOver({ command, claims: claimed }: Request, reply: Buffer): void {
    const { counters, rules } = this.around;
    counters.replies += 1;
    const inForce = claimed.filter((rule) => !rule.removed);
    const claims = [...inForce, ...rules.claimByReply(command, reply)];
    const drop = claims.find(({ effect }) => effect.kind === 'drop');
    let lateMs = 0;
    for (const rule of claims) {
      if (drop && rule !== drop) rule.release();
      else rule.hit(command);
      if (rule.effect.kind === 'late') lateMs += rule.effect.ms;
    }
    if (drop?.effect.kind === 'drop') this.drop(drop.effect.end);
    else this.outlets.toClient(reply, lateMs);
  }

  private drop(end: 'reset' | 'close' | 'hang'): void {
    this.around.counters.dropped += 1;
    if (end === 'hang') this.hung = true;
    else this.outlets.end(end);
    this.letGo();
  }

  /** Answers the requests that Redis will not, as far as it is their turn. */
  private answerByRule(): void {
    for (;;) {
      const { first } = this.outstanding;
      if (!first || isForwarded(first)) return;
      this.outstanding.takeFirst();
      const [rule] = first.claims;
      if (rule!.effect.kind === 'answer') {
        this.around.counters.answered += 1;
        rule!.hit(first.command);
        this.outlets.toClient(rule!.effect.reply, 0);
      } else {
        this.outlets.end('reset');
      }
    }
  }

  private becomeOpaque(): void {
    this.opaque = true;
    this.letGo();
    this.outlets.toServer(this.requests.rest());
    this.outlets.toClient(this.replies.rest(), 0);
  }
}

/** Whether Redis gets to see it. */
function isForwarded({ claims }: Request): boolean {
  const kind = claims[0]?.effect.kind;
  return kind !== 'lose' && kind !== 'answer';
}
