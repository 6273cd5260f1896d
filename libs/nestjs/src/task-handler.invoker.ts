import { Injectable } from '@nestjs/common';
import { ContextIdFactory, type ExternalContextCreator, ModuleRef } from '@nestjs/core';
import type { InstanceWrapper } from '@nestjs/core/injector/instance-wrapper.js';
import { REQUEST_CONTEXT_ID } from '@nestjs/core/router/request/request-constants.js';
import { type HandlerDefinition, HandlerRegistrationError, type TaskContext } from '@taskq/core';
import { TASK_CONTEXT_TYPE } from './execution-context.js';
import { containerOf } from './nest-internals.js';
import { createTaskPipeline } from './task-pipeline.js';
import { PARAM_KIND, TASK_PARAMS } from './task-params.decorator.js';

/** A method, where Nest keeps the object it belongs to, and how it wants to be called. */
export interface TaskMethod {
  readonly wrapper: InstanceWrapper;
  readonly name: string;
  /** The method as its class has it, with what decorators left on it. */
  readonly method: object;
  /** Whether Nest has to look at the parameters: one has a decorator, or a pipe applies to all. */
  readonly bindsParams: boolean;
  readonly globalEnhancers: boolean;
}

type Run = HandlerDefinition['run'];
type Instance = Record<string, (...args: unknown[]) => unknown>;

const ENHANCERS = { guards: true, interceptors: true, filters: true };

/** Where Nest's pipeline finds the arguments of a task. */
const PARAMS = {
  exchangeKeyForValue: (kind: number, _data: unknown, [payload, context]: readonly unknown[]): unknown =>
    kind === PARAM_KIND.payload ? payload : context,
};

/** Turns methods of providers into plain functions that run them through Nest's pipeline. */
@Injectable()
export class TaskHandlerInvoker {
  private readonly pipelines = new Map<boolean, ExternalContextCreator>();

  constructor(private readonly moduleRef: ModuleRef) {}

  /**
   * The function that runs a method. Everything is prepared here when the provider lives as long as the application;
   * a request-scoped one is made anew, with all that depends on the request, for every task.
   */
  toFunction(method: TaskMethod): Run {
    const { wrapper } = method;
    if (!wrapper.isDependencyTreeStatic()) return this.scoped(method);
    return this.bind(method, wrapper.instance as Instance);
  }

  private scoped(method: TaskMethod): Run {
    const { wrapper } = method;
    const moduleRef = wrapper.host?.getProviderByKey<ModuleRef>(ModuleRef).instance;
    if (!moduleRef) throw new HandlerRegistrationError(`${wrapper.name} belongs to no module`);
    const durable = wrapper.isDependencyTreeDurable();
    return async (payload, context) => {
      const contextId = ContextIdFactory.getByRequest(context as TaskContext & Record<string, unknown>);
      Object.defineProperty(context, REQUEST_CONTEXT_ID, { value: contextId, configurable: true });
      moduleRef.registerRequestByContextId(durable ? contextId.payload : context, contextId);
      const instance = await moduleRef.resolve<Instance>(wrapper.token, contextId, { strict: true });
      return this.bind(method, instance, contextId)(payload, context);
    };
  }

  private bind(method: TaskMethod, instance: Instance, contextId?: { id: number }): Run {
    const { wrapper, name, bindsParams, globalEnhancers } = method;
    const callback = instance[name]!;
    if (callback !== method.method) copyMetadata(method.method, callback);
    return this.pipeline(globalEnhancers).create(
      instance,
      callback,
      name,
      bindsParams ? TASK_PARAMS : undefined,
      bindsParams ? PARAMS : undefined,
      contextId,
      contextId && wrapper.id,
      ENHANCERS,
      TASK_CONTEXT_TYPE,
    );
  }

  private pipeline(globalEnhancers: boolean): ExternalContextCreator {
    let pipeline = this.pipelines.get(globalEnhancers);
    if (!pipeline) {
      pipeline = createTaskPipeline(containerOf(this.moduleRef), globalEnhancers);
      this.pipelines.set(globalEnhancers, pipeline);
    }
    return pipeline;
  }
}

/** Whoever wraps a method, for tracing say, must not take its guards away. */
function copyMetadata(from: object, to: object): void {
  for (const key of Reflect.getOwnMetadataKeys(from)) {
    if (!Reflect.hasOwnMetadata(key, to)) Reflect.defineMetadata(key, Reflect.getOwnMetadata(key, from), to);
  }
}
