import { type AnyContract, HandlerRegistrationError } from '@taskq/core';
import type { DeclaredFeature } from './task-queue.connections.js';

/** The contracts that features declared, by connection and type, for handlers that name a type only. */
export class DeclaredContracts {
  private readonly byType = new Map<string, AnyContract[]>();
  /** Types that have two different contracts in one queue. */
  readonly problems: string[] = [];

  constructor(features: readonly DeclaredFeature[]) {
    for (const { connection, contracts } of features) {
      for (const contract of contracts) this.add(connection, contract);
    }
  }

  /**
   * The contract of a type, or `undefined` when none was declared. Without a queue the only contract of the type is
   * meant, or the one in the default queue.
   * @throws HandlerRegistrationError when it could be any of several
   */
  find(connection: string, type: string, queue: string | undefined): AnyContract | undefined {
    const contracts = this.byType.get(`${connection}\n${type}`) ?? [];
    if (queue === undefined && contracts.length === 1) return contracts[0];
    const contract = contracts.find((one) => one.queue === (queue ?? 'default'));
    if (contract || queue !== undefined || contracts.length === 0) return contract;
    const queues = contracts.map((one) => `"${one.queue}"`).join(', ');
    throw new HandlerRegistrationError(
      `task "${type}" has contracts in several queues (${queues}): name the queue`,
    );
  }

  private add(connection: string, contract: AnyContract): void {
    const key = `${connection}\n${contract.type}`;
    const contracts = this.byType.get(key) ?? [];
    const other = contracts.find(({ queue }) => queue === contract.queue);
    if (other === contract) return;
    if (other) {
      this.problems.push(
        `two contracts for task "${contract.type}" in queue "${contract.queue}" are declared`,
      );
      return;
    }
    this.byType.set(key, [...contracts, contract]);
  }
}
