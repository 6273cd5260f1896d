import type { KnownLoss, WorkerStatus } from '@taskq/core';

/** What is known of a connection whose Redis answers. */
export interface HealthFacts {
  /** Whether this process is meant to work on tasks. */
  readonly shouldWork: boolean;
  readonly worker: WorkerStatus | undefined;
  /** Longest blocking read, in milliseconds. */
  readonly blockMs: number;
  /** Queues whose oldest ready task is too old. */
  readonly late: readonly string[];
  /** Losses of data that are not long past. */
  readonly losses: readonly KnownLoss[];
  /** What is wrong with the servers, in sentences. */
  readonly unfit: readonly string[];
  readonly failOnDataLoss: boolean;
}

/** How a connection is, and why, when it is not well. */
export interface HealthVerdict {
  readonly state: 'up' | 'degraded' | 'down';
  /** Sentences; empty when it is up. */
  readonly reasons: readonly string[];
}

/** A worker whose read loop has not come round for this many blocking reads is stalled. */
const STALLED_AFTER_READS = 3;

/** `down` is what this process cannot work with; what it works on with, however badly, is `degraded`. */
export function judgeHealth(facts: HealthFacts): HealthVerdict {
  const lost = whatWasLost(facts.losses);
  const down = [...whyNotWorking(facts), ...(facts.failOnDataLoss ? lost : [])];
  if (down.length > 0) return { state: 'down', reasons: down };
  const degraded = [...whatIsStuck(facts), ...whatIsLate(facts.late), ...lost, ...facts.unfit];
  return { state: degraded.length > 0 ? 'degraded' : 'up', reasons: degraded };
}

function whyNotWorking({ shouldWork, worker, blockMs }: HealthFacts): readonly string[] {
  if (!shouldWork) return [];
  if (worker?.state !== 'running') return [`the worker is ${worker?.state ?? 'not there'}`];
  if (worker.queues.length > 0 && worker.queues.every(isStuck))
    return [
      'every slot is taken by a handler that did not end when it was told to; only a restart frees them',
    ];
  if (worker.lastProgressMs > STALLED_AFTER_READS * blockMs)
    return [`the worker has not read for ${Math.round(worker.lastProgressMs)} ms`];
  return [];
}

function whatIsStuck({ worker }: HealthFacts): readonly string[] {
  const stuck = (worker?.queues ?? []).filter(isStuck).map(({ queue }) => queue);
  return stuck.length === 0 ? [] : [`every slot of ${named(stuck)} is taken by a handler that did not end`];
}

function isStuck({ slots, stuck }: WorkerStatus['queues'][number]): boolean {
  return stuck >= slots;
}

function whatIsLate(late: readonly string[]): readonly string[] {
  return late.length === 0 ? [] : [`tasks wait too long in ${named(late)}`];
}

function whatWasLost(losses: readonly KnownLoss[]): readonly string[] {
  return losses.length === 0 ? [] : [`data was lost in ${named(losses.map(({ queue }) => queue))}`];
}

function named(queues: readonly string[]): string {
  return queues.map((queue) => `"${queue}"`).join(', ');
}
