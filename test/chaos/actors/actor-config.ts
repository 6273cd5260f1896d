import type { EngineOptions } from '@taskq/core';

/** What an actor process is told when it is started, as JSON. */
export interface ActorConfig {
  /** Names the process in the history. */
  readonly name: string;
  /** Folder of the run's history. */
  readonly folder: string;
  readonly engine: EngineOptions;
  readonly role: 'worker' | 'producer' | 'crowd' | 'filler';
  /** Unix socket of the sink; workers only. */
  readonly sink?: string;
  /** Where the process kills itself, if anywhere. */
  readonly crash?: CrashPlan;
  /** What the wall clock of this process is ahead by, in milliseconds. */
  readonly clockShiftMs?: number;
  /** What a producer enqueues; workers enqueue nothing. */
  readonly load?: Load;
  /** What a worker works on. @default TASK_QUEUE */
  readonly queues?: readonly string[];
  /** Crowds only: how many consumers it is, when the run began, and whether its handlers may end at first. */
  readonly crowd?: { readonly consumers: number; readonly epochMs: number; readonly gateOpen: boolean };
  /** Fillers only: when the run began. */
  readonly filler?: { readonly epochMs: number };
}

/** The moments at which a process may die. */
export const CRASH_POINTS = [
  'before-start',
  'before-fetch',
  'after-fetch',
  'handler-start',
  'handler-before-effect',
  'handler-after-effect',
  'before-settle',
  'settle-sent',
  'after-settle',
  'before-extend',
  'after-reclaim',
  'after-promote',
] as const;

export type CrashPoint = (typeof CRASH_POINTS)[number];

export interface CrashPlan {
  readonly point: CrashPoint;
  /** At which time of passing it, from 1. */
  readonly nth: number;
  /** What it sends itself. @default 'SIGKILL' */
  readonly signal?: 'SIGKILL' | 'SIGTERM';
}

/** What a producer process enqueues: tasks one after another, as fast as answers and the pause let it. */
export interface Load {
  /** First part of the keys: `p1` gives `p1-0`, `p1-1` … */
  readonly keys: string;
  /** How many; without it until the process is told to stop. */
  readonly count?: number;
  /** Callers at once. */
  readonly callers: number;
  /** Pause of each caller between two calls. */
  readonly pauseMs: number;
  readonly work: Work;
  readonly durability?: 'accepted' | 'durable' | { replicated: number };
  /** Enqueues again, with the id, what nobody knows the outcome of. */
  readonly insist?: boolean;
  /** Where to, in turns. @default TASK_QUEUE */
  readonly queues?: readonly string[];
}

/** What a task is told to do. All of it is optional but the key. */
export interface Work {
  /** How long the handler takes, in milliseconds, waiting. */
  readonly ms?: number;
  /** How long it holds up the event loop. */
  readonly blockMs?: number;
  /** It kills its process. */
  readonly kill?: boolean;
  /** It fails so many times first. */
  readonly fails?: number;
  /** Makes the payload as large. */
  readonly fill?: string;
  /** It is due so much later. */
  readonly delayMs?: number;
}

/** A task's payload. */
export interface Todo extends Work {
  readonly key: string;
}

/** Type and queue of every task of the laboratory. */
export const TASK_TYPE = 'chaos';
export const TASK_QUEUE = 'chaos';
