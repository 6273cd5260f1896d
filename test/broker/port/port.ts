import type { Broker } from '@taskq/core';

/** What a promise of the port is tested with. */
export interface Port {
  readonly broker: Broker;
  /** Another process. */
  readonly peer: Broker;
}
