import type { Broker, Lane } from '@taskq/core';

/** One of the two implementations, with what can befall it. */
export interface World {
  /** Two processes. */
  readonly brokers: readonly Broker[];
  /** What its clock shows, in milliseconds. */
  now(): number;
  /** Lets time pass for everything that is kept. */
  passTime(ms: number): Promise<void>;
  /** Until a fetch with `blockMs: 1` that finds nothing has ended. */
  passBlock(): Promise<void>;
  /** Until a fetch that was begun really waits, if it does. */
  untilWaiting(): Promise<void>;
  addEntry(lane: Lane, fields: Readonly<Record<string, string>>): Promise<void>;
  dropGroup(): Promise<void>;
  flush(): Promise<void>;
  view(): Promise<View>;
  close(): Promise<void>;
}

/** Everything that is kept, in words that both sides have. Times are lengths from now on, or up to now. */
export interface View {
  readonly lanes: Readonly<
    Record<
      Lane,
      {
        readonly entries: readonly { readonly entryId: string; readonly fields: readonly string[] }[];
        readonly lastDelivered: string | undefined;
        readonly pending: readonly {
          readonly entryId: string;
          readonly consumer: string;
          readonly idleMs: number;
          readonly deliveries: number;
        }[];
      }
    >
  >;
  readonly wake: readonly { readonly entryId: string; readonly why: string }[];
  readonly scheduled: readonly {
    readonly id: string;
    readonly dueIn: number;
    /** As it stands in Redis: lane letter, attempt, enqueuedAt, type, meta and payload with newlines between. */
    readonly text: string;
  }[];
  readonly dead: readonly { readonly entryId: string; readonly fields: Readonly<Record<string, string>> }[];
  /** Places by task id. */
  readonly index: Readonly<Record<string, string>>;
  readonly dedupe: Readonly<Record<string, { readonly holder: string; readonly leftMs: number }>>;
  readonly channels: Readonly<Record<string, { readonly record: string; readonly leftMs: number }>>;
  readonly control: {
    readonly promoter: string | undefined;
    readonly promoterLeftMs: number | undefined;
    readonly sweepInMs: number | undefined;
    readonly era: number | undefined;
  };
}
