import type { Part } from './plan.js';

/** Scheduled tasks are due within so many milliseconds of each other. */
export const DUE_SPREAD_MS = 1000;

/** What the supervisor tells the processes of the load; each does it at once. */
export type Order =
  /** A crowd lets its handlers end, or makes those that come wait. */
  | { readonly order: 'gate'; readonly open: boolean }
  /** A filler enqueues a part of the tasks, and says `filled` when every one was answered. */
  | ({ readonly order: 'fill'; readonly name: string } & Filling);

export interface Filling extends Part {
  /** They become dead letters when they are started for the first time. */
  readonly dies?: boolean;
  /** When they are due: milliseconds since 1970. See DUE_SPREAD_MS. */
  readonly dueAt?: number;
}

/** What a filler answers. */
export interface Filled {
  readonly name: string;
  /** Ids of its first, a middle and its last task, to look for. */
  readonly ids: readonly string[];
  readonly tookMs: number;
}

/** A task's payload. */
export interface LoadTask {
  readonly number: number;
  readonly dies?: boolean;
}

/** Listens to orders of a kind. */
export function onOrder<Kind extends Order['order']>(
  kind: Kind,
  obey: (order: Order & { order: Kind }) => void,
): void {
  process.on('message', (message: unknown) => {
    if (typeof message === 'object' && message !== null && (message as Order).order === kind)
      obey(message as Order & { order: Kind });
  });
}
