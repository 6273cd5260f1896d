import { Redis, type RedisOptions as ClientOptions } from 'ioredis';
import { BrokerError, RedisUnusableError } from '../contract/errors.js';
import type { ResolvedRedisOptions } from '../policy/engine-options.js';
import { sleep } from '../runtime/clock.js';
import { toBrokerError } from './redis-errors.js';

/** What a link is for; each is a connection of its own, so that none waits behind another. */
export type LinkRole = 'commands' | 'blocking' | 'maintenance';

/** How long a socket may take to say goodbye before it is destroyed: a dead one never does. */
const DISCONNECT_TIMEOUT_MS = 100;

/** Longest pause between two tries to reconnect. */
export const LONGEST_RECONNECT_MS = 1000;

/** How long upkeep waits for its link before it gives this pass up. */
const READY_TIMEOUT_MS = 1000;

/**
 * The links of one process: one for commands, one that blocks on reads, one for upkeep (leases, sweeps, promotion),
 * so that a heartbeat never queues behind a blocked read or a large group. Links are opened on first use and each
 * reconnects by itself; nothing that was under way is sent twice by it.
 */
export class RedisLinks {
  private readonly links = new Map<LinkRole, Redis>();
  /** Roles whose link was ready before. */
  private readonly opened = new Set<LinkRole>();
  private readonly reconnectListeners = new Set<(role: LinkRole) => void>();
  private closed = false;

  constructor(
    private readonly options: ResolvedRedisOptions,
    private readonly random: () => number,
  ) {}

  /** Host and port, or path: what may be shown of the target. Never user, password or query. */
  get target(): string {
    const { path, host, port } = endpoint(this.options);
    return path ?? `${host}:${port}`;
  }

  /** The link of a role, opened when it was not yet. @throws BrokerError `CLOSED` after `close` */
  get(role: LinkRole): Redis {
    let link = this.links.get(role);
    if (!link) {
      if (this.closed) throw new BrokerError('CLOSED', 'the broker is closed');
      link = this.create(role);
      this.links.set(role, link);
      if (role !== 'commands') void link.connect().catch(() => undefined); // it goes on trying by itself
    }
    return link;
  }

  /**
   * Opens the command link, trying until `connectTimeoutMs` is over.
   * @throws RedisUnusableError naming the target and the last reason
   */
  async connect(): Promise<void> {
    const link = this.get('commands');
    let reason: unknown;
    const remember = (error: unknown): void => {
      // That the connection is closed in the end says less than why it was never made.
      if (codeOf(error) !== undefined || codeOf(reason) === undefined) reason = error;
    };
    link.on('error', remember);
    const giveUp = new AbortController();
    const timeout = setTimeout(() => giveUp.abort(), this.options.connectTimeoutMs);
    try {
      if (link.status === 'wait') void link.connect().catch(remember);
      while (!isReady(link)) {
        if (giveUp.signal.aborted || isHopeless(reason)) throw this.unreachable(reason);
        await sleep(10, giveUp.signal);
      }
    } finally {
      clearTimeout(timeout);
      link.off('error', remember);
    }
  }

  /**
   * The link of a role once it can be written to. Only a link that is just being opened, or that reads, is waited
   * for. Whoever enqueues decides for how long to go on trying; and upkeep that was decided on before the link broke
   * must be decided on anew, since by then every lease may seem to have expired.
   * @throws BrokerError `UNAVAILABLE` when the link is not there, or not within a second
   */
  async ready(role: LinkRole): Promise<Redis> {
    const link = this.get(role);
    if (role === 'commands' || isReady(link)) return link;
    if (role === 'blocking' || !this.opened.has(role)) await becomesReady(link);
    if (!isReady(link)) throw new BrokerError('UNAVAILABLE', 'Redis is not connected', { retryable: true });
    return link;
  }

  /** Calls `listener` whenever a link is back after it was lost, before anything is sent on it; answers how to stop that. */
  onReconnect(listener: (role: LinkRole) => void): () => void {
    this.reconnectListeners.add(listener);
    return () => this.reconnectListeners.delete(listener);
  }

  /** Gives a link a new socket: the one it has is thought dead, though it may not know. */
  rebuild(link: Redis): void {
    if (!this.closed && isReady(link)) link.disconnect(true);
  }

  /** Closes every link at once, and resolves when all are closed. */
  async close(): Promise<void> {
    this.closed = true;
    await Promise.all([...this.links.values()].map(closeLink));
  }

  private create(role: LinkRole): Redis {
    const link = new Redis(this.clientOptions(role));
    link.on('error', () => undefined); // each call reports its own failure; without a listener ioredis prints
    link.on('ready', () => {
      if (this.opened.has(role)) for (const listener of this.reconnectListeners) listener(role);
      this.opened.add(role);
    });
    return link;
  }

  private clientOptions(role: LinkRole): ClientOptions {
    const { username, password, db, tls, connectTimeoutMs, commandTimeoutMs } = this.options;
    const at = endpoint(this.options);
    return {
      ...(at.path ? { path: at.path } : { host: at.host, port: at.port }),
      username: username ?? at.username,
      password: password ?? at.password,
      db: db ?? at.db ?? 0,
      ...(at.secure || tls ? { tls: tls ?? {} } : {}),
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
      // After a failover the old primary answers READONLY: connect anew, and let the caller repeat the command.
      reconnectOnError: (error) => (error.message.startsWith('READONLY') ? 1 : false),
    };
  }

  /** Full jitter up to a second, so that a fleet does not come back as one. */
  private reconnectDelay(attempt: number): number {
    return Math.round(20 + Math.min(LONGEST_RECONNECT_MS, 50 * 2 ** Math.min(attempt, 10)) * this.random());
  }

  private unreachable(reason: unknown): RedisUnusableError {
    const why = reason === undefined ? 'no answer' : toBrokerError(reason).message;
    return new RedisUnusableError(
      `cannot reach Redis at ${this.target} within ${this.options.connectTimeoutMs} ms: ${causeOf(reason) ?? why}`,
      { fix: 'start a Redis there, or set redis.url (REDIS_URL) or redis.addr (REDIS_ADDR)' },
    );
  }
}

/** Resolves when the link is ready, or when that takes too long. */
function becomesReady(link: Redis): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      link.off('ready', done);
      clearTimeout(timeout);
      resolve();
    };
    const timeout = setTimeout(done, READY_TIMEOUT_MS);
    link.once('ready', done);
  });
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

interface Endpoint {
  readonly path?: string;
  readonly host: string;
  readonly port: number;
  readonly username?: string;
  readonly password?: string;
  readonly db?: number;
  readonly secure: boolean;
}

/** Where the options point to. */
function endpoint(options: ResolvedRedisOptions): Endpoint {
  if (options.url !== undefined && !options.url.startsWith('/')) return fromUrl(options.url);
  const addr = options.url ?? options.addr;
  if (addr.startsWith('/')) return { path: addr, host: '', port: 0, secure: false };
  const match = /^(?:\[([^\]]+)\]|([^:]*))(?::(\d+))?$/.exec(addr);
  return {
    host: match?.[1] ?? match?.[2] ?? addr,
    port: Number(match?.[3] ?? 6379),
    secure: false,
  };
}

function fromUrl(text: string): Endpoint {
  const url = new URL(text);
  const db = url.pathname.slice(1);
  return {
    host: url.hostname.replace(/^\[|\]$/g, '') || '127.0.0.1',
    port: Number(url.port || 6379),
    ...(url.username && { username: decodeURIComponent(url.username) }),
    ...(url.password && { password: decodeURIComponent(url.password) }),
    ...(/^\d+$/.test(db) && { db: Number(db) }),
    secure: url.protocol === 'rediss:',
  };
}

/** Whether waiting longer cannot help: the credentials are wrong. */
function isHopeless(reason: unknown): boolean {
  return reason instanceof Error && /^(WRONGPASS|NOAUTH|NOPERM|ERR AUTH|ERR invalid DB)/.test(reason.message);
}

/** ioredis wraps refused connections to several addresses in one error with an empty message. */
function causeOf(reason: unknown): string | undefined {
  const message = reason instanceof Error ? reason.message : '';
  if (/^(WRONGPASS|NOAUTH|NOPERM|ERR)/.test(message)) return message;
  return codeOf(reason) ?? (message || undefined);
}

/** The socket's own word for what went wrong: ECONNREFUSED, ENOTFOUND … */
function codeOf(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | undefined)?.code;
  return typeof code === 'string' ? code : undefined;
}
