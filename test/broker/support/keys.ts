import type { Lane } from '@taskq/core';

/** The queue most tests use. */
export const QUEUE = 'orders';

/** Key names as the design states them, written out again here so that a renamed key is noticed. */
export interface Keys {
  readonly base: string;
  readonly high: string;
  readonly normal: string;
  readonly low: string;
  readonly dead: string;
  readonly scheduled: string;
  readonly data: string;
  readonly wake: string;
  readonly control: string;
  lane(lane: Lane): string;
  /** Index bucket of an id made by a producer: neighbours that differ in the last digit share one hash. */
  index(id: string): string;
  dedupe(key: string): string;
  producer(channel: string): string;
}

export function keysOf(prefix: string, queue = QUEUE): Keys {
  const base = `${prefix}:{${queue}}`;
  const lanes = { high: `${base}:tasks:high`, normal: `${base}:tasks`, low: `${base}:tasks:low` };
  return {
    base,
    ...lanes,
    dead: `${base}:tasks-dead`,
    scheduled: `${base}:scheduled`,
    data: `${base}:scheduled:data`,
    wake: `${base}:wake`,
    control: `${base}:control`,
    lane: (lane) => lanes[lane],
    index: (id) => `${base}:index:${id.slice(0, -1)}`,
    dedupe: (key) => `${base}:dedupe:${key}`,
    producer: (channel) => `${base}:producer:${channel}`,
  };
}

/** Field of an id in its index bucket, where it has a place of its own. */
export function indexField(id: string): string {
  return id.slice(-1);
}

/** Field under which the index knows the run that begins with an id. */
export function runField(id: string): string {
  return `~${indexField(id)}`;
}
