import type { Removal } from '../removal.js';

const NEST = 'libs/nestjs/src';
const HOST = `${NEST}/task-worker.host.ts`;
const CHECKS = `${NEST}/task-handler.checks.ts`;
const CONNECTIONS = `${NEST}/task-queue.connections.ts`;
const PIPELINE = `${NEST}/task-pipeline.ts`;
const HEALTH = `${NEST}/terminus/task-queue.health.ts`;
const VERDICT = `${NEST}/terminus/health-verdict.ts`;
const VERDICTS = [`${NEST}/terminus/health-verdict.spec.ts`];

const LIFECYCLE = ['test/nest/lifecycle.spec.ts'];
const BOOT = ['test/nest/boot-errors.spec.ts'];
const PIPES = ['test/nest/pipeline.spec.ts'];
const PAYLOADS = ['test/nest/payloads.spec.ts'];

/** Defences in the life of a Nest application, and against what Nest does in silence. */
export const nestRemovals: readonly Removal[] = [
  {
    name: 'the-worker-stops-before-what-it-uses',
    defence: 'Without it handlers that drain find the database of their application closed.',
    file: `${NEST}/task-queue.module.ts`,
    take: '    initLastDestroyFirst(modules, TaskQueueModule);\n',
    witnesses: LIFECYCLE,
  },
  {
    name: 'an-application-that-ends-drains-its-worker',
    defence: 'Without it handlers are cut off when modules are destroyed.',
    file: HOST,
    take: '    await this.connections.drain();\n',
    witnesses: LIFECYCLE,
  },
  {
    name: 'connections-drain-together',
    defence: 'Without it two connections take twice the grace that the orchestrator gives.',
    file: CONNECTIONS,
    take: 'await Promise.all([...this.opened.values()].map((connection) => connection.drain()));',
    by: 'for (const connection of this.opened.values()) await connection.drain();',
    witnesses: LIFECYCLE,
  },
  {
    name: 'the-worker-ends-before-its-connection',
    defence: 'Without it an application that fails to start closes the connection under its running worker.',
    file: `${NEST}/task-queue.connection.ts`,
    take: '    await this.drain();\n',
    witnesses: [...BOOT, ...LIFECYCLE],
  },
  {
    name: 'an-application-that-does-not-start-leaves-nothing-open',
    defence: 'Without it a process whose start failed hangs instead of ending.',
    file: HOST,
    take: '      await this.connections.abandon();\n',
    witnesses: BOOT,
  },
  {
    name: 'a-second-signal-hurries',
    defence: 'Without it nobody can end a drain but by killing the process.',
    file: HOST,
    take: '() => void worker.stop({ drainTimeoutMs: 0 }),',
    by: '() => undefined,',
    witnesses: LIFECYCLE,
  },
  {
    name: 'a-third-signal-ends',
    defence: 'Without it a handler that never looks up keeps a terminal waiting through the whole grace.',
    file: HOST,
    take: '(signal) => exitBy(signal, logger),',
    by: '() => undefined,',
    witnesses: LIFECYCLE,
  },
  {
    name: 'a-process-that-nothing-tells-to-stop-is-warned-of',
    defence: 'Without it every deployment kills running handlers, and nobody knows why.',
    file: HOST,
    take: 'this.forgetWarning = warnWithoutShutdownHooks(logger);',
    witnesses: LIFECYCLE,
  },
  {
    name: 'a-worker-that-was-stopped-is-not-started-again',
    defence:
      'Without it an application that starts its worker while it is closed works on without a connection.',
    file: HOST,
    take: "    if (this.stopped) throw new LifecycleError('the worker was stopped and cannot be started again');\n",
    witnesses: ['test/nest/module.spec.ts', ...LIFECYCLE],
  },
  {
    name: 'two-handlers-for-one-type-are-refused',
    defence: 'Without it one of two handlers never runs, by the order of modules.',
    file: 'libs/core/src/worker/handler-registry.ts',
    take: '    if (other) {',
    by: '    if (false) {',
    witnesses: BOOT,
  },
  {
    name: 'a-transient-handler-is-refused',
    defence: 'Without it a handler runs on an object without its dependencies.',
    file: CHECKS,
    take: 'if (handler.wrapper.isTransient) {',
    by: 'if (false) {',
    witnesses: BOOT,
  },
  {
    name: 'a-guard-that-nest-would-leave-out-is-refused',
    defence: 'Without it a handler runs without the guard that stands above it.',
    file: CHECKS,
    take: '  if (!made) {',
    by: '  if (false) {',
    witnesses: BOOT,
  },
  {
    name: 'a-parameter-that-nobody-would-fill-is-refused',
    defence: 'Without it a handler runs with undefined for its payload.',
    file: CHECKS,
    take: 'return [...paramFaults(params), ...enhancerFaults(handler)];',
    by: 'return enhancerFaults(handler);',
    witnesses: BOOT,
  },
  {
    name: 'a-handler-that-was-replaced-is-refused',
    defence: 'Without it a handler, and its guards, are lost to a decorator above them.',
    file: `${NEST}/task-handler.explorer.ts`,
    take: '      if (handlers.length === 0) found.push(REPLACED);\n',
    witnesses: BOOT,
  },
  {
    name: 'a-name-is-one-connection',
    defence: 'Without it one of two connections with a name is used by nobody, and never closed.',
    file: CONNECTIONS,
    take: 'if (this.opening.has(name)) {',
    by: 'if (false) {',
    witnesses: BOOT,
  },
  {
    name: 'a-wrapped-method-keeps-its-guards',
    defence: 'Without it whoever wraps a method, for tracing say, takes its guards away.',
    file: `${NEST}/task-handler.invoker.ts`,
    take: '    if (callback !== method.method) copyMetadata(method.method, callback);\n',
    witnesses: [...PIPES, 'test/nest/handlers.spec.ts'],
  },
  {
    name: 'a-filter-that-answers-nothing-has-not-handled-the-error',
    defence: 'Without it a task that failed is completed because a filter looked at its error.',
    file: PIPELINE,
    take: '      if (value === undefined || value === null) throw error;\n',
    witnesses: PIPES,
    only: 'exception filters',
  },
  {
    name: 'global-guards-are-for-those-who-ask',
    defence: 'Without it a guard that reads an HTTP request stops every task.',
    file: PIPELINE,
    take: 'const view = globalEnhancers\n',
    by: 'const view = true\n',
    witnesses: PIPES,
  },
  {
    name: 'a-payload-class-drops-what-it-does-not-know',
    defence: 'Without it a handler is given properties that nobody has checked.',
    file: `${NEST}/class-payload-parser.ts`,
    take: 'whitelist: true,',
    by: 'whitelist: false,',
    witnesses: [`${NEST}/class-payload-parser.spec.ts`],
  },
  {
    name: 'a-payload-class-is-checked',
    defence: 'Without it a payload class is a type that nobody holds a payload against.',
    file: `${NEST}/class-payload-parser.ts`,
    take: 'const errors = await validate(instance, VALIDATION);',
    by: 'const errors: ValidationError[] = [];',
    witnesses: PAYLOADS,
  },
  {
    name: 'a-class-that-would-refuse-everything-is-refused',
    defence: 'Without it a class without decorators kills each of its tasks instead of the start.',
    file: `${NEST}/class-payload-parser.ts`,
    take: "if (storage.getTargetValidationMetadatas(payloadClass, '', false, false).length === 0) {",
    by: 'if (false) {',
    witnesses: [`${NEST}/class-payload-parser.spec.ts`],
  },
  {
    name: 'a-thrown-value-is-not-logged',
    defence: 'Without it a handler that throws its payload writes it into the log.',
    file: `${NEST}/task-log.ts`,
    take: ': `thrown ${typeof error}`',
    by: ': `thrown ${JSON.stringify(error)}`',
    witnesses: [`${NEST}/task-log.spec.ts`],
  },
  {
    name: 'health-is-red-when-a-worker-does-not-get-on',
    defence: 'Without it an orchestrator leaves a stalled worker as it is.',
    file: VERDICT,
    take: 'if (worker.lastProgressMs > STALLED_AFTER_READS * blockMs)',
    by: 'if (false)',
    witnesses: VERDICTS,
  },
  {
    name: 'health-is-red-when-a-worker-was-stopped',
    defence: 'Without it a process whose worker has ended looks well.',
    file: VERDICT,
    take: "if (worker?.state !== 'running')",
    by: 'if (!worker)',
    witnesses: VERDICTS,
  },
  {
    name: 'health-is-red-when-every-slot-is-stuck',
    defence: 'Without it a process that can run nothing any more is left as it is.',
    file: VERDICT,
    take: 'if (worker.queues.length > 0 && worker.queues.every(isStuck))',
    by: 'if (false)',
    witnesses: VERDICTS,
  },
  {
    name: 'health-shows-a-server-that-is-unfit',
    defence: 'Without it a failover to a server that deletes tasks is a line in a log that nobody reads.',
    file: VERDICT,
    take: ', ...facts.unfit',
    witnesses: VERDICTS,
  },
  {
    name: 'health-asks-for-what-is-unfit',
    defence: 'Without it the same line is all there is, whatever the verdict would be.',
    file: HEALTH,
    take: '(broker as Partial<RedisBroker>).unfit ?? []',
    by: '[]',
    witnesses: ['test/nest/successor.spec.ts'],
  },
  {
    name: 'health-answers-in-time',
    defence: 'Without it the check itself hangs with Redis, and times out without a reason.',
    file: HEALTH,
    take: 'await within(timeoutMs, askRedis(queue, names))',
    by: 'await askRedis(queue, names)',
    witnesses: ['test/nest/health.spec.ts'],
  },
  {
    name: 'a-handler-has-the-version-of-its-contract',
    defence: 'Without it a handler takes payloads of a version that its schema does not describe.',
    file: `${NEST}/task-handler.options.ts`,
    take: '    ...versionProblems(contract, written),\n',
    witnesses: BOOT,
  },
];
