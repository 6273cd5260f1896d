import { Redis, type RedisOptions as ClientOptions } from 'ioredis';
import { BrokerError, RedisUnusableError } from '../contract/errors.js';
import type { ResolvedRedisOptions } from '../policy/redis-options.js';
import { Absence } from './absence.js';
import { describeEndpoint, type Endpoint } from './endpoint.js';
import { guardHandshake } from './handshake.js';
import type { ArrivalListener, LinkRole, Links, ReconnectListener } from './links.js';
import { ServerIdentity } from './server-identity.js';
import { watched } from './watchdog.js';
import { type Unreachable, WhyNot } from './why-not.js';

/** How long a socket may take to say goodbye before it is destroyed: a dead one never does. */
const DISCONNECT_TIMEOUT_MS = 100;

/** Longest pause between two tries to reconnect. */
const LONGEST_RECONNECT_MS = 1000;

/** How long upkeep waits for its link before it gives this pass up. */
const READY_TIMEOUT_MS = 1000;

/** How long an idle link may take to say that it is alive, once another to the same server was not. */
const ALIVE_MS = 1000;

/** Longest pause between two looks whether a server that loads its data has done so. */
const LOADING_LOOK_MS = 500;

/** What a link tells of its state, and of what went wrong on the way; the second comes of asking a Sentinel. */
const NEWS = ['error', 'sentinelError', 'ready', 'close', 'end'] as const;

/** Errors of a server that is a replica by now: its clients belong to whoever is the primary. */
const DEMOTED = /^(READONLY|MASTERDOWN)\b/;

const START_REDIS = 'start a Redis there, or set redis.url (REDIS_URL) or redis.addr (REDIS_ADDR)';
const START_SENTINELS =
  'start the Sentinels and what they watch, or set redis.sentinels and redis.sentinelName';

/** Whether an error of ioredis says that a command was sent and not answered. */
const UNANSWERED = /^(Command timed out|Reached the max retries|Connection is closed)/;

/** What the links of one server are made of. */
export interface NodeLinksParts {
  readonly options: ResolvedRedisOptions;
  readonly endpoint: Endpoint;
  /** Uniform in [0, 1). */
  readonly random: () => number;
}

/**
 * The links to one server, or to the primary that Sentinels name. Each is opened on first use and reconnects by
 * itself; nothing that was under way is sent twice by it.
 */
export class NodeLinks implements Links {
  readonly several = false;
  /** By role, and for blocking reads also by part. */
  private readonly links = new Map<string, Redis>();
  /** Names of links that were ready before. */
  private readonly opened = new Set<string>();
  private readonly reconnectListeners = new Set<ReconnectListener>();
  private readonly arrivalListeners = new Set<ArrivalListener>();
  private readonly absence: Absence;
  /** Of the link for commands. */
  private whyNot: WhyNot | undefined;
  private readonly identity = new ServerIdentity();
  private readonly reviving = new Set<NodeJS.Timeout>();
  /** Those who wait for a link: told when there is nothing to wait for any more. */
  private readonly waiting = new Set<() => void>();
  private closed = false;

  constructor(private readonly parts: NodeLinksParts) {
    this.absence = new Absence(parts.options.commandTimeoutMs);
  }

  get target(): string {
    return describeEndpoint(this.parts.endpoint);
  }

  /** The link for commands, whatever its state. @throws BrokerError `CLOSED` when there never was one, after `close` */
  get commands(): Redis {
    return this.get('commands', 'commands');
  }

  /** The host that was asked for; '' where there is none. */
  get host(): string {
    return this.parts.endpoint.host ?? '';
  }

  /** When this server answered last, in milliseconds of the steady clock. */
  get lastHeardAt(): number {
    return this.absence.lastHeardAt;
  }

  /** For how long the link that was away longest has been without its server; 0 when all have theirs. */
  get awayMs(): number {
    return Math.max(0, ...[...this.links.values()].map((link) => this.absence.awayMs(link)));
  }

  async connect(): Promise<void> {
    const { connectTimeoutMs } = this.parts.options;
    const failure = await this.open(connectTimeoutMs);
    if (!failure) return;
    const { why, hopeless, fix = this.parts.endpoint.sentinels ? START_SENTINELS : START_REDIS } = failure;
    const refusal = hopeless
      ? `Redis at ${this.target} refuses the connection: ${why}`
      : `cannot reach Redis at ${this.target} within ${connectTimeoutMs} ms: ${why}`;
    throw new RedisUnusableError(refusal, { fix });
  }

  /**
   * Opens the link for commands; answers what is wrong if it cannot be. `once`: it goes on trying, but is waited for
   * only until it has failed.
   */
  async open(limitMs: number, { once = false } = {}): Promise<Unreachable | undefined> {
    const link = this.commands;
    if (link.status === 'wait') void link.connect().catch(() => undefined);
    await this.news(link, limitMs, ({ known, hopeless }) => hopeless || (once && known));
    return isReady(link) ? undefined : this.whyNot!.told;
  }

  servers(): readonly Redis[] {
    return [this.commands];
  }

  /**
   * Only a link that is just being opened, or that reads, is waited for. Whoever enqueues decides for how long to go
   * on trying; and upkeep that was decided on before the link broke must be decided on anew, since by then every
   * lease may seem to have expired.
   */
  async ready(role: LinkRole, _queue = '', part = ''): Promise<Redis> {
    if (this.closed) throw new BrokerError('CLOSED', 'the broker is closed');
    const name = nameOf(role, part);
    const link = this.get(role, name);
    if (role === 'commands' || isReady(link)) return link;
    if (role === 'blocking' || !this.opened.has(name)) await this.news(link, READY_TIMEOUT_MS);
    if (!isReady(link)) throw new BrokerError('UNAVAILABLE', 'Redis is not connected', { retryable: true });
    return link;
  }

  async dropPart(part: string): Promise<void> {
    const name = nameOf('blocking', part);
    const link = this.links.get(name);
    this.links.delete(name);
    this.opened.delete(name);
    if (link) await closeLink(link);
  }

  /** One server reads everything together. */
  together(queues: readonly string[]): Promise<readonly (readonly string[])[]> {
    return Promise.resolve([queues]);
  }

  heard(link: Redis): void {
    this.absence.heard(link);
  }

  met(link: Redis, error: Error): void {
    // A server that is a replica by now is left by the client itself (reconnectOnError).
    if (UNANSWERED.test(error.message)) this.absence.unanswered(link);
  }

  onReconnect(listener: ReconnectListener): () => void {
    this.reconnectListeners.add(listener);
    return () => this.reconnectListeners.delete(listener);
  }

  onArrival(listener: ArrivalListener): () => void {
    this.arrivalListeners.add(listener);
    return () => this.arrivalListeners.delete(listener);
  }

  rebuild(link: Redis): void {
    if (this.closed || !isReady(link) || !this.keeps(link)) return;
    link.disconnect(true);
    for (const other of this.links.values()) if (isReady(other)) this.probe(other);
  }

  /**
   * What has cut one link off without a word may have cut off all of them. One that is idle would be found out by the
   * first call that needs it, and only when that has waited in vain; one that waits for an answer is judged by that.
   */
  private probe(link: Redis): void {
    if (link.commandQueue.length > 0) return;
    watched(link.ping(), ALIVE_MS, () => this.rebuild(link)).then(
      () => this.heard(link),
      () => undefined, // whatever it is, the next call meets it, too
    );
  }

  async close(): Promise<void> {
    this.closed = true;
    for (const timer of this.reviving) clearTimeout(timer);
    for (const look of this.waiting) look();
    await Promise.all([...this.links.values()].map(closeLink));
  }

  private get(role: LinkRole, name: string): Redis {
    let link = this.links.get(name);
    if (!link) {
      if (this.closed) throw new BrokerError('CLOSED', 'the broker is closed');
      link = this.create(role, name);
      this.links.set(name, link);
      if (role !== 'commands') void link.connect().catch(() => undefined); // it goes on trying by itself
    }
    return link;
  }

  private create(role: LinkRole, name: string): Redis {
    const link = new Redis(this.clientOptions(role));
    if (role === 'commands') this.whyNot = new WhyNot(link, this.parts.endpoint);
    link.setMaxListeners(0); // as many wait for it as there are queues
    link.on('error', () => undefined); // each call reports its own failure; without a listener ioredis prints
    link.on('ready', () => this.arrived(role, name, link));
    link.on('close', () => this.opened.has(name) && this.absence.closed(link));
    link.on('end', () => this.revive(name, link));
    this.identity.listen(link);
    guardHandshake(link);
    return link;
  }

  private arrived(role: LinkRole, name: string, link: Redis): void {
    const { silentMs, awayMs } = this.absence.over(link);
    // Whatever was seen or renewed before may be unknown there, however short the way was.
    const elsewhere = this.identity.isOther(link);
    if (this.opened.has(name)) {
      for (const listener of this.reconnectListeners)
        listener(role, elsewhere ? Number.POSITIVE_INFINITY : silentMs, awayMs);
    }
    this.opened.add(name);
    if (role === 'commands') for (const listener of this.arrivalListeners) listener(link);
  }

  /**
   * Waits until the link is ready, is none of ours any more, or what is known of it is `enough`: looks whenever it has
   * news. For at most `limitMs`.
   */
  private news(
    link: Redis,
    limitMs: number,
    enough: (whyNot: WhyNot) => boolean = () => false,
  ): Promise<void> {
    const over = (): boolean => this.closed || isReady(link) || !this.keeps(link) || enough(this.whyNot!);
    if (over()) return Promise.resolve();
    return new Promise((resolve) => {
      const stop = (): void => {
        clearTimeout(timeout);
        for (const event of NEWS) link.off(event, look);
        this.waiting.delete(look);
        resolve();
      };
      const look = (): void => (over() ? stop() : undefined);
      const timeout = setTimeout(stop, limitMs);
      for (const event of NEWS) link.on(event, look);
      this.waiting.add(look);
    });
  }

  private keeps(link: Redis): boolean {
    return [...this.links.values()].includes(link);
  }

  /**
   * A client that was told to let go of its socket while it asked a Sentinel gives up for ever: it is told so when a
   * failover ends, which is when it asks.
   */
  private revive(name: string, link: Redis): void {
    if (this.closed || this.links.get(name) !== link) return;
    const timer = setTimeout(() => {
      this.reviving.delete(timer);
      void link.connect().catch(() => undefined);
    }, this.reconnectDelay(1));
    this.reviving.add(timer);
  }

  private clientOptions(role: LinkRole): ClientOptions {
    const { connectTimeoutMs, commandTimeoutMs } = this.parts.options;
    return {
      ...this.parts.endpoint,
      lazyConnect: true,
      connectTimeout: connectTimeoutMs,
      connectionName: `taskq:${role}`,
      replyMapping: 'legacy',
      // A command whose reply is lost fails at once instead of being sent again or hanging; ids make repeats safe.
      autoResendUnfulfilledCommands: false,
      maxRetriesPerRequest: 0,
      enableOfflineQueue: false,
      // How long a link is judged dead after is ours to say (see RedisBroker); then its socket goes at once.
      disconnectTimeout: DISCONNECT_TIMEOUT_MS,
      ...(role !== 'blocking' && { commandTimeout: commandTimeoutMs }),
      retryStrategy: (attempt) => (this.closed ? null : this.reconnectDelay(attempt)),
      sentinelRetryStrategy: (attempt) => (this.closed ? null : this.reconnectDelay(attempt)),
      sentinelCommandTimeout: commandTimeoutMs,
      maxLoadingRetryTime: LOADING_LOOK_MS,
      // Without it a client goes on writing to the old primary for seconds after a failover.
      failoverDetector: true,
      // After a failover the old primary answers so: connect anew, and let the caller repeat the command.
      reconnectOnError: (error) => (DEMOTED.test(error.message) ? 1 : false),
    };
  }

  /** Full jitter up to a second, so that a fleet does not come back as one. */
  private reconnectDelay(attempt: number): number {
    const longest = Math.min(LONGEST_RECONNECT_MS, 50 * 2 ** Math.min(attempt, 10));
    return Math.round(20 + longest * this.parts.random());
  }
}

function nameOf(role: LinkRole, part: string): string {
  return part === '' ? role : `${role} ${part}`;
}

/** A link without a connection says no goodbye, so only one that has one is waited for. */
function closeLink(link: Redis): Promise<void> {
  return new Promise((resolve) => {
    if (isReady(link)) link.once('close', () => resolve());
    else resolve();
    link.disconnect();
  });
}

function isReady(link: Redis): boolean {
  return link.status === 'ready';
}
