import type { NewTask } from '../broker/broker.js';

/** What a task costs beside its payload and meta, roughly. */
const BESIDE = 200;

/** What a task takes in memory, and on the wire, in bytes; roughly, since counting them would cost more than it says. */
export function taskBytes({ payload, meta }: NewTask): number {
  return BESIDE + payload.length + meta.length;
}
