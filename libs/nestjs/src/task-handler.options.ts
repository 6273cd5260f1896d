import {
  type AnyContract,
  type ContractOptions,
  group,
  type OptionFields,
  PayloadParsers,
  type PayloadSchema,
  resolveContractOptions,
  type ResolvedEngineOptions,
} from '@taskq/core';
import type { DeclaredContracts } from './declared-contracts.js';
import type { TaskHandlerMetadata, TaskHandlerOptions } from './task-handler.decorator.js';
import { problemsOf } from './task-queue.options.js';

/** A task as its handler sees it: the contract, with what the handler says of itself on top. */
export interface HandledTask {
  readonly type: string;
  readonly payload: PayloadSchema | undefined;
  readonly options: ContractOptions;
  readonly contract?: AnyContract | undefined;
  /** Options that the handler was given, as they were written. */
  readonly written?: TaskHandlerOptions;
}

/**
 * What a `@TaskHandler` handles: the contract it was given, or the one that a feature declared for the name.
 * @throws HandlerRegistrationError when the name could mean several contracts
 */
export function handledTask(
  { target, options: written }: TaskHandlerMetadata,
  connection: string,
  contracts: DeclaredContracts,
): HandledTask {
  const { connection: _connection, ...own } = written;
  const contract = typeof target === 'string' ? contracts.find(connection, target, own.queue) : target;
  const said = Object.fromEntries(Object.entries(own).filter(([, value]) => value !== undefined));
  if (typeof target === 'string' && !contract)
    return { type: target, payload: undefined, options: said, written };
  const { type, payload, ...options } = contract!;
  return { type, payload, options: { ...options, ...said }, contract, written };
}

/** What is wrong with a task's options and payload schema, line by line. */
export function contractProblems(
  { type, payload, options, contract, written = {} }: HandledTask,
  defaults: ResolvedEngineOptions['tasks'],
  parsers: PayloadParsers,
): readonly string[] {
  const unknown: string[] = [];
  group(KNOWN)({ ...written }, '', unknown);
  return [
    ...unknown,
    ...problemsOf(() => resolveContractOptions(type, options, defaults)),
    ...problemsOf(() => parsers.of(payload)),
    ...versionProblems(contract, written),
  ];
}

/** The contract's schema describes the contract's version: a handler that said another would be given the wrong one. */
function versionProblems(
  contract: AnyContract | undefined,
  { version }: TaskHandlerOptions,
): readonly string[] {
  const { version: contracted = 1 } = contract ?? {};
  if (!contract || version === undefined || version === contracted) return [];
  return [
    `version ${String(version)} is not the contract's, which is ${contracted}: leave it to the contract`,
  ];
}

/** The names only: what is in them is checked with the contract's. */
const any = (value: unknown): unknown => value;
const KNOWN: OptionFields<Required<{ [K in keyof TaskHandlerOptions]: unknown }>> = {
  connection: any,
  queue: any,
  priority: any,
  maxAttempts: any,
  timeout: any,
  backoff: any,
  durability: any,
  retryDelay: any,
  version: any,
  upgrade: any,
};
