import type { Removal } from '../removal.js';

const WORKER = 'libs/core/src/worker';
const RECLAIMER = `${WORKER}/reclaimer.ts`;
const PROMOTER = `${WORKER}/promoter.ts`;
const JANITOR = `${WORKER}/janitor.ts`;
const SLOTS = ['test/worker/slots.spec.ts'];
const LEASES = ['test/worker/leases.spec.ts'];
const UPKEEP = ['test/worker/upkeep.spec.ts'];
const SWEEPS = [`${WORKER}/reclaimer.spec.ts`];
const PROMOTES = [`${WORKER}/promoter.spec.ts`];

/** Defences of what a worker does beside its tasks: taking over, promoting, cleaning up. */
export const workerUpkeepRemovals: readonly Removal[] = [
  {
    name: 'sweeps-are-held-after-one-that-came-late',
    defence: 'Without it the next sweep after Redis stood still takes over everything that runs.',
    file: RECLAIMER,
    take: '    if (answer.late) this.hold();\n',
    witnesses: SWEEPS,
  },
  {
    name: 'sweeps-are-held-when-the-clock-of-redis-is-set',
    defence: 'Without it a clock that is set forward ends every lease at once.',
    file: RECLAIMER,
    take: '    if (offset - known > this.times.lateMs) this.hold();\n',
    witnesses: SWEEPS,
  },
  {
    name: 'sweeps-are-held-after-a-look-that-came-late',
    defence:
      'Without it the sweep that is sent when Redis goes on is in time, and takes over everything that runs.',
    file: RECLAIMER,
    take: '    if (due.late) this.hold();\n',
    witnesses: SWEEPS,
  },
  {
    name: 'the-clock-of-redis-is-watched-though-nothing-is-swept',
    defence: 'Without it a clock that was set forward while a queue was idle ends every lease at once.',
    file: RECLAIMER,
    take: '    for (const queue of queues) this.learnClock(queue);\n',
    witnesses: SWEEPS,
  },
  {
    name: 'a-sweep-is-no-gate-for-the-next-of-the-same-worker',
    defence: 'Without it every second sweep of a lone worker finds the gate closed by the one before.',
    file: RECLAIMER,
    take: 'this.options.everyMs * GATE_SHARE',
    by: 'this.options.everyMs',
    witnesses: SWEEPS,
  },
  {
    name: 'a-look-comes-when-the-hold-is-over',
    defence: 'Without it tasks of the dead wait for a sixth of a lease more than the hold.',
    file: RECLAIMER,
    take: '    if (this.heldMs > 0) this.lookAt = Math.min(this.lookAt, this.heldUntil);\n',
    witnesses: SWEEPS,
  },
  {
    name: 'slots-that-are-kept-for-nothing-are-given-up',
    defence: 'Without it a queue whose dead were taken over by others keeps slots for them for good.',
    file: RECLAIMER,
    take: ' && !this.leftIn.has(runner.queue)',
    witnesses: SWEEPS,
  },
  {
    name: 'a-hold-leaves-what-was-handed-back-to-be-taken',
    defence: 'Without it a queue that was left in the middle gives nothing back while the hold lasts.',
    file: RECLAIMER,
    take: ' || this.heldMs > 0) return false;',
    by: ') return false;',
    witnesses: SWEEPS,
  },
  {
    name: 'a-worker-takes-nothing-over-that-it-works-on',
    defence: 'Without it a worker whose heartbeat was late takes its own running tasks over.',
    file: RECLAIMER,
    take: 'return own.filter((entry) => !held.has(name(entry)));',
    by: 'return own;',
    witnesses: LEASES,
  },
  {
    name: 'what-one-works-on-is-known-by-its-lane',
    defence: 'Without it a ghost on one lane is left for as long as its namesake on another is run.',
    file: RECLAIMER,
    take: '`${lane} ${entryId}`',
    by: 'entryId',
    witnesses: SWEEPS,
  },
  {
    name: 'no-suspect-is-asked-for-beside-another',
    defence: 'Without it two tasks that kill their process run in it at once.',
    file: RECLAIMER,
    take: 'suspects: !runner.hasSuspect,',
    by: 'suspects: true,',
    witnesses: SLOTS,
  },
  {
    name: 'a-sweep-asks-for-no-more-than-there-are-slots',
    defence: 'Without it tasks of the dead go from one full worker to the next.',
    file: RECLAIMER,
    take: 'Math.min(runner.room, runner.page, PAGE)',
    by: 'PAGE',
    witnesses: LEASES,
  },
  {
    name: 'a-sweep-goes-on-in-the-next-pass',
    defence: 'Without it a hundred tasks that are being run hide all tasks of the dead behind them.',
    file: RECLAIMER,
    take: 'if (cursor) this.cursors.set(runner.queue, cursor);\n      else this',
    by: 'if (!cursor) this',
    witnesses: SWEEPS,
  },
  {
    name: 'a-promoter-that-is-woken-takes-the-duty-over',
    defence: 'Without it a short delay lasts until whoever has the duty looks again.',
    file: PROMOTER,
    take: 'takeOver: wakeEntryId !== undefined,',
    by: 'takeOver: false,',
    witnesses: UPKEEP,
  },
  {
    name: 'a-promoter-comes-when-something-is-due',
    defence: 'Without it every delay is rounded up to the next second.',
    file: PROMOTER,
    take: 'Math.min(this.lookAt, ...this.dueAt.values())',
    by: 'this.lookAt',
    witnesses: UPKEEP,
  },
  {
    name: 'a-duty-that-was-taken-when-nothing-waited-is-kept',
    defence: 'Without it another worker takes it a second later, and both promote.',
    file: PROMOTER,
    take: '    this.lookAt = Math.min(this.lookAt, this.nowMs + this.options.everyMs);\n',
    witnesses: PROMOTES,
  },
  {
    name: 'a-queue-that-cannot-be-promoted-delays-no-other',
    defence: 'Without it one key that holds something else rounds every delay up to the next second.',
    file: PROMOTER,
    take: '      logger.warn(`${name}: ${error instanceof Error ? error.message : String(error)}`);\n',
    by: '      logger.warn(name);\n      throw error;\n',
    witnesses: PROMOTES,
  },
  {
    name: 'the-janitor-never-removes-itself',
    defence: 'Without it an idle worker removes the consumer that it is.',
    file: JANITOR,
    take: 'name === this.consumer || ',
    witnesses: UPKEEP,
  },
  {
    name: 'the-janitor-leaves-the-living',
    defence: 'Without it workers that are idle for a moment are removed, and health counts none.',
    file: JANITOR,
    take: ' || idleMs < this.limits.consumerAgeMs',
    witnesses: [`${WORKER}/janitor.spec.ts`],
  },
  {
    name: 'the-janitor-looks-where-there-is-something-to-do',
    defence: 'Without it an idle worker of fifty queues asks eight times a second about nothing.',
    file: JANITOR,
    take: 'await broker.cleaningDue(request)',
    by: '(await broker.cleaningDue(request), queues)',
    witnesses: [`${WORKER}/janitor.spec.ts`],
  },
  {
    name: 'the-janitor-removes-the-dead',
    defence: 'Without it every process that ever was is a consumer for good.',
    file: JANITOR,
    take: '      await this.broker.removeConsumer(queue, name);\n',
    witnesses: UPKEEP,
  },
  {
    name: 'dead-letters-are-bounded-by-number',
    defence: 'Without it a flood of failures fills the memory of Redis.',
    file: JANITOR,
    take: 'position < tooMany || ',
    witnesses: UPKEEP,
  },
  {
    name: 'dead-letters-are-bounded-by-age',
    defence: 'Without it what failed is kept for good.',
    file: JANITOR,
    take: ' || letter.diedAt < before',
    witnesses: UPKEEP,
  },
];
