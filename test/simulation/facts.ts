import type { Delivery, EnqueueResult, TaskEventMap, TaskEventName } from '@taskq/core';
import type { Request, Verb } from './world/verbs.js';

/** A call of a producer's user: what it asks for, and under which number it is known to everybody. */
export interface Ask {
  readonly number: number;
  readonly queue: string;
  readonly id: string | undefined;
  readonly idempotencyKey: string | undefined;
}

/** How a task was begun by a handler. */
export interface Start {
  readonly queue: string;
  readonly id: string;
  readonly number: number;
  readonly attempt: number;
  readonly maxAttempts: number;
  readonly fence: number;
}

/** What is done to the world on purpose. */
export type Blow =
  | 'crash'
  | 'freeze'
  | 'thaw'
  | 'terminate'
  | 'boot'
  | 'stopped'
  | 'link lost'
  | 'outage'
  | 'mark'
  | 'failover'
  | 'restart'
  | 'group dropped'
  | 'flush'
  | 'time step'
  | 'foreign entry'
  | 'reconnected'
  | 'calm';

/** Everything that happens, in the order in which it happens. */
export type Fact =
  | { readonly kind: 'applied'; readonly by: string; readonly call: Applied; readonly late: boolean }
  | { readonly kind: 'received'; readonly by: string; readonly deliveries: readonly Delivery[] }
  | { readonly kind: 'asked'; readonly by: string; readonly ask: Ask }
  | { readonly kind: 'told'; readonly by: string; readonly ask: Ask; readonly answer: EnqueueResult | Error }
  | { readonly kind: 'started'; readonly by: string; readonly start: Start; readonly running: number }
  | { readonly kind: 'ended'; readonly by: string; readonly start: Start; readonly how: string }
  | EventFact
  | { readonly kind: 'blow'; readonly blow: Blow; readonly on: string; readonly detail: string }
  | { readonly kind: 'journey'; readonly by: string; readonly verb: Verb; readonly fate: string };

/** A call that reached the store: what was asked, and what it answered. */
export type Applied = {
  readonly [V in Verb]: { readonly verb: V; readonly request: Request<V> } & (
    | { readonly answer: Awaited<Answer<V>>; readonly error?: undefined }
    | { readonly error: Error; readonly answer?: undefined }
  );
}[Verb];

type Answer<V extends Verb> = ReturnType<import('@taskq/core').Broker[V]>;

/** What an engine announced. */
export interface EventFact {
  readonly kind: 'event';
  readonly by: string;
  readonly name: TaskEventName;
  readonly event: TaskEventMap[TaskEventName];
}

/** Told of every fact at once. */
export type Witness = (fact: Fact) => void;
