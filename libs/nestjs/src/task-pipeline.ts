import type { ArgumentsHost } from '@nestjs/common';
import { ApplicationConfig, ExternalContextCreator, type NestContainer } from '@nestjs/core';
import { isObservable, lastValueFrom } from 'rxjs';

/** What Nest makes of a handler's exception filters. */
interface FilterChain {
  next(error: unknown, host: ArgumentsHost): unknown;
  invokeCustomFilters(error: unknown, host: ArgumentsHost): unknown;
}

/**
 * The creator of handler pipelines: an own one, since Nest's caches what it read of a method's parameters under the
 * method's name, whoever asks. Without `globalEnhancers` it works on a view of the container whose application has no
 * global guards, interceptors, pipes and filters.
 */
export function createTaskPipeline(
  container: NestContainer,
  globalEnhancers: boolean,
): ExternalContextCreator {
  const view = globalEnhancers
    ? container
    : (Object.create(container, { applicationConfig: { value: new ApplicationConfig() } }) as NestContainer);
  const creator = ExternalContextCreator.fromContainer(view);
  settleErrorsHere(creator);
  return creator;
}

/**
 * Nest's last filter prints every error before it passes it on, and what a filter answers is taken as it comes. Tasks
 * have their own log, and a failure must not become a success because a filter was asynchronous: here the answer is
 * awaited, a filter that answers nothing has not handled the error, and then the task fails with it.
 */
function settleErrorsHere(creator: ExternalContextCreator): void {
  const contexts = Reflect.get(creator, 'filtersContextCreator') as { create?: unknown } | undefined;
  if (typeof contexts?.create !== 'function') return; // another Nest: its own way, which prints
  const create = contexts.create.bind(contexts) as (...args: unknown[]) => FilterChain;
  contexts.create = (...args: unknown[]): FilterChain => {
    const chain = create(...args);
    if (typeof chain.invokeCustomFilters !== 'function') return chain;
    const next = async (error: unknown, host: ArgumentsHost): Promise<unknown> => {
      const answer: unknown = await chain.invokeCustomFilters(error, host);
      const value = isObservable(answer) ? await lastValueFrom(answer, { defaultValue: undefined }) : answer;
      if (value === undefined || value === null) throw error;
      return value;
    };
    return { next, invokeCustomFilters: (error, host) => chain.invokeCustomFilters(error, host) };
  };
}
