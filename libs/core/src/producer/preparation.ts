import type { NewTask } from '../broker/broker.js';
import type { Durability } from '../contract/durability.js';
import { ConfigurationError, InvalidPayloadError } from '../contract/errors.js';
import { isName, NAME_RULE } from '../contract/names.js';
import { encodePayload } from '../contract/payload-json.js';
import type { PayloadParsers } from '../contract/payload-parsers.js';
import type { ParsedPayload } from '../contract/payload-schema.js';
import { FIRST_VERSION, isVersion, VERSION_RULE } from '../contract/payload-version.js';
import type { AnyContract } from '../contract/task-contract.js';
import type { ResolvedEngineOptions } from '../policy/engine-options.js';
import type { Partitions } from '../policy/partitions.js';
import {
  type EnqueueOptions,
  resolveContractOptions,
  type ResolvedEnqueueOptions,
  resolveEnqueueOptions,
} from '../policy/task-options.js';
import { newTask } from './new-task.js';
import type { Placement } from './placement.js';

/** What a contract would say of a task type that is enqueued by name. */
export interface NamedTarget {
  /** @default 'default' */
  queue?: string;
  /** Version of the payload, 1 to 1000. @default 1 */
  version?: number;
}

/** What a call may say beside {@link EnqueueOptions}. */
export interface CallOptions extends EnqueueOptions {
  /** Ends the wait for room in a full queue (`whenFull: 'wait'`). */
  signal?: AbortSignal;
}

/** A task, and where it goes. */
export interface Prepared {
  readonly queue: string;
  /** What the broker calls the part of the queue that the task is kept in. */
  readonly partition: string;
  readonly durability: Durability;
  readonly task: NewTask;
  /** When its payload is found to be as it should. */
  readonly checked: void | Promise<void>;
}

/** Where a task goes unless the call says otherwise. */
interface Target {
  readonly queue: string;
  readonly priority: NewTask['lane'];
  readonly durability: Durability;
  readonly version: number;
}

/** What a preparation is made of. */
interface PreparationParts {
  readonly options: ResolvedEngineOptions;
  readonly partitions: Partitions;
  readonly placement: Placement;
  readonly parsers: PayloadParsers;
}

/** Makes of a call the task that it asks for, and finds out where that goes. */
export class Preparation {
  private readonly targets = new WeakMap<AnyContract, Target>();

  constructor(private readonly parts: PreparationParts) {}

  /**
   * @throws InvalidPayloadError JSON cannot hold the payload, or it is too large or deep, or a schema that answers at
   *   once refuses it
   * @throws ConfigurationError an option is wrong
   */
  prepare(
    target: AnyContract | string,
    payload: unknown,
    options: (CallOptions & NamedTarget) | undefined,
  ): Prepared {
    const contract = typeof target === 'string' ? undefined : target;
    const type = typeof target === 'string' ? target : target.type;
    if (!isName(type)) {
      throw new ConfigurationError('enqueue', [`type ${JSON.stringify(type)} must be ${NAME_RULE}`]);
    }
    const { queue, priority, durability, version } = contract
      ? this.targetOf(contract, options)
      : this.namedTarget(type, options);
    const json = this.encode(type, payload);
    const checked = this.check(type, contract, payload);
    const call = resolveCall(type, options);
    let partition = queue;
    const task = newTask({ type, version, payload, json, priority, call }, (uniqueKeys) => {
      const { id, partitionKey } = call;
      const place = this.parts.placement.place(queue, type, { id, partitionKey, uniqueKeys });
      ({ partition } = place);
      return place.id;
    });
    return { queue, partition, durability: call.durability ?? durability, task, checked };
  }

  private encode(type: string, payload: unknown): string {
    const { payloadBytes: maxBytes, payloadDepth: maxDepth } = this.parts.options.limits;
    const encoded = encodePayload(payload === undefined ? null : payload, { maxBytes, maxDepth });
    if (!encoded.ok) throw new InvalidPayloadError(type, [encoded.issue]);
    return encoded.value;
  }

  /** Holds the payload against the contract's schema. The input is what is stored, so handling parses it anew. */
  private check(type: string, contract: AnyContract | undefined, payload: unknown): void | Promise<void> {
    const answer = this.parts.parsers.of(contract?.payload)?.(payload);
    if (answer === undefined) return;
    const demand = (parsed: ParsedPayload): void => {
      if (!parsed.ok) throw new InvalidPayloadError(type, parsed.issues);
    };
    return answer instanceof Promise ? answer.then(demand) : demand(answer);
  }

  private targetOf(contract: AnyContract, options: NamedTarget | undefined): Target {
    if (options?.queue !== undefined) throw belongsToContract(contract, 'queue');
    if (options?.version !== undefined) throw belongsToContract(contract, 'version');
    let target = this.targets.get(contract);
    if (!target) {
      target = resolveContractOptions(contract.type, contract, this.parts.options.tasks);
      this.parts.partitions.demandQueue(target.queue, `enqueue "${contract.type}"`);
      this.targets.set(contract, target);
    }
    return target;
  }

  private namedTarget(type: string, options: NamedTarget = {}): Target {
    const { queue = 'default', version = FIRST_VERSION } = options;
    if (isName(queue) && isVersion(version)) {
      this.parts.partitions.demandQueue(queue, `enqueue "${type}"`);
      return { queue, priority: 'normal', durability: this.parts.options.tasks.durability, version };
    }
    throw new ConfigurationError(`enqueue "${type}"`, [
      ...(isName(queue) ? [] : [`queue ${JSON.stringify(queue)} must be ${NAME_RULE}`]),
      ...(isVersion(version) ? [] : [`version must be ${VERSION_RULE}`]),
    ]);
  }
}

function resolveCall(type: string, options: (CallOptions & NamedTarget) | undefined): ResolvedEnqueueOptions {
  if (options === undefined) return resolveEnqueueOptions(type, undefined);
  const { signal: _signal, queue: _queue, version: _version, ...call } = options;
  return resolveEnqueueOptions(type, call);
}

function belongsToContract({ type }: AnyContract, option: keyof NamedTarget): ConfigurationError {
  return new ConfigurationError(`enqueue "${type}"`, [
    `${option} belongs to the contract and cannot be given at the call`,
  ]);
}
