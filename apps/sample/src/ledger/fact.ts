/** One fact about one task, as one process saw it: a line of a ledger. */
export interface Fact {
  /** Milliseconds of this machine's clock. */
  readonly at: number;
  readonly pid: number;
  readonly fact:
    | 'started'
    | 'completed'
    | 'retrying'
    | 'snoozed'
    | 'discarded'
    | 'dead'
    | 'released'
    | 'reclaimed'
    | 'stale';
  readonly id: string;
  readonly queue: string;
  readonly attempt: number;
  /** Since the task was enqueued, when it was started. */
  readonly waitMs?: number | undefined;
  /** Why it is dead. */
  readonly reason?: string;
  /** The same for people. */
  readonly detail?: string;
  /** From whom it was taken. */
  readonly from?: string;
}
