import type { BoardedLease } from '../broker/lease-guard.js';
import { Calls } from './calls.js';
import { queueKeys } from './keys.js';
import type { GuardThreadData } from './lease-guard.js';
import { openLinks } from './open-links.js';
import { leaseArgs } from './requests.js';
import { scripts } from './scripts.generated.js';

/** Leases renewed by one script call. */
const PAGE = 100;

/** Renews leases in the name of a consumer that cannot do it itself, over a connection of its own. */
export class LeaseRenewal {
  private readonly calls: Calls;

  constructor(private readonly data: Pick<GuardThreadData, 'options' | 'consumer'>) {
    this.calls = new Calls(openLinks(data.options.redis, Math.random));
  }

  /** @throws BrokerError some may be renewed, and some not */
  async renew(held: readonly BoardedLease[]): Promise<void> {
    const { options, consumer } = this.data;
    for (const queue of new Set(held.map((lease) => lease.queue))) {
      const leases = held.filter((lease) => lease.queue === queue);
      for (let i = 0; i < leases.length; i += PAGE) {
        const args = [consumer, ...leaseArgs(leases.slice(i, i + PAGE))];
        const { laneList } = queueKeys(options.prefix, queue);
        await this.calls.run('maintenance', queue, scripts.extend, laneList, args);
      }
    }
  }
}
