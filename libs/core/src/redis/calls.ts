import type { Redis } from 'ioredis';
import { BrokerError, BrokerTimeoutError } from '../contract/errors.js';
import { monotonicMs, sleep, systemClock } from '../runtime/clock.js';
import type { LinkRole, Links } from './links.js';
import { REACTIONS, toBrokerError } from './redis-errors.js';
import { runScript, type Script } from './run-script.js';

/** What a server of a Cluster answers while a queue is being moved to another one: nothing was done. */
const ON_ITS_WAY = new Set(['ASK', 'TRYAGAIN']);

/**
 * For how long a call goes after a queue that is on the move, and the pause between two tries. A slot moves key by key,
 * and until the last has arrived nothing else can be done than to wait: as long as a producer does, unless told otherwise.
 */
const MOVING = { longestMs: 10_000, pauseMs: 30 };

/** Sends commands and scripts to wherever a queue is kept, and judges the link by how that went. */
export class Calls {
  constructor(readonly links: Links) {}

  /**
   * Runs a script on the link of a role. `follow`: goes after a queue that has moved to another server; upkeep never
   * does, since what was decided on before must be decided on anew: by then every lease may seem to have expired.
   * @throws BrokerError, never an error that carries arguments
   */
  async run(
    role: LinkRole,
    queue: string,
    script: Script,
    keys: readonly string[],
    args: readonly (string | number)[],
    { follow = role !== 'maintenance' }: { readonly follow?: boolean } = {},
  ): Promise<unknown> {
    return this.wherever(role, queue, follow, (client) => runScript(client, script, keys, args));
  }

  /** Sends a command on the link for commands. @throws BrokerError, never an error that carries arguments */
  async command<T>(queue: string, send: (client: Redis) => Promise<T>): Promise<T> {
    return this.wherever('commands', queue, true, send);
  }

  /** Sends a command on a link. @throws BrokerError, never an error that carries arguments */
  async on<T>(link: Redis, send: (client: Redis) => Promise<T>): Promise<T> {
    try {
      const answer = await send(link);
      this.links.heard(link);
      return answer;
    } catch (error) {
      this.links.met(link, error as Error);
      throw this.judged(link, toBrokerError(error));
    }
  }

  /** Sends it to where the queue is; in a Cluster it may be elsewhere by now, or on its way. */
  private async wherever<T>(
    role: LinkRole,
    queue: string,
    follow: boolean,
    send: (client: Redis) => Promise<T>,
  ): Promise<T> {
    const deadline = monotonicMs() + MOVING.longestMs;
    for (let moves = 0; ; moves += 1) {
      try {
        return await this.on(await this.links.ready(role, queue), send);
      } catch (error) {
        if (!(error instanceof BrokerError) || monotonicMs() > deadline) throw error;
        const { reason } = error;
        if (reason === 'MOVED' && !this.links.several) throw inCluster(error);
        const again = reason === 'MOVED' ? follow : role !== 'maintenance' && ON_ITS_WAY.has(reason);
        if (!again) throw error;
        // Where it has moved to is known at once; that two servers disagree is not seen twice in a row.
        if (reason !== 'MOVED' || moves > 1) await sleep(systemClock, MOVING.pauseMs);
      }
    }
  }

  /**
   * A command that waited in vain means that the other end is gone, whatever the socket thinks of itself: without a
   * new one every command to come would wait as long.
   */
  private judged(link: Redis, error: BrokerError): BrokerError {
    if (error instanceof BrokerTimeoutError && error.reason === 'TIMEOUT') this.links.rebuild(link);
    return error;
  }
}

/** One server of many was taken for the only one: that others have the queue helps nobody who does not know them. */
function inCluster({ reason, message, retryable }: BrokerError): BrokerError {
  return new BrokerError(reason, message, { retryable, fix: REACTIONS.CROSSSLOT!.fix! });
}
