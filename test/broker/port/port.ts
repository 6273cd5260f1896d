import { BrokerError, type Broker } from '@taskq/core';

/** What a promise of the port is tested with. */
export interface Port {
  readonly broker: Broker;
  /** Another process. */
  readonly peer: Broker;
}

/** What becomes of each task, in one word. */
export function statuses(answers: readonly { readonly status: string }[]): readonly string[] {
  return answers.map((answer) => answer.status);
}

/** Whether an error is the broker's, with this reason. For `rejects.toSatisfy`. */
export function refusedAs(reason: string): (error: unknown) => boolean {
  return (error) => error instanceof BrokerError && error.reason === reason;
}
