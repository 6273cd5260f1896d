import type { Broker } from '@taskq/core';

/** Verbs that travel to the store, and the connection that each takes in a process. */
export const LINK_OF = {
  openForWork: 'maintenance',
  ensureQueue: 'commands',
  recordedPartitions: 'commands',
  recordPartitions: 'commands',
  enqueue: 'commands',
  resolveGroup: 'commands',
  fetchGroups: 'commands',
  fetch: 'blocking',
  settle: 'commands',
  extend: 'maintenance',
  takeDuties: 'maintenance',
  promote: 'maintenance',
  sweepsDue: 'maintenance',
  reclaim: 'maintenance',
  cleaningDue: 'maintenance',
  listConsumers: 'maintenance',
  removeConsumer: 'commands',
  replay: 'commands',
  deleteDeadLetters: 'commands',
  listDeadLetters: 'commands',
  listScheduled: 'commands',
  counts: 'commands',
  find: 'commands',
  ping: 'commands',
} as const;

export type Verb = keyof typeof LINK_OF;
export type LinkName = (typeof LINK_OF)[Verb];
export const LINKS: readonly LinkName[] = ['commands', 'blocking', 'maintenance'];

/** What is asked by a verb: its arguments. */
export type Request<V extends Verb> = Parameters<Broker[V]>;

/** Verbs that promise to change nothing when they come twice: a transport may repeat them. */
export const REPEATABLE: ReadonlySet<Verb> = new Set([
  'ensureQueue',
  'recordedPartitions',
  'recordPartitions',
  'enqueue',
  'resolveGroup',
  'extend',
]);
