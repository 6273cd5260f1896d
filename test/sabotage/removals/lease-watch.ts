import type { Removal } from '../removal.js';

const WORKER = 'libs/core/src/worker';
const WATCH = `${WORKER}/lease-watch.ts`;
const HEARTBEATER = `${WORKER}/heartbeater.ts`;
const TASK_WORKER = `${WORKER}/task-worker.ts`;
const THREAD = 'libs/core/src/redis/lease-guard.thread.ts';

const WATCHED = [`${WORKER}/lease-watch.spec.ts`];
const UNPROVEN = ['test/worker/unproven.spec.ts'];

/** Defences of a worker that Redis does not hear: that it knows when a peer may have its tasks, and when not. */
export const leaseWatchRemovals: readonly Removal[] = [
  {
    name: 'a-lease-that-cannot-be-proven-is-told-of',
    defence: 'Without it nobody hears that a worker without Redis works on what a peer may have.',
    file: WATCH,
    take: "    events.emit('task.unproven', { ...factOf(delivery.queue, message), silentMs });\n",
    witnesses: [...WATCHED, ...UNPROVEN],
  },
  {
    name: 'a-handler-is-aborted-before-a-peer-may-start-its-task',
    defence:
      'Without it a worker that is cut off makes side effects beside the peer that took its task over.',
    file: WATCH,
    take: '      execution.abort(new LeaseUnprovenError(`${why}, and another worker may take it over`));\n',
    witnesses: ['test/integration/partition.spec.ts'],
  },
  {
    name: 'a-lease-is-not-proven-to-its-very-end',
    defence: 'Without it a handler is told to stop in the moment in which a peer may start.',
    file: WATCH,
    take: 'leaseMs * PROVEN_PART',
    by: 'leaseMs',
    witnesses: UNPROVEN,
  },
  {
    name: 'handlers-go-on-unless-told-otherwise',
    defence: 'Without it an outage of Redis as a whole makes work be done twice that would be done once.',
    file: WATCH,
    take: "options.worker.whenUnproven === 'abort'",
    by: 'true',
    witnesses: [...WATCHED, ...UNPROVEN],
  },
  {
    name: 'a-heartbeat-that-succeeded-proves-the-leases',
    defence:
      'Without it every task that runs for longer than a lease is told of, and aborted, though all is well.',
    file: HEARTBEATER,
    take: '    this.watch.renewed(runner, sentAt);\n',
    witnesses: UNPROVEN,
  },
  {
    name: 'a-renewal-counts-from-before-it-was-sent',
    defence: 'Without it an answer that comes late makes a lease seem to last longer than it does in Redis.',
    file: HEARTBEATER,
    take: 'this.watch.renewed(runner, sentAt);',
    by: 'this.watch.renewed(runner, Math.max(sentAt, this.options.clock.monotonicMs()));',
    witnesses: UNPROVEN,
  },
  {
    name: 'the-watch-comes-when-a-lease-is-over',
    defence: 'Without it a handler is told a sixth of a lease late, when the peer works already.',
    file: WATCH,
    take: '    for (const runner of this.runners) nextMs = Math.min(nextMs, this.look(runner, now));',
    by: '    for (const runner of this.runners) this.look(runner, now);',
    witnesses: [...WATCHED, ...UNPROVEN],
  },
  {
    name: 'what-the-guard-renewed-is-proven',
    defence:
      'Without it a task that computes for long is told of, and aborted, though a thread kept its lease.',
    file: THREAD,
    take: '      board.renewed(now);\n',
    witnesses: ['test/integration/lease-guard.spec.ts'],
  },
  {
    name: 'the-guard-proves-only-what-is-on-the-board',
    defence: 'Without it a lease that found no row on a full board seems to be renewed by the thread.',
    file: WATCH,
    take: 'execution.row < 0 ? Number.NEGATIVE_INFINITY : guardedAt',
    by: 'guardedAt',
    witnesses: WATCHED,
  },
  {
    name: 'a-handler-is-told-once-that-its-lease-is-not-proven',
    defence: 'Without it an outage of an hour fills the log with one line a moment for every task.',
    file: WATCH,
    take: '      if (execution.unproven) continue;\n',
    witnesses: [...WATCHED, ...UNPROVEN],
  },
  {
    name: 'the-watch-goes-on-while-it-drains',
    defence:
      'Without it a handler that ends during a long drain is never told that a peer may have its task.',
    file: TASK_WORKER,
    take: '!this.keepers.includes(service)',
    by: '!this.keepers.slice(1).includes(service)',
    witnesses: UNPROVEN,
  },
  {
    name: 'a-stop-counts-what-it-hands-back-itself',
    defence: 'Without it a stop reports as released what was handed back long before, and done since.',
    file: TASK_WORKER,
    take: 'this.releasedTasks() - releasedBefore',
    by: 'this.releasedTasks() - Math.min(0, releasedBefore)',
    witnesses: UNPROVEN,
  },
];
