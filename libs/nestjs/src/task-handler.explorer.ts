import { Injectable } from '@nestjs/common';
import { ModuleRef, ModulesContainer } from '@nestjs/core';
import {
  ConfigurationError,
  type HandlerDefinition,
  HandlerRegistrationError,
  HandlerRegistry,
  isName,
  NAME_RULE,
  PayloadParsers,
} from '@taskq/core';
import { classPayloadParser } from './class-payload-parser.js';
import { DeclaredContracts } from './declared-contracts.js';
import { containerOf } from './nest-internals.js';
import { globalFaults, type HandlerMethod, hasPipes, silentFaults } from './task-handler.checks.js';
import { type TaskHandlerMetadata, taskHandlersOf } from './task-handler.decorator.js';
import { TaskHandlerInvoker } from './task-handler.invoker.js';
import { contractProblems, type HandledTask, handledTask } from './task-handler.options.js';
import { findHandlerMethods } from './task-handler.scan.js';
import type { TaskQueueConnection } from './task-queue.connection.js';
import { TaskQueueConnections } from './task-queue.connections.js';
import { DEFAULT_CONNECTION } from './task-queue.options.js';

/** Finds the application's handlers and fills a registry for every connection. It starts nothing. */
@Injectable()
export class TaskHandlerExplorer {
  private readonly parsers = new PayloadParsers(classPayloadParser);
  private registries: ReadonlyMap<string, HandlerRegistry> | undefined;

  constructor(
    private readonly modules: ModulesContainer,
    private readonly moduleRef: ModuleRef,
    private readonly connections: TaskQueueConnections,
    private readonly invoker: TaskHandlerInvoker,
  ) {}

  /**
   * The handlers of a connection. All connections are looked at together, once, so that whatever is wrong anywhere is
   * said at once.
   * @throws HandlerRegistrationError naming everything that is wrong with handlers, contracts and declared queues
   */
  registryOf(connection: string): HandlerRegistry {
    this.registries ??= this.explore();
    return this.registries.get(connection) ?? new HandlerRegistry();
  }

  private explore(): ReadonlyMap<string, HandlerRegistry> {
    const registries = new Map(this.connections.names.map((name) => [name, new HandlerRegistry()]));
    const contracts = new DeclaredContracts(this.connections.declared);
    const problems = [
      ...this.connections.queueProblems,
      ...contracts.problems,
      ...this.featureProblems(),
      ...this.globalProblems(),
    ];
    for (const method of findHandlerMethods(this.modules)) {
      const handlers = taskHandlersOf(method.method);
      const found = handlers.flatMap((handler) => this.define(method, handler, contracts, registries));
      if (handlers.length === 0) found.push(REPLACED);
      problems.push(...found.map((problem) => `${whereOf(method)}: ${problem}`));
    }
    if (problems.length > 0) throw bootError([...new Set(problems)]);
    return registries;
  }

  /** Puts one handler into its registry, or answers what keeps it out. */
  private define(
    method: HandlerMethod,
    handler: TaskHandlerMetadata,
    contracts: DeclaredContracts,
    registries: ReadonlyMap<string, HandlerRegistry>,
  ): readonly string[] {
    const name = handler.options.connection ?? DEFAULT_CONNECTION;
    const connection = this.connections.get(name);
    const registry = registries.get(name);
    if (!connection || !registry) return [noConnection(name, this.connections.names)];
    try {
      const task = handledTask(handler, name, contracts);
      const problems = [...silentFaults(method, handler), ...this.taskProblems(task, connection)];
      if (problems.length > 0) return problems;
      registry.add(this.definition(method, handler, task, connection));
      return [];
    } catch (error) {
      if (error instanceof HandlerRegistrationError || error instanceof ConfigurationError)
        return [said(error)];
      throw error;
    }
  }

  private definition(
    method: HandlerMethod,
    { params }: TaskHandlerMetadata,
    { type, options, payload }: HandledTask,
    connection: TaskQueueConnection,
  ): HandlerDefinition {
    const { globalEnhancers } = connection.options;
    const bindsParams = params.decorated || globalEnhancers || hasPipes(method);
    const run = this.invoker.toFunction({ ...method, bindsParams, globalEnhancers });
    return { type, options, payload, run, where: whereOf(method) };
  }

  private taskProblems(task: HandledTask, { queue }: TaskQueueConnection): readonly string[] {
    if (!isName(task.type)) return [`task type ${JSON.stringify(task.type)} must be ${NAME_RULE}`];
    return contractProblems(task, queue.options.tasks, this.parsers);
  }

  private featureProblems(): readonly string[] {
    return this.connections.declared.flatMap(({ connection: name, contracts }) => {
      const connection = this.connections.get(name);
      if (!connection) return [`forFeature: ${noConnection(name, this.connections.names)}`];
      return contracts.flatMap((contract) => {
        const { type, payload, ...options } = contract;
        const found = contractProblems(
          { type, payload, options },
          connection.queue.options.tasks,
          this.parsers,
        );
        return found.map((problem) => `contract "${type}": ${problem}`);
      });
    });
  }

  private globalProblems(): readonly string[] {
    const asked = this.connections.names.some((name) => this.connections.get(name)?.options.globalEnhancers);
    const config = asked ? containerOf(this.moduleRef).applicationConfig : undefined;
    return config ? globalFaults(config) : [];
  }
}

const REPLACED =
  'a decorator above @TaskHandler put another function in its place and would leave out its guards; ' +
  'put @TaskHandler and the decorators of Nest on top';

function whereOf({ wrapper, classRef, name }: HandlerMethod): string {
  const module = wrapper.host?.metatype.name;
  return `${(classRef as { name?: string }).name ?? ''}.${name}${module ? ` (${module})` : ''}`;
}

function noConnection(name: string, known: readonly string[]): string {
  const configured = known.map((one) => `"${one}"`).join(', ') || 'none';
  return `there is no connection "${name}" (configured with forRoot: ${configured})`;
}

function said({ message, fix }: HandlerRegistrationError | ConfigurationError): string {
  return fix === undefined ? message : `${message}; ${fix}`;
}

function bootError(problems: readonly string[]): HandlerRegistrationError {
  const text =
    problems.length === 1 ? ` ${problems[0]}` : problems.map((problem) => `\n  - ${problem}`).join('');
  return new HandlerRegistrationError(`taskq cannot start:${text}`);
}
