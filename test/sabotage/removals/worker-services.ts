import type { Removal } from '../removal.js';

const WORKER = 'libs/core/src/worker';
const HEARTBEATER = `${WORKER}/heartbeater.ts`;
const FETCHER = `${WORKER}/fetcher.ts`;
const TASK_WORKER = `${WORKER}/task-worker.ts`;
const SERVICE = 'libs/core/src/runtime/service.ts';
const BOARD = 'libs/core/src/broker/lease-guard.ts';
const THREAD = 'libs/core/src/redis/lease-guard.thread.ts';
const ENGINE = ['libs/testing/src/memory-broker/engine.spec.ts'];
const SLOTS = ['test/worker/slots.spec.ts'];
const LEASES = ['test/worker/leases.spec.ts'];
const STOPPING = ['test/worker/stopping.spec.ts'];
const UPKEEP = ['test/worker/upkeep.spec.ts'];
const READS = [`${WORKER}/fetcher.spec.ts`];
const SERVICES = ['libs/core/src/runtime/service.spec.ts'];
const GUARD = ['libs/core/src/broker/lease-guard.spec.ts'];
const SHUTDOWN = ['test/integration/shutdown.spec.ts'];

/** Defences of a worker as a whole: that its leases live, that it never stalls, and that it stops well. */
export const workerServiceRemovals: readonly Removal[] = [
  {
    name: 'leases-are-renewed',
    defence: 'Without it every task that runs for longer than a lease runs twice.',
    file: HEARTBEATER,
    take: '    for (const lost of await this.broker.extend(runner.queue, this.consumer, leases)) runner.loseLease(lost);\n',
    witnesses: ENGINE,
  },
  {
    name: 'a-lost-lease-is-told-to-its-runner',
    defence: 'Without it nobody tells a handler that its task was taken over.',
    file: HEARTBEATER,
    take: 'runner.loseLease(lost);',
    by: 'void lost;',
    witnesses: LEASES,
  },
  {
    name: 'a-heartbeat-that-failed-is-repeated-soon',
    defence: 'Without it two answers lost in a row cost every lease.',
    file: HEARTBEATER,
    take: 'return this.options.everyMs / TRIES_PER_BEAT;',
    by: 'return undefined;',
    witnesses: LEASES,
  },
  {
    name: 'sweeps-are-held-after-an-outage',
    defence: 'Without it whoever is back first takes over everything that runs.',
    file: TASK_WORKER,
    take: '      if (silentMs > leaseMs * SHORT_OUTAGE) this.holdSweeps();\n',
    witnesses: LEASES,
  },
  {
    name: 'leases-are-renewed-as-soon-as-the-link-is-back',
    defence: 'Without it leases run out after an outage that they had just outlived.',
    file: TASK_WORKER,
    take: '      for (const { heartbeater } of this.caretakers) heartbeater.trigger();\n',
    witnesses: LEASES,
  },
  {
    name: 'a-free-slot-of-which-nobody-said-is-found',
    defence: 'Without it a queue whose slot was given up without a word never runs anything again.',
    file: FETCHER,
    take: '      this.lookLater();\n      this.rouse();\n',
    by: '      this.lookLater();\n',
    witnesses: [`${WORKER}/fetcher-rouse.spec.ts`],
  },
  {
    name: 'a-queue-that-nobody-cares-for-is-roused',
    defence: 'Without it a queue that lost a lease while a read waited for it never runs anything again.',
    file: FETCHER,
    take: '        this.rouse();\n',
    witnesses: [`${WORKER}/fetcher-rouse.spec.ts`],
  },
  {
    name: 'a-read-that-waits-for-the-wrong-queues-is-ended',
    defence: 'Without it a queue that has just become idle waits until the read of the others is over.',
    file: FETCHER,
    take: '    else if (runner.waits !== this.reading.has(runner)) void this.interrupt();\n',
    witnesses: READS,
  },
  {
    name: 'the-word-that-ends-a-read-is-repeated',
    defence: 'Without it a word that comes before Redis waits is lost, and stopping takes a whole read.',
    file: FETCHER,
    take: '    while (this.reading && this.isOutdated(this.reading)) {',
    by: '    if (this.reading && this.isOutdated(this.reading)) {',
    witnesses: STOPPING,
  },
  {
    name: 'a-reader-makes-missing-groups-again',
    defence: 'Without it a worker reads nothing any more after a flush.',
    file: FETCHER,
    take: 'broker.ensureQueue(queue).catch((): undefined => undefined)',
    by: "Promise.resolve(queue === '')",
    witnesses: ENGINE,
  },
  {
    name: 'a-reader-rests-after-a-failure',
    defence: 'Without it a worker whose Redis is away asks a thousand times a second, and floods the log.',
    file: FETCHER,
    take: 'pause * (0.5 + random())',
    by: '1',
    witnesses: READS,
  },
  {
    name: 'a-stalled-reader-says-so',
    defence: 'Without it health is green while nothing is read.',
    file: FETCHER,
    take: 'return stalled ? this.parts.clock.monotonicMs() - this.progressAt : 0;',
    by: 'return 0;',
    witnesses: UPKEEP,
  },
  {
    name: 'asking-is-no-progress',
    defence: 'Without it a worker that asks again and again in vain looks well.',
    file: FETCHER,
    take: 'if (heard || !this.wanted)',
    by: 'if (true)',
    witnesses: [...READS, ...UPKEEP],
  },
  {
    name: 'a-pass-that-fails-ends-no-service',
    defence: 'Without it one error ends the heartbeat, and with it every lease, while the process lives.',
    file: SERVICE,
    take: '      return (await this.runOnce()) ?? undefined;\n    } catch (error) {',
    by: '      return (await this.runOnce()) ?? undefined;\n    } catch (error) {\n      throw error;',
    witnesses: SERVICES,
  },
  {
    name: 'one-pass-at-a-time',
    defence: 'Without it a slow Redis is asked more often the slower it is.',
    file: SERVICE,
    take: '    if (this.underWay) this.again = true;\n    else this.run();',
    by: '    this.run();',
    witnesses: SERVICES,
  },
  {
    name: 'passes-are-spread',
    defence: 'Without it all workers of a deployment sweep in the same moment.',
    file: SERVICE,
    take: 'this.options.everyMs * (0.9 + 0.2 * this.options.random())',
    by: 'this.options.everyMs',
    witnesses: SERVICES,
  },
  {
    name: 'the-board-shows-no-lease-after-its-time',
    defence: 'Without it the thread keeps a handler’s task that blocks its process for good.',
    file: BOARD,
    take: ' || this.times[at / 8 + 2]! <= nowMs',
    witnesses: GUARD,
  },
  {
    name: 'half-of-two-leases-is-none',
    defence: 'Without it the thread renews a lease that never was.',
    file: BOARD,
    take: '    if (Atomics.load(this.states, state) !== before) return undefined;\n',
    witnesses: GUARD,
  },
  {
    name: 'a-thread-renews-what-a-blocked-process-holds',
    defence: 'Without it a task that computes for longer than a lease runs twice.',
    file: THREAD,
    take: 'const blocked = now - board.lastBeat > heartbeatMs * BLOCKED_AFTER_BEATS;',
    by: 'const blocked = false;',
    witnesses: ['test/integration/lease-guard.spec.ts'],
  },
  {
    name: 'queues-of-several-servers-are-cared-for-apart',
    defence:
      'Without it a server that hangs or is gone stops leases, sweeps and delayed tasks of all others.',
    file: TASK_WORKER,
    take: 'this.caretakers = parts.map(',
    by: 'this.caretakers = [parts.flat()].map(',
    witnesses: ['test/worker/apart.spec.ts'],
  },
  {
    name: 'a-blocked-process-keeps-what-can-be-reached',
    defence: 'Without it one master that is gone costs a blocked process the leases on all others.',
    file: 'libs/core/src/redis/lease-renewal.ts',
    take: 'const renewals = await Promise.allSettled(\n      queues.map(',
    by: 'const renewals: PromiseSettledResult<void>[] = await Promise.allSettled(\n      queues.slice(0, 1).map(',
    witnesses: ['libs/core/src/redis/lease-renewal.spec.ts'],
  },
  {
    name: 'no-two-workers-have-one-name',
    defence: 'Without it two workers of one process share a pending list, and neither’s leases are its own.',
    file: TASK_WORKER,
    take: "`${base}-${parts.randomBytes(6).toString('hex')}`",
    by: 'base',
    witnesses: SLOTS,
  },
  {
    name: 'leases-are-renewed-while-it-drains',
    defence: 'Without it a task that ends well during a long drain is started by a peer meanwhile.',
    file: TASK_WORKER,
    take: 'this.services.filter((service) => !this.keepers.includes(service))',
    by: 'this.services',
    witnesses: LEASES,
  },
  {
    name: 'a-drain-waits-for-handlers',
    defence: 'Without it every deployment interrupts whatever runs.',
    file: TASK_WORKER,
    take: '    await this.idle(() => this.drainEnds);\n',
    witnesses: SHUTDOWN,
  },
  {
    name: 'handlers-are-told-when-the-drain-is-over',
    defence: 'Without it a handler that could end early is cut off in the middle.',
    file: TASK_WORKER,
    take: '    for (const runner of this.runners) runner.abortAll();\n',
    witnesses: SHUTDOWN,
  },
  {
    name: 'what-has-not-ended-is-handed-back',
    defence: 'Without it a peer starts it after a whole lease, and counts a death.',
    file: TASK_WORKER,
    take: '    for (const runner of this.runners) runner.releaseAll();\n',
    witnesses: SHUTDOWN,
  },
  {
    name: 'a-second-stop-shortens-the-drain',
    defence: 'Without it nobody can hurry a worker that drains but by killing it.',
    file: TASK_WORKER,
    take: 'this.drainEnds = Math.min(',
    by: 'if (!this.stopping) this.drainEnds = Math.min(',
    witnesses: SHUTDOWN,
    only: 'second call',
  },
  {
    name: 'outcomes-are-settled-before-the-end',
    defence: 'Without it what ended in the last moment runs again.',
    file: TASK_WORKER,
    take: '    await atMost(clock, GOODBYE_MS, Promise.all(this.runners.map((runner) => runner.flushed())));\n',
    witnesses: STOPPING,
  },
  {
    name: 'saying-goodbye-takes-no-longer-than-it-may',
    defence: 'Without it a worker whose Redis is away never stops.',
    file: TASK_WORKER,
    take: 'await atMost(clock, GOODBYE_MS, Promise.all(this.runners.map((runner) => runner.flushed())));',
    by: 'await Promise.all(this.runners.map((runner) => runner.flushed()));',
    witnesses: STOPPING,
  },
  {
    name: 'a-worker-that-stops-removes-its-consumer',
    defence: 'Without it each deployment leaves consumers behind, and its duty with them.',
    file: TASK_WORKER,
    take: 'broker.removeConsumer(queue, this.consumer)',
    by: 'Promise.resolve(queue)',
    witnesses: SHUTDOWN,
  },
  {
    name: 'a-stop-waits-for-a-start-under-way',
    defence: 'Without it a worker that is stopped while it boots goes on to fetch.',
    file: TASK_WORKER,
    take: '    await this.starting?.catch(() => undefined);\n',
    witnesses: STOPPING,
  },
];
