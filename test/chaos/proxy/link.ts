import type { Socket } from 'node:net';
import { Exchange, type Outlets, type Surroundings } from './exchange.js';
import { type Conditions, Pipe } from './pipe.js';
import { resetSocket } from './reset-socket.js';
import type { Direction, Wire, Wired } from './wire.js';

/** What a link knows of its proxy. */
export interface LinkSurroundings extends Surroundings {
  readonly wire: Wire;
  /** Is told when both sides are gone. */
  gone(link: Link): void;
}

/** One connection through the proxy: a socket on each side and what flows between them. */
export class Link implements Wired {
  readonly openedAt = performance.now();
  private readonly exchange: Exchange;
  private readonly toServer: Pipe;
  private readonly toClient: Pipe;
  /** A black hole took something: whoever reads on would misread it. */
  private damaged = false;

  constructor(
    readonly id: number,
    private readonly client: Socket,
    private readonly server: Socket,
    private readonly around: LinkSurroundings,
  ) {
    this.toServer = new Pipe(server, this.conditions('toServer'), () => this.flow());
    this.toClient = new Pipe(client, this.conditions('toClient'), () => this.flow());
    this.exchange = new Exchange(id, around, this.outlets());
    this.connect();
    this.flow();
  }

  /** What its client calls itself; '' as long as it did not say. */
  get name(): string {
    return this.exchange.name;
  }

  /** Whether its client still holds it. */
  get open(): boolean {
    return !this.client.destroyed && !this.exchange.over;
  }

  /** Ends both sides at once, the client's by RST. */
  reset(): void {
    this.exchange.end();
    if (!this.client.destroyed) {
      this.around.counters.resets += 1;
      resetSocket(this.client);
    }
    this.server.destroy();
  }

  /** Resets it if a black hole took something. */
  resetIfDamaged(): void {
    if (this.damaged) this.reset();
  }

  /** Sends on what the wire allows by now. */
  resume(): void {
    this.toServer.pump();
    this.toClient.pump();
  }

  /** Sends on everything at once; but when something was lost, it is reset. */
  heal(): void {
    if (this.exchange.broken || this.damaged) this.reset();
    this.toServer.expedite();
    this.toClient.expedite();
  }

  private connect(): void {
    const { client, server, exchange } = this;
    for (const socket of [client, server]) {
      socket.setNoDelay(true);
      socket.on('error', () => undefined); // 'close' follows
      socket.on('close', () => this.sideClosed());
    }
    client.on('data', (bytes) => this.together(server, () => exchange.takeRequests(bytes)));
    server.on('data', (bytes) => this.together(client, () => exchange.takeReplies(bytes)));
    // An end travels behind the bytes before it, and gets lost as they do.
    client.on('close', () => this.toServer.finish(() => server.destroySoon()));
    server.on('close', (failed) => {
      if (exchange.hung) return;
      this.toClient.finish(() => (failed ? resetSocket(client) : client.destroySoon()));
    });
  }

  /** What `take` writes to a socket leaves in one go. */
  private together(to: Socket, take: () => void): void {
    to.cork();
    take();
    to.uncork();
    this.flow();
  }

  /**
   * Reads a side unless the other does not keep up. On a frozen wire, too: a socket that is not read forgets what came
   * before a reset, and would lose it; what was read waits in its pipe.
   */
  private flow(): void {
    for (const [source, pipe] of [
      [this.client, this.toServer],
      [this.server, this.toClient],
    ] as const) {
      if (pipe.full) source.pause();
      else source.resume();
    }
  }

  private sideClosed(): void {
    this.exchange.letGo(); // nobody is left to hear, or nobody to answer
    if (!this.client.destroyed || !this.server.destroyed) return;
    this.toServer.stop();
    this.toClient.stop();
    this.around.gone(this);
  }

  private outlets(): Outlets {
    return {
      toServer: (bytes) => this.toServer.send(bytes),
      toClient: (bytes, lateMs) => this.toClient.send(bytes, lateMs),
      end: (how) => this.endBehindReplies(how),
    };
  }

  /** Ends it once the replies that are on their way have arrived. */
  private endBehindReplies(how: 'reset' | 'close'): void {
    this.exchange.end();
    this.toClient.finish(() => {
      if (how === 'reset') this.reset();
      else this.client.destroySoon();
      this.server.destroy();
    });
  }

  private conditions(direction: Direction): Conditions {
    const { wire, counters } = this.around;
    return {
      frozen: () => wire.frozen,
      latencyMs: () => wire.latencyMs(this, direction),
      slicing: () => wire.slicing(this, direction),
      swallows: () => wire.swallows(this, direction),
      lost: (bytes) => {
        this.damaged = true;
        counters.vanishedBytes += bytes;
      },
    };
  }
}
