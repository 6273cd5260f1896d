import type { Redis } from 'ioredis';
import { type Durability, durabilityName } from '../contract/durability.js';
import { BrokerTimeoutError } from '../contract/errors.js';

/** A group that waits for its disk or its replicas. */
interface Waiting {
  readonly record: string;
  readonly sequence: number;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** How a barrier speaks to Redis. */
export interface BarrierParts {
  readonly durability: Durability;
  /** Longest wait for disks or replicas, milliseconds. */
  readonly waitMs: number;
  /** Runs the `confirm` script: which of the groups are known. */
  readonly confirm: (records: readonly string[], sequences: readonly number[]) => Promise<readonly number[]>;
  /** Runs a command on the connection that `confirm` used last. */
  readonly wait: (command: (link: Redis) => Promise<number>) => Promise<number>;
}

/** Groups of one call of the `confirm` script. */
const PAGE = 100;

/**
 * Waits until groups of one queue are on disk or on replicas. One wait is under way at a time and serves every group
 * that came before it; those that come meanwhile share the next. It waits on a link of its own, since a connection
 * that waits does nothing else, and asks on that link whether the group is known there: after a failover two links
 * may lead to two servers.
 */
export class DurabilityBarrier {
  private waiting: Waiting[] = [];
  private running = false;

  constructor(private readonly parts: BarrierParts) {}

  /**
   * Resolves when the group is as safe as asked.
   * @throws BrokerTimeoutError `UNCONFIRMED` when it was not in time, or is not known any more: repeat the group
   */
  reached(record: string, sequence: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.waiting.push({ record, sequence, resolve, reject });
      if (!this.running) void this.run();
    });
  }

  private async run(): Promise<void> {
    this.running = true;
    while (this.waiting.length > 0) {
      const group = this.waiting.splice(0, PAGE);
      await this.pass(group).catch((error: unknown) => group.forEach((one) => one.reject(error)));
    }
    this.running = false;
  }

  private async pass(group: readonly Waiting[]): Promise<void> {
    const { confirm, wait, durability, waitMs } = this.parts;
    const known = await confirm(
      group.map((one) => one.record),
      group.map((one) => one.sequence),
    );
    const wanted = typeof durability === 'string' ? 1 : durability.replicated;
    const reached = await wait((link) =>
      typeof durability === 'string' ? onDisk(link, waitMs) : link.wait(wanted, waitMs),
    );
    group.forEach(({ resolve, reject }, i) => {
      if (known[i] !== 1) reject(unconfirmed('the server that would confirm it does not know it'));
      else if (reached < wanted)
        reject(unconfirmed(`${durabilityName(durability)}: ${reached} of ${wanted} in time`));
      else resolve();
    });
  }
}

async function onDisk(link: Redis, waitMs: number): Promise<number> {
  const [local] = (await link.call('WAITAOF', 1, 0, waitMs)) as [number, number];
  return local;
}

function unconfirmed(why: string): BrokerTimeoutError {
  return new BrokerTimeoutError('UNCONFIRMED', `not confirmed: ${why}`, { retryable: true });
}
