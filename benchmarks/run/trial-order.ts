import type { Findings } from '../cases/bench-case.js';
import type { ContenderName } from '../contenders/contender.js';

/** What the process of a trial is told. */
export interface TrialOrder {
  readonly case: string;
  readonly contender: ContenderName;
  readonly host: string;
  readonly port: number;
  /** Factor on the length of windows. */
  readonly seconds: number;
  /** Tasks of the window, instead of what the case would take. */
  readonly tasks?: number | undefined;
  /** Whether it only helps another process. */
  readonly helps?: boolean;
}

/** What it says before it ends. */
export type TrialAnswer = { readonly findings: Findings } | { readonly error: string };
