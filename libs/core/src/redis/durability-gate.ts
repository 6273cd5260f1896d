import type { Redis } from 'ioredis';
import { type Durability, durabilityName } from '../contract/durability.js';
import { BrokerError, BrokerTimeoutError, DurabilityUnavailableError } from '../contract/errors.js';
import { BelievedFacts } from './believed-facts.js';
import type { Calls } from './calls.js';
import { type BarrierParts, DurabilityBarrier } from './durability-barrier.js';
import { toBrokerError } from './redis-errors.js';
import { RECORD_TTL_MS } from './requests.js';
import { runScript } from './run-script.js';
import { scripts } from './scripts.generated.js';
import { askServer, durabilityLack, type ServerFacts } from './server-check.js';

/** Waits end well before the command that waits is taken for lost. */
const WAIT_SHARE = 0.8;

/** Lets in what a server can keep as safely as asked, and waits until it has. */
export class DurabilityGate {
  private readonly facts: BelievedFacts;
  private readonly barriers = new Map<string, DurabilityBarrier>();
  /** What could be had before, by queue. */
  private readonly had = new Set<string>();

  constructor(
    private readonly calls: Calls,
    private readonly commandTimeoutMs: number,
  ) {
    this.facts = new BelievedFacts((link) => calls.on(link, askServer));
    // Another server may answer by now, or the same with other settings.
    calls.links.onReconnect((role) => {
      if (role !== 'commands') return;
      for (const link of calls.links.servers()) this.facts.forget(link);
    });
  }

  /**
   * @throws DurabilityUnavailableError when the queue's server cannot give it; nothing was written. Where it could
   *   before, that may pass: a replica that was made the primary has none for a while
   */
  async admit(queue: string, durability: Durability): Promise<void> {
    const name = durabilityName(durability);
    const key = `${queue} ${name}`;
    const lack = await this.lackOf(queue, durability).catch(nothingWasSent);
    if (!lack) this.had.add(key);
    else throw new DurabilityUnavailableError(name, lack.why, lack.fix, { retryable: this.had.has(key) });
  }

  /**
   * Resolves when the group is as safe as asked.
   * @throws BrokerTimeoutError `UNCONFIRMED` when that was not in time, or cannot be found out: the group was written,
   *   and nobody knows how safely. Repeat it
   */
  async reached(queue: string, durability: Durability, record: string, sequence: number): Promise<void> {
    try {
      await this.reach(queue, durability, record, sequence);
    } catch (error) {
      await this.doubt(queue);
      if (error instanceof BrokerTimeoutError) throw error;
      const { message, retryable } = toBrokerError(error);
      throw new BrokerTimeoutError('UNCONFIRMED', `not confirmed: ${message}`, { cause: error, retryable });
    }
  }

  private async reach(
    queue: string,
    durability: Durability,
    record: string,
    sequence: number,
  ): Promise<void> {
    if (durability === 'durable') {
      const facts = await this.facts.of(await this.calls.links.ready('commands', queue));
      // Such a server answers nothing before it is on disk.
      if (facts.appendOnly === true && facts.appendFsync === 'always') return;
    }
    await this.barrier(queue, durability).reached(record, sequence);
  }

  private barrier(queue: string, durability: Durability): DurabilityBarrier {
    const key = `${queue} ${durabilityName(durability)}`;
    let barrier = this.barriers.get(key);
    if (!barrier) {
      barrier = new DurabilityBarrier({
        durability,
        waitMs: Math.round(this.commandTimeoutMs * WAIT_SHARE),
        ...this.link(queue),
      });
      this.barriers.set(key, barrier);
    }
    return barrier;
  }

  /**
   * How a barrier asks: it waits on the very connection that has just said that it knows the groups. Another one has
   * written nothing, so what it is told to wait for has happened at once.
   */
  private link(queue: string): Pick<BarrierParts, 'confirm' | 'wait'> {
    const { calls } = this;
    let asked: { readonly link: Redis; readonly connection: unknown } | undefined;
    return {
      confirm: async (records, sequences) => {
        const link = await calls.links.ready('durability', queue);
        asked = { link, connection: link.stream };
        const args = [RECORD_TTL_MS, ...sequences];
        return (await calls.on(link, (client) =>
          runScript(client, scripts.confirm, records, args),
        )) as number[];
      },
      wait: (command) =>
        calls.on(asked!.link, (link) => {
          if (link.stream !== asked!.connection) throw new Error('the connection was lost');
          return command(link);
        }),
    };
  }

  /** What the queue's server lacks, if anything. Replicas come back and settings are changed: that it does is asked twice. */
  private async lackOf(queue: string, durability: Durability): Promise<ReturnType<typeof durabilityLack>> {
    const link = await this.calls.links.ready('commands', queue);
    const lacks = (facts: ServerFacts) => durabilityLack(durability, facts);
    return lacks(await this.facts.of(link)) && lacks(await this.facts.anew(link));
  }

  /** What its server said of itself did not come true. */
  private async doubt(queue: string): Promise<void> {
    const link = await this.calls.links.ready('commands', queue).catch(() => undefined);
    if (link) this.facts.forget(link);
  }
}

/** Who only asked and was not answered has written nothing: the outcome is not in doubt, as the error would say. */
function nothingWasSent(error: unknown): never {
  if (!(error instanceof BrokerTimeoutError)) throw error;
  throw new BrokerError('UNAVAILABLE', `nothing was sent: ${error.message}`, {
    cause: error,
    retryable: true,
  });
}
