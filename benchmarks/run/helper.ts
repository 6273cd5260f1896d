/** What another process of a trial has done since it began. */
export interface HelperReport {
  readonly done: number;
  /** Processor time, in microseconds. */
  readonly nodeMicros: number;
}

/** What a helper does when it is told. */
export interface Help {
  /** Begins to work. */
  begin(): Promise<void>;
  look(): HelperReport;
}

/** Another process of a trial, as the first one sees it. */
export interface Helper {
  /** Resolves when it is connected and can begin; rejects when it ends instead. */
  readonly ready: Promise<void>;
  begin(): void;
  look(): Promise<HelperReport>;
}
