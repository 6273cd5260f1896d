import type { Delivery } from '../broker/broker.js';
import {
  InvalidPayloadError,
  LeaseUnprovenError,
  MalformedTaskError,
  TaskTimeoutError,
  WorkerShutdownError,
} from '../contract/errors.js';
import { decodePayload } from '../contract/payload-json.js';
import type { PayloadParsers } from '../contract/payload-parsers.js';
import type { ParsedPayload, PayloadParser } from '../contract/payload-schema.js';
import { decodeMessage, type TaskMessage, versionOf } from '../contract/task-message.js';
import type { ExecutionResult } from '../policy/outcome.js';
import {
  effectiveOptions,
  resolveContractOptions,
  type ResolvedTaskOptions,
} from '../policy/task-options.js';
import { isThenable } from '../runtime/thenable.js';
import { crashesOf, Execution, type Where } from './execution.js';
import type { HandlerDefinition } from './handler-registry.js';
import { type OlderPayloadParser, upgrading } from './payload-upgrade.js';
import type { ConsumerParts } from './worker-parts.js';

/** A handler with everything about it that can be known before the first task. */
interface PreparedHandler {
  readonly run: HandlerDefinition['run'];
  readonly version: number;
  readonly parse: PayloadParser;
  /** For payloads of a lower version than the handler's. */
  readonly parseOlder: OlderPayloadParser;
  readonly options: ResolvedTaskOptions;
}

/** What the executor tells its queue. */
export interface ExecutionObserver {
  /** The entry is no task; `message` when only its payload is wrong. */
  malformed(delivery: Delivery, error: MalformedTaskError, message?: TaskMessage): void;
  /** The handler is about to run. */
  started(execution: Execution): void;
  /** The task ends without its handler having run. */
  refused(
    delivery: Delivery,
    message: TaskMessage,
    result: ExecutionResult,
    options: ResolvedTaskOptions,
  ): void;
  /** The handler has returned or thrown. */
  ended(execution: Execution, result: ExecutionResult): void;
}

/**
 * Runs the tasks of one queue, or of one partition of it: decode, find the handler, parse the payload, run, tell. Steps in
 * that order.
 */
export class Executor {
  private readonly handlers: ReadonlyMap<string, PreparedHandler>;
  /** The same for every task. */
  private readonly where: Where;

  /** @throws ConfigurationError when a handler's options or schema cannot work */
  constructor(
    partition: string,
    private readonly parts: ConsumerParts,
    private readonly observer: ExecutionObserver,
  ) {
    const { registry, parsers, options, partitions } = parts;
    this.where = { queue: partitions.queueOf(partition), worker: parts.consumer };
    this.handlers = new Map(
      registry
        .of(this.where.queue)
        .map((handler) => [handler.type, prepared(handler, parsers, options.tasks)]),
    );
  }

  /** Runs one delivery. Whatever happens is told to the observer; nothing is thrown. */
  run(delivery: Delivery): void {
    const message = this.decode(delivery);
    if (!message) return;
    const handler = this.handlers.get(message.type);
    const options = effectiveOptions(handler?.options ?? this.parts.options.tasks, message.meta);
    const crashes = crashesOf(delivery);
    if (crashes > this.parts.options.worker.maxDeliveries) {
      this.observer.refused(delivery, message, { kind: 'crash-loop', deliveries: crashes - 1 }, options);
    } else if (!handler || versionOf(message.meta) > handler.version) {
      // The payload of a later version is not looked at: whatever this build made of it would be a guess.
      const result = { kind: 'no-handler', handlerVersion: handler?.version } as const;
      this.observer.refused(delivery, message, result, options);
    } else {
      this.parseAndRun(delivery, message, handler, options);
    }
  }

  private decode(delivery: Delivery): TaskMessage | undefined {
    try {
      return decodeMessage(delivery.fields, delivery.entryId);
    } catch (error) {
      this.observer.malformed(delivery, error as MalformedTaskError);
      return undefined;
    }
  }

  private parseAndRun(
    delivery: Delivery,
    message: TaskMessage,
    handler: PreparedHandler,
    options: ResolvedTaskOptions,
  ): void {
    const { payloadBytes: maxBytes, payloadDepth: maxDepth } = this.parts.options.limits;
    const decoded = decodePayload(message.payload, { maxBytes, maxDepth });
    if (!decoded.ok) {
      const { path, message: what } = decoded.issue;
      this.observer.malformed(
        delivery,
        new MalformedTaskError(`payload${path && ` at ${path}`} ${what}`),
        message,
      );
      return;
    }
    const startedAt = this.parts.clock.monotonicMs();
    const execution = new Execution(delivery, message, options, startedAt, this.where);
    this.observer.started(execution);
    this.invoke(execution, handler, decoded.value);
  }

  /**
   * Promises are only made where the upgrade, the schema or the handler makes one: most tasks end in the turn they
   * start in.
   */
  private invoke(execution: Execution, handler: PreparedHandler, payload: unknown): void {
    try {
      const { version } = execution.context;
      const parsed =
        version < handler.version ? handler.parseOlder(payload, version) : handler.parse(payload);
      if (parsed instanceof Promise) {
        parsed
          .then((answer) => this.runParsed(execution, handler, answer))
          .catch((error: unknown) => this.threw(execution, error));
      } else this.runParsed(execution, handler, parsed);
    } catch (error) {
      this.threw(execution, error);
    }
  }

  private runParsed(execution: Execution, handler: PreparedHandler, parsed: ParsedPayload): void {
    if (!parsed.ok) {
      const error = new InvalidPayloadError(execution.message.type, parsed.issues, { cause: parsed.cause });
      this.observer.ended(execution, { kind: 'invalid-payload', error });
      return;
    }
    // While the payload was waited for, the task may have been timed out, handed back or taken over.
    if (execution.abortedBy) return this.threw(execution, execution.abortedBy);
    const value = handler.run(parsed.value as never, execution.context);
    if (isThenable(value)) {
      value.then(
        (result) => this.observer.ended(execution, { kind: 'returned', value: result }),
        (error: unknown) => this.threw(execution, error),
      );
    } else this.observer.ended(execution, { kind: 'returned', value });
  }

  private threw(execution: Execution, error: unknown): void {
    this.observer.ended(execution, thrownResult(execution, error));
  }
}

function prepared(
  { type, run, payload, options }: HandlerDefinition,
  parsers: PayloadParsers,
  defaults: ResolvedTaskOptions,
): PreparedHandler {
  const resolved = resolveContractOptions(type, options, defaults);
  const { version, upgrade } = resolved;
  const parse = parsers.of(payload) ?? unchecked;
  return { run, version, parse, parseOlder: upgrade ? upgrading(upgrade, parse) : parse, options: resolved };
}

const unchecked: PayloadParser = (value) => ({ ok: true, value });

/** A handler that throws after it was told to stop failed for that reason, whatever it throws. */
export function thrownResult(execution: Execution, error: unknown): ExecutionResult {
  const { abortedBy } = execution;
  if (abortedBy instanceof WorkerShutdownError) return { kind: 'interrupted' };
  if (abortedBy instanceof LeaseUnprovenError) return { kind: 'interrupted' };
  if (abortedBy instanceof TaskTimeoutError && error !== abortedBy) abortedBy.cause ??= error;
  return { kind: 'threw', error: abortedBy ?? error };
}
