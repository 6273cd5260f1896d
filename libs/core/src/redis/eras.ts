import { randomBytes } from 'node:crypto';
import type { Delivery } from '../broker/broker.js';
import type { Calls } from './calls.js';
import type { DataWatch } from './data-watch.js';
import type { QueueKeys } from './keys.js';
import { ensureAnswer } from './replies.js';
import { scripts } from './scripts.generated.js';

/**
 * Knows the era of each queue's data. Nothing may be leased on a connection before it is known there: the server may
 * be another run of itself, or another one, that has forgotten deliveries.
 */
export class Eras {
  /** As known since the last reconnect. */
  private readonly eras = new Map<string, number>();
  /** Which data each queue was when it was last asked, and its era: over reconnects, too. */
  private readonly known = new Map<string, { readonly epoch: string; readonly era: number }>();
  private reconnects = 0;

  constructor(
    private readonly calls: Calls,
    private readonly watch: DataWatch,
    private readonly keysOf: (queue: string) => QueueKeys,
  ) {
    calls.links.onReconnect(() => {
      this.eras.clear();
      this.reconnects += 1;
    });
  }

  /** Says whether what was known is still about the same connections: equal as long as none was lost. */
  get connection(): number {
    return this.reconnects;
  }

  /** Something is missing that had been answered: other data, also to one who never asked which it was. */
  missed(queue: string): void {
    if (!this.known.has(queue)) this.known.set(queue, { epoch: UNNAMED, era: 0 });
  }

  /** What is known is out of date. */
  forget(queue: string): void {
    this.eras.delete(queue);
  }

  /**
   * Deliveries, without those whose era is in doubt, since a connection was lost while they were on their way: these
   * come back when their leases have expired.
   */
  async certain(deliveries: readonly Delivery[], connection: number): Promise<readonly Delivery[]> {
    const [first] = deliveries;
    if (!first || this.reconnects === connection) return deliveries;
    const era = await this.of(first.queue);
    return deliveries.filter((delivery) => delivery.era === era);
  }

  has(queue: string): boolean {
    return this.eras.has(queue);
  }

  /** The era of a queue, asked for where it is not known. */
  async of(queue: string): Promise<number> {
    return this.eras.get(queue) ?? (await this.learn(queue, 0)).era;
  }

  /** Makes the queue's groups where they are missing; answers whether any was. */
  async make(queue: string): Promise<boolean> {
    return (await this.learn(queue, 1)).made > 0;
  }

  private async learn(queue: string, make: 0 | 1): Promise<{ made: number; era: number }> {
    const { laneList, wake, dead, scheduled, scheduledData, control } = this.keysOf(queue);
    const keys = [...laneList, wake, dead, scheduled, scheduledData, control];
    const known = this.known.get(queue) ?? { epoch: '', era: 0 };
    const args = [newEpoch(), make, known.epoch, known.era];
    const reply = await this.calls.run('commands', queue, scripts.ensure, keys, args);
    const { made, epoch, era } = ensureAnswer(queue, reply);
    this.known.set(queue, { epoch, era });
    this.eras.set(queue, era);
    this.watch.named(queue, epoch);
    return { made, era };
  }
}

/** Stands for the name of data that nobody asked for: no data set has it. */
const UNNAMED = '-';

/** Names a data set: what was made anew, by whomever, has another name. */
function newEpoch(): string {
  return randomBytes(9).toString('base64url');
}
