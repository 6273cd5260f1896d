import type { Delivery } from '../broker/broker.js';
import type { Lane } from '../contract/lane.js';
import type { TaskContext } from '../contract/task-context.js';
import type { AttemptRecord, TaskMessage } from '../contract/task-message.js';
import type { ResolvedTaskOptions } from '../policy/task-options.js';

const NO_HEADERS: Readonly<Record<string, string>> = Object.freeze({});
const NO_HISTORY: readonly AttemptRecord[] = Object.freeze([]);

/** What the handler sees of its task. The abort controller is made when somebody looks: it is the dearest part. */
class ExecutionContext implements TaskContext {
  private controller: AbortController | undefined;
  private abortReason: unknown;

  constructor(
    private readonly delivery: Delivery,
    private readonly message: TaskMessage,
    readonly maxAttempts: number,
    readonly fence: number,
    readonly worker: string,
  ) {}

  get id(): string {
    return this.message.id;
  }

  get type(): string {
    return this.message.type;
  }

  get queue(): string {
    return this.delivery.queue;
  }

  get priority(): Lane {
    return this.delivery.lane;
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
  /** Starts of the task so far, this one included; grows with every delivery, whoever gets it. */
  readonly fence: number;
  /** Why the handler was told to stop, when it was. */
  abortedBy: Error | undefined;
  /** The handler has returned or thrown. */
  ended = false;
  /** Its outcome is on its way to the broker, or somebody else's business. */
  decided = false;

  constructor(
    readonly delivery: Delivery,
    readonly message: TaskMessage,
    readonly options: ResolvedTaskOptions,
    readonly startedAt: number,
    worker: string,
  ) {
    this.fence = fenceOf(delivery, message);
    this.context = new ExecutionContext(delivery, message, options.maxAttempts, this.fence, worker);
  }

  abort(reason: Error): void {
    this.abortedBy ??= reason;
    this.context.abort(reason);
  }
}

/** Starts in earlier entries of the task plus deliveries of this one. */
export function fenceOf(delivery: Delivery, message: TaskMessage): number {
  return (message.meta.starts ?? 0) + delivery.delivery;
}

/** Deliveries since the task was last handed back properly: each but the last ended with a dead consumer. */
export function crashesOf(delivery: Delivery): number {
  return delivery.delivery % 1000;
}
