import type { Broker } from '@taskq/core';
import type { CrashPoint } from './actor-config.js';

/** Passes a point of the code: the process may end there. */
export type PassPoint = (point: CrashPoint) => void;

/**
 * Stands in front of a broker and passes a point before or after each verb, so that a process can die exactly between
 * what it was about to do, what Redis has done, and what it has heard of that.
 */
export function crashing<Store extends Broker>(broker: Store, pass: PassPoint): Store {
  const points: Partial<Broker> = {
    async fetch(request) {
      pass('before-fetch');
      const answer = await broker.fetch(request);
      if (answer.deliveries.length > 0) pass('after-fetch');
      return answer;
    },
    async settle(request) {
      const outcomes = request.outcomes.length > 0;
      if (outcomes) pass('before-settle');
      const settling = broker.settle(request);
      // The command has left this process by the next turn; whether Redis has run it by then is chance.
      if (outcomes) setImmediate(() => setImmediate(() => pass('settle-sent')));
      const answer = await settling;
      if (outcomes) pass('after-settle');
      return answer;
    },
    async extend(queue, consumer, leases) {
      pass('before-extend');
      return broker.extend(queue, consumer, leases);
    },
    async reclaim(request) {
      const answer = await broker.reclaim(request);
      if (answer.deliveries.length > 0) pass('after-reclaim');
      return answer;
    },
    async promote(request) {
      const answer = await broker.promote(request);
      if (answer.promoted > 0) pass('after-promote');
      return answer;
    },
  };
  return new Proxy(broker, {
    get(target, name) {
      const point = points[name as keyof Broker];
      if (point) return point;
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === 'function' ? (value as (...args: unknown[]) => unknown).bind(target) : value;
    },
  });
}
