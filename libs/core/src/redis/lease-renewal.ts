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
  constructor(
    private readonly data: Pick<GuardThreadData, 'options' | 'consumer'>,
    private readonly calls: Pick<Calls, 'run'> = new Calls(openLinks(data.options.redis, Math.random)),
  ) {}

  /**
   * Renews what it can: a queue that cannot be reached keeps no other from being renewed.
   * @throws BrokerError some may be renewed, and some not
   */
  async renew(held: readonly BoardedLease[]): Promise<void> {
    const queues = [...new Set(held.map((lease) => lease.queue))];
    const renewals = await Promise.allSettled(
      queues.map((queue) =>
        this.renewQueue(
          queue,
          held.filter((lease) => lease.queue === queue),
        ),
      ),
    );
    const failed = renewals.find((renewal) => renewal.status === 'rejected');
    if (failed) throw failed.reason;
  }

  private async renewQueue(queue: string, leases: readonly BoardedLease[]): Promise<void> {
    const { options, consumer } = this.data;
    const { laneList } = queueKeys(options.prefix, queue);
    for (let i = 0; i < leases.length; i += PAGE) {
      const args = [consumer, ...leaseArgs(leases.slice(i, i + PAGE))];
      await this.calls.run('maintenance', queue, scripts.extend, laneList, args);
    }
  }
}
