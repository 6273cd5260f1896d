/** What another process of a trial has done since it began. */
export interface HelperReport {
  readonly done: number;
  /** Processor time, in microseconds. */
  readonly nodeMicros: number;
}

/** Another process of a trial. */
export interface Helper {
  /** Resolves when it is at work; rejects when it ends instead. */
  readonly started: Promise<void>;
  look(): Promise<HelperReport>;
}
