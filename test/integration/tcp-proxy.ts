import { createServer, connect, type Server, type Socket } from 'node:net';
import type { RedisConnection } from '@taskq/testing';

/** One connection through the proxy. */
class Link {
  /** Bytes of the server are thrown away instead of passed on. */
  mute = false;
  /** The next bytes of the server are thrown away, then the connection is reset. */
  dropNext = false;
  /** What the client calls it: `taskq:blocking`. */
  name = '';

  constructor(
    readonly client: Socket,
    readonly server: Socket,
  ) {}

  /** Ends both sides at once, the client's by RST. */
  reset(): void {
    this.client.resetAndDestroy();
    this.server.destroy();
  }
}

/** Stands between a client and Redis and breaks the wire where a test says. */
export class TcpProxy {
  /** Replies that were lost by order. */
  dropped = 0;
  private readonly links = new Set<Link>();
  private requestText: string | undefined;
  private replyText: string | undefined;
  private muted = false;
  private refusing = false;

  private constructor(
    private readonly listener: Server,
    private readonly target: RedisConnection,
  ) {
    listener.on('connection', (client) => this.accept(client));
  }

  static async start(target: RedisConnection): Promise<TcpProxy> {
    const listener = createServer();
    const proxy = new TcpProxy(listener, target);
    await new Promise<void>((resolve) => {
      listener.listen(0, '127.0.0.1', resolve);
    });
    return proxy;
  }

  get url(): string {
    const address = this.listener.address();
    if (address === null || typeof address === 'string') throw new Error('the proxy does not listen');
    return `redis://127.0.0.1:${address.port}`;
  }

  /** The next request that holds `text` reaches Redis; its reply is lost and the connection is reset. */
  dropReplyTo(text: string): void {
    this.requestText = text;
  }

  /** The next reply that holds `text` is lost and its connection is reset. */
  dropReplyWith(text: string): void {
    this.replyText = text;
  }

  /** Requests still arrive, no reply ever comes back: a wire that is dead in one direction. New ones are, too. */
  mute(): void {
    this.muted = true;
    for (const link of this.links) link.mute = true;
  }

  /** Mutes the connections of one name that are open now; new ones work. Answers how many they were. */
  muteOpen(name: string): number {
    const links = [...this.links].filter((link) => link.name === name);
    for (const link of links) link.mute = true;
    return links.length;
  }

  /** Resets every connection and lets nobody in. */
  cut(): void {
    this.refusing = true;
    this.resetAll();
  }

  /** Resets every connection; new ones are welcome. */
  resetAll(): void {
    for (const link of this.links) link.reset();
    this.links.clear();
  }

  /** Works again. Connections that lost replies are reset, since what is left on them would be misread. */
  heal(): void {
    this.muted = false;
    this.refusing = false;
    for (const link of this.links) if (link.mute) link.reset();
  }

  async close(): Promise<void> {
    this.cut();
    await new Promise<void>((resolve) => {
      this.listener.close(() => resolve());
    });
  }

  private accept(client: Socket): void {
    if (this.refusing) {
      client.resetAndDestroy();
      return;
    }
    const server = 'path' in this.target ? connect(this.target.path) : connect(this.target);
    const link = new Link(client, server);
    link.mute = this.muted;
    this.links.add(link);
    client.on('data', (bytes) => this.request(link, bytes));
    server.on('data', (bytes) => this.reply(link, bytes));
    for (const [side, other] of [
      [client, server],
      [server, client],
    ] as const) {
      side.on('error', () => undefined);
      side.on('close', () => {
        other.destroy();
        this.links.delete(link);
      });
    }
  }

  private request(link: Link, bytes: Buffer): void {
    link.name ||= /taskq:\w+/.exec(bytes.toString('latin1'))?.[0] ?? '';
    if (this.requestText !== undefined && bytes.includes(this.requestText)) {
      this.requestText = undefined;
      link.dropNext = true;
    }
    link.server.write(bytes);
  }

  private reply(link: Link, bytes: Buffer): void {
    if (link.mute) return;
    if (this.replyText !== undefined && bytes.includes(this.replyText)) {
      this.replyText = undefined;
      link.dropNext = true;
    }
    if (link.dropNext) {
      this.dropped += 1;
      link.reset();
    } else {
      link.client.write(bytes);
    }
  }
}
