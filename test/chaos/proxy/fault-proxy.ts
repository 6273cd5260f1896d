import { connect, createServer, type Server, type Socket } from 'node:net';
import type { RedisConnection } from '@taskq/testing';
import type { SeenCommand } from './command.js';
import type { Counters } from './exchange.js';
import { Link } from './link.js';
import { resetSocket } from './reset-socket.js';
import {
  answerEffect,
  type DropReply,
  dropEffect,
  type Fault,
  type LateReply,
  type ReplyWith,
  type RuleHandle,
  Rulebook,
} from './rules.js';
import { Wire, type WireFaultOptions } from './wire.js';

export type { SeenCommand, CommandMatch, CommandPattern } from './command.js';
export type { Counters } from './exchange.js';
export type { DropReply, Fault, LateReply, LinkEnd, ReplyWith, RuleHandle } from './rules.js';
export type { Direction, Directions, WireFaultOptions } from './wire.js';

export interface FaultProxyOptions {
  /** Where jitter comes from: a number from 0 to 1, 1 excluded. */
  random?: () => number;
  /** Names of scripts by their hash, so that rules can say the name. */
  scripts?: ReadonlyMap<string, string>;
}

/** A connection that is open. */
export interface OpenLink {
  readonly id: number;
  /** What its client calls itself; '' as long as it did not say. */
  readonly name: string;
  /** In milliseconds of `performance.now()`. */
  readonly openedAt: number;
}

/** A black hole. */
export interface BlackHole extends Fault {
  /** How many of the connections open at its begin it is about. */
  readonly links: number;
}

/**
 * Stands between clients and one Redis and breaks the wire where a test says. It reads along: it knows each command,
 * its reply and whose they are, so a reply can be lost for certain *after* Redis has applied the command.
 *
 * What clients send is passed on command by command, and replies one by one, each when it is whole. `CLIENT REPLY OFF`
 * and `SKIP` and `MONITOR` are not understood.
 */
export class FaultProxy {
  /** What was counted since the start. */
  readonly counters: Readonly<Counters>;
  /** Where new connections go: set it for a failover, then `resetAll()`. */
  target: RedisConnection;
  private readonly counting: Counters = {
    links: 0,
    requests: 0,
    replies: 0,
    dropped: 0,
    answered: 0,
    resets: 0,
    vanishedBytes: 0,
  };
  private readonly open = new Set<Link>();
  private readonly rules = new Rulebook();
  private readonly wire: Wire;
  private readonly listeners = new Set<(command: SeenCommand) => void>();
  private readonly scriptNames: ReadonlyMap<string, string>;
  private refusing = false;
  private lastId = 0;

  private constructor(
    private readonly listener: Server,
    target: RedisConnection,
    { random, scripts = new Map() }: FaultProxyOptions,
  ) {
    this.counters = this.counting;
    this.target = target;
    this.scriptNames = scripts;
    this.wire = new Wire(random);
    listener.on('connection', (client) => this.accept(client));
  }

  /** A proxy that listens on a free port of the loopback interface. */
  static async start(target: RedisConnection, options: FaultProxyOptions = {}): Promise<FaultProxy> {
    const listener = createServer({ pauseOnConnect: true });
    const proxy = new FaultProxy(listener, target, options);
    await new Promise<void>((resolve) => {
      listener.listen(0, '127.0.0.1', resolve);
    });
    return proxy;
  }

  get port(): number {
    const address = this.listener.address();
    if (address === null || typeof address === 'string') throw new Error('the proxy does not listen');
    return address.port;
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  /** Connections that are open, the oldest first. */
  links(): OpenLink[] {
    return [...this.open]
      .filter((link) => link.open)
      .map(({ id, name, openedAt }) => ({ id, name, openedAt }));
  }

  /** Calls `listener` with each command before anything is done with it; answers how to stop that. */
  onCommand(listener: (command: SeenCommand) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Redis applies the command, but its reply is withheld, and once Redis has given it the connection ends. */
  dropReply(drop: DropReply): RuleHandle {
    return this.rules.add(dropEffect(drop), drop);
  }

  /** The reply arrives `ms` later, and what comes behind it on its connection no sooner. */
  lateReply(late: LateReply): RuleHandle {
    return this.rules.add({ kind: 'late', ms: late.ms }, late);
  }

  /** The command is answered by this instead of by Redis, which never sees it. */
  replyWith(answer: ReplyWith): RuleHandle {
    return this.rules.add(answerEffect(answer), answer);
  }

  /** Everything takes `ms` longer in each direction, plus up to `jitterMs` by chance; the order is kept. */
  latency(ms: number, options: WireFaultOptions & { jitterMs?: number } = {}): Fault {
    return this.wire.addLatency(ms, options);
  }

  /** Bytes trickle: so many at a time, then a pause; after fewer a pause that much shorter. */
  slice(bytes: number, pauseMs: number, options: WireFaultOptions = {}): Fault {
    return this.wire.addSlicing({ bytes, pauseMs }, options);
  }

  /** No more bytes than that in a second, in each direction of each connection. */
  bandwidth(bytesPerSecond: number, options: WireFaultOptions = {}): Fault {
    const pauseMs = Math.max(10, Math.ceil(1000 / bytesPerSecond));
    return this.slice(Math.max(1, Math.floor((bytesPerSecond * pauseMs) / 1000)), pauseMs, options);
  }

  /**
   * Half-open: bytes vanish, and so does the end of a connection, but sockets stay open and the kernel goes on
   * answering keepalive. `openOnly`: only the connections that are open now; else new ones, too, which with a `link`
   * work until they have told their name. When it is removed, connections that lost something are reset.
   */
  blackHole(options: WireFaultOptions & { openOnly?: boolean } = {}): BlackHole {
    const { link: name, openOnly = false } = options;
    const now = new Set([...this.open].filter((link) => link.open && (!name || link.name === name)));
    const hole = this.wire.addHole(options, openOnly ? now : undefined);
    return {
      links: now.size,
      remove: () => {
        hole.remove();
        for (const link of this.open) link.resetIfDamaged();
      },
    };
  }

  /** From now on nothing gets through, the end of a connection neither, until `thaw()`; nothing is lost. */
  freeze(): void {
    this.wire.frozen = true;
  }

  /** Everything flows again. */
  thaw(): void {
    this.wire.frozen = false;
    for (const link of this.open) link.resume();
  }

  /** Resets every connection and lets nobody in until `heal()`. */
  cut(): void {
    this.refusing = true;
    this.resetAll();
  }

  /** Resets every connection, or those of a name; new ones are welcome. Answers how many they were. */
  resetAll(name?: string): number {
    const links = [...this.open].filter((link) => name === undefined || link.name === name);
    const open = links.filter((link) => link.open).length;
    for (const link of links) link.reset();
    return open;
  }

  /**
   * All faults are gone, and what was held up arrives. Connections that lost something are reset, since what is left
   * on them would be misread.
   */
  heal(): void {
    this.refusing = false;
    this.rules.clear();
    this.wire.clear();
    for (const link of this.open) link.heal();
  }

  /** Ends every connection and listens no more. */
  async close(): Promise<void> {
    this.rules.clear();
    this.cut();
    await new Promise<void>((resolve) => {
      this.listener.close(() => resolve());
    });
  }

  private accept(client: Socket): void {
    if (this.refusing) {
      resetSocket(client);
      return;
    }
    this.counting.links += 1;
    this.lastId += 1;
    const server = connect(this.target);
    this.open.add(
      new Link(this.lastId, client, server, {
        rules: this.rules,
        wire: this.wire,
        counters: this.counting,
        scriptNames: this.scriptNames,
        heard: (command) => {
          for (const listener of this.listeners) listener(command);
        },
        gone: (link) => this.open.delete(link),
      }),
    );
  }
}
