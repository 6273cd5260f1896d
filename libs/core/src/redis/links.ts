import type { Redis } from 'ioredis';

/**
 * What a link is for; each is a connection of its own, so that none waits behind another: calls · reads that block ·
 * upkeep (leases, sweeps, promotion) · waits for disks and replicas.
 */
export type LinkRole = 'commands' | 'blocking' | 'maintenance' | 'durability';

/**
 * Told that a link is back; for how long nothing was heard of its server on any link, in milliseconds: infinity when it
 * is another server; and for how long the link is known to have been without its server: an idle link hears nothing,
 * and is not away.
 */
export type ReconnectListener = (role: LinkRole, silentMs: number, awayMs: number) => void;

/** Told of a link for commands that has reached a server: the first time, and whenever it was made anew. */
export type ArrivalListener = (link: Redis) => void;

/** The connections of one process to wherever its queues are kept. */
export interface Links {
  /** What may be shown of the target: never user, password or query. */
  readonly target: string;

  /** Whether there are several servers: then a queue that is said to have moved is found where it is. */
  readonly several: boolean;

  /**
   * Opens the first connections, trying until `connectTimeoutMs` is over.
   * @throws RedisUnusableError naming the target and the last reason
   */
  connect(): Promise<void>;

  /** Links for commands to every server that may hold queues now; each is ready. */
  servers(): readonly Redis[];

  /**
   * The link of a role to where the queue is kept, once it can be written to. `part`: the queue that names the part
   * of a blocking read, where queues cannot be read together.
   * @throws BrokerError `UNAVAILABLE` when there is none, or not within a second
   */
  ready(role: LinkRole, queue: string, part?: string): Promise<Redis>;

  /** Closes the links of a part of blocking reads, which nobody uses any more. */
  dropPart(part: string): Promise<void>;

  /** Splits queues by what one command can read together. */
  together(queues: readonly string[]): Promise<readonly (readonly string[])[]>;

  /** Told of every answer on a link. */
  heard(link: Redis): void;

  /** Told of every error that a command met: some say that the queue is kept elsewhere now. */
  met(link: Redis, error: Error): void;

  /** Gives a link a new socket: the one it has is thought dead, though it may not know. */
  rebuild(link: Redis): void;

  /**
   * Calls `listener` whenever a link is back after it was lost, or leads to another server than before, before
   * anything is sent on it; answers how to stop that.
   */
  onReconnect(listener: ReconnectListener): () => void;

  /** Calls `listener` whenever a link for commands has reached a server; answers how to stop that. */
  onArrival(listener: ArrivalListener): () => void;

  /** Closes every link at once, and resolves when all are closed. */
  close(): Promise<void>;
}
