import type { Redis } from 'ioredis';
import type { Contender, ContenderName, Rig, Site } from '../contenders/contender.js';
import type { FigureName, Figures } from '../measure/figures.js';
import type { Help, Helper } from '../run/helper.js';

/**
 * Which server a case runs on: one that persists nothing, one that appends every change to a file, or a Cluster of three
 * primaries that persist nothing.
 */
export type ServerKind = 'memory' | 'append-only' | 'cluster';

/** What a trial has shown. */
export interface Findings {
  readonly figures: Figures;
  /** Tasks of the measured window. */
  readonly tasks: number;
  /** What is worth knowing beside figures: the name of the slowest command. */
  readonly note?: string;
}

/** One run of one case with one contender, in a process of its own. */
export interface Trial {
  readonly contender: Contender;
  /** A connection past the contender, to ask the server; of a Cluster, its first node. */
  readonly admin: Redis;
  /** The contender, connected. What is not said is: one queue, 100 slots, 100 callers, one attempt, no delays. */
  open(wishes?: Partial<Omit<Site, 'host' | 'port'>>): Promise<Rig>;
  /** How many tasks fit in so many seconds at that rate; or what the command line wants instead. */
  tasks(perSecond: number, seconds: number): number;
  /** Starts a process that runs {@link BenchCase.help} of the same case and contender. */
  helper(): Helper;
}

/** A question, and how it is answered for any contender. */
export interface BenchCase {
  readonly id: string;
  /** What is measured, in one line. */
  readonly title: string;
  readonly contenders: readonly ContenderName[];
  /** Whom the others are compared with. @default 'bullmq' */
  readonly against?: ContenderName;
  /** Trials of each contender. */
  readonly rounds: number;
  /** @default 'memory' */
  readonly server?: ServerKind;
  /** The figures that count, the most important first. Those of them that are compared come first in every table. */
  readonly figures: readonly FigureName[];
  /** Whether to show, by one more trial, on what taskq spends its time. */
  readonly profiled?: boolean;
  /** Longest that a trial may take, in seconds. @default 60 */
  readonly deadline?: number;
  run(trial: Trial): Promise<Findings>;
  /** What another process of a trial does, once it is connected; it ends with the trial. */
  help?(trial: Omit<Trial, 'helper'>): Promise<Help>;
}

/** The figures of every case that is about rate and cost. */
export const COST: readonly FigureName[] = ['tasksPerSecond', 'cpuMicros', 'nodeCpuMicros', 'redisCpuMicros'];
/** The figures of every case that is about time. */
export const TIMES: readonly FigureName[] = ['p50Ms', 'p99Ms', 'p999Ms'];
