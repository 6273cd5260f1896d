import type { Delivery } from '../broker/broker.js';
import type { Lane } from '../contract/lane.js';
import type { TaskContext } from '../contract/task-context.js';
import { type AttemptRecord, type TaskMessage, versionOf } from '../contract/task-message.js';
import type { ResolvedTaskOptions } from '../policy/task-options.js';

const NO_HEADERS: Readonly<Record<string, string>> = Object.freeze({});
const NO_HISTORY: readonly AttemptRecord[] = Object.freeze([]);

/** Where a task runs: its queue as people know it, and the consumer. */
export interface Where {
  readonly queue: string;
  readonly worker: string;
}

/** What the handler sees of its task. The abort controller is made when somebody looks: it is the dearest part. */
class ExecutionContext implements TaskContext {
  private controller: AbortController | undefined;
  private abortReason: unknown;

  constructor(
    private readonly delivery: Delivery,
    private readonly message: TaskMessage,
    readonly maxAttempts: number,
    readonly fence: number,
    private readonly where: Where,
  ) {}

  get id(): string {
    return this.message.id;
  }

  get type(): string {
    return this.message.type;
  }

  get queue(): string {
    return this.where.queue;
  }

  get worker(): string {
    return this.where.worker;
  }

  get priority(): Lane {
    return this.delivery.lane;
  }

  get version(): number {
    return versionOf(this.message.meta);
  }

  get attempt(): number {
    return this.message.attempt;
  }

  get enqueuedAt(): number | undefined {
    return this.message.enqueuedAt;
  }

  get headers(): Readonly<Record<string, string>> {
    return this.message.meta.headers ?? NO_HEADERS;
  }

  get history(): readonly AttemptRecord[] {
    return this.message.meta.history ?? NO_HISTORY;
  }

  get signal(): AbortSignal {
    if (!this.controller) {
      this.controller = new AbortController();
      if (this.abortReason !== undefined) this.controller.abort(this.abortReason);
    }
    return this.controller.signal;
  }

  /** @internal */
  abort(reason: Error): void {
    this.abortReason ??= reason;
    this.controller?.abort(this.abortReason);
  }
}

/** One start of one task in this process, from delivery to settlement. */
export class Execution {
  readonly context: TaskContext & { abort(reason: Error): void };
  /** Grows with every start of the task, whoever makes it. */
  readonly fence: number;
  /** Starts of the task that are known, this one included. */
  readonly starts: number;
  /** Why the handler was told to stop, when it was. */
  abortedBy: Error | undefined;
  /** It has run for longer than its timeout. */
  overdue = false;
  /** Its lease could not be proven at some time, and that was told. */
  unproven = false;
  /** The handler has returned or thrown. */
  ended = false;
  /** Row of its lease on the board of the guard; -1 for none. */
  row = -1;
  /** Its outcome is on its way to the broker, or somebody else's business. */
  decided = false;

  constructor(
    readonly delivery: Delivery,
    readonly message: TaskMessage,
    readonly options: ResolvedTaskOptions,
    readonly startedAt: number,
    where: Where,
  ) {
    this.starts = startsOf(delivery, message);
    this.fence = fenceOf(delivery, this.starts);
    this.context = new ExecutionContext(delivery, message, options.maxAttempts, this.fence, where);
  }

  abort(reason: Error): void {
    this.abortedBy ??= reason;
    this.context.abort(reason);
  }
}

/** More starts than a task can have in one era: a thousand per release, and a thousand releases. */
const STARTS_PER_ERA = 1_000_000;

/** Starts in earlier entries of the task plus deliveries of this one. */
export function startsOf(delivery: Delivery, message: TaskMessage): number {
  return (message.meta.starts ?? 0) + delivery.delivery;
}

/** What grows with every start, also over a time that the broker has forgotten: the era first, then the starts. */
function fenceOf(delivery: Delivery, starts: number): number {
  return delivery.era * STARTS_PER_ERA + starts;
}

/** Deliveries since the task was last handed back properly: each but the last ended with a dead consumer. */
export function crashesOf(delivery: Delivery): number {
  return delivery.delivery % 1000;
}

/** How large a delivery is, roughly: the length of its texts. */
export function bytesOf({ fields }: Delivery): number {
  let bytes = 0;
  for (const text of fields) bytes += text.length;
  return bytes;
}
