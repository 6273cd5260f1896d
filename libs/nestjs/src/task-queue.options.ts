import {
  ConfigurationError,
  type EngineOptions,
  group,
  isName,
  NAME_RULE,
  oneOf,
  type OptionField,
  type OptionFields,
  resolveEngineOptions,
} from '@taskq/core';

/** Name of the connection that is meant when none is named. */
export const DEFAULT_CONNECTION = 'default';

/** Options of one connection: those of the engine, and what this process does with it. */
export interface TaskQueueModuleOptions extends EngineOptions {
  /**
   * What this process does: enqueue only, or handle tasks as well. With `'producer'` no worker is made, whatever
   * handlers there are; `'worker'` warns when there are none. Every process can enqueue. @default 'both'
   */
  role?: 'producer' | 'worker' | 'both';
  /**
   * Whether the worker starts when the application has started. With `false`, inject `TaskWorkerHost` and call
   * `start()` when the application is ready for tasks. @default true
   */
  autoStart?: boolean;
  /**
   * Whether `APP_GUARD`, `useGlobalInterceptors()` and their like apply to tasks too. Most of them know HTTP only, so
   * they do not, as in Nest's own hybrid applications. @default false
   */
  globalEnhancers?: boolean;
}

/** {@link TaskQueueModuleOptions} with the module's part resolved; the engine resolves its own. */
export interface ResolvedModuleOptions {
  readonly engine: EngineOptions;
  readonly role: 'producer' | 'worker' | 'both';
  readonly autoStart: boolean;
  readonly globalEnhancers: boolean;
}

/** Implemented by a class given as `useClass` or `useExisting` to `forRootAsync`. */
export interface TaskQueueOptionsFactory {
  createTaskQueueOptions(): TaskQueueModuleOptions | Promise<TaskQueueModuleOptions>;
}

type Written = Required<{ [K in keyof TaskQueueModuleOptions]: unknown }>;

/** Checked by the engine, with all that is in them. */
const engineField: OptionField<unknown> = (value) => value;

const FIELDS: OptionFields<Written> = {
  role: oneOf(['producer', 'worker', 'both'], 'both'),
  autoStart: oneOf([true, false], true),
  globalEnhancers: oneOf([true, false], false),
  redis: engineField,
  prefix: engineField,
  tasks: engineField,
  queueDefaults: engineField,
  queues: engineField,
  worker: engineField,
  producer: engineField,
  limits: engineField,
};

/**
 * Tells the module's options from the engine's.
 * @throws ConfigurationError with a line for every wrong or unknown option of either
 */
export function resolveModuleOptions(
  connection: string,
  options: TaskQueueModuleOptions | undefined,
): ResolvedModuleOptions {
  const problems: string[] = [];
  if (!isName(connection)) problems.push(`name ${JSON.stringify(connection)} must be ${NAME_RULE}`);
  const { name: misplaced, ...written } = (options ?? {}) as TaskQueueModuleOptions & { name?: unknown };
  if (misplaced !== undefined) {
    problems.push('name belongs beside useFactory, useClass or useExisting, not into what they return');
  }
  const { role, autoStart, globalEnhancers, ...engine } = group(FIELDS)(written, '', problems);
  problems.push(...problemsOf(() => resolveEngineOptions(engine as EngineOptions)));
  if (problems.length > 0) {
    const of = connection === DEFAULT_CONNECTION ? '' : ` of connection ${JSON.stringify(connection)}`;
    throw new ConfigurationError(`taskq options${of}`, problems);
  }
  return {
    engine: engine as EngineOptions,
    role: role as ResolvedModuleOptions['role'],
    autoStart: autoStart as boolean,
    globalEnhancers: globalEnhancers as boolean,
  };
}

/** What a check finds wrong, line by line, instead of what it throws. */
export function problemsOf(check: () => unknown): readonly string[] {
  try {
    check();
    return [];
  } catch (error) {
    if (error instanceof ConfigurationError) return error.problems;
    throw error;
  }
}
