import { backlogCase } from './backlog.js';
import type { BenchCase } from './bench-case.js';
import { clusterCase } from './cluster.js';
import { delayed } from './delayed.js';
import { enqueueCase, enqueueMany } from './enqueue.js';
import { deadLetter, retry } from './failing.js';
import { idleCase } from './idle.js';
import { memoryCase } from './memory.js';
import { loneEnqueue, pickup } from './pickup.js';
import { processCase } from './process.js';
import { steadyCase } from './steady.js';
import { workersCase } from './workers.js';

/** Every question, in the order of the document. */
export const cases: readonly BenchCase[] = [
  enqueueCase('enqueue-1', { callers: 1, rounds: 2 }),
  enqueueCase('enqueue-100', { callers: 100, profiled: true }),
  enqueueCase('enqueue-1000', { callers: 1000, rounds: 2 }),
  enqueueMany,
  enqueueCase('enqueue-100-2k', { callers: 100, size: '2k', rounds: 1 }),
  processCase('process-1', { slots: 1 }),
  processCase('process-10', { slots: 10 }),
  processCase('process-100', {
    slots: 100,
    profiled: true,
    contenders: ['taskq', 'taskq-nest', 'taskq-nest-full', 'bullmq', 'groupmq', 'bee-queue', 'ceiling'],
  }),
  processCase('process-100-2k', { slots: 100, size: '2k', rounds: 1 }),
  steadyCase('steady-50', 0.5),
  steadyCase('steady-90', 0.9),
  pickup,
  loneEnqueue,
  delayed,
  ...[1, 10, 100].map((ms) =>
    processCase(`handler-${ms}ms`, {
      ...{ slots: 100, handlerMs: ms, rounds: 1 },
      contenders: ['taskq', 'bullmq', 'groupmq', 'bee-queue'],
    }),
  ),
  memoryCase('ready', ['taskq', 'bullmq', 'groupmq', 'bee-queue', 'ceiling']),
  memoryCase('scheduled', ['taskq', 'bullmq', 'groupmq', 'bee-queue']),
  memoryCase('active', ['taskq', 'bullmq', 'bee-queue']),
  backlogCase('backlog-1k', 1000, ['taskq', 'bullmq']),
  backlogCase('backlog-100k', 100_000, ['taskq', 'bullmq']),
  backlogCase('backlog-2m', 2_000_000, ['taskq']),
  retry,
  deadLetter,
  idleCase('idle-1', 1, ['taskq', 'bullmq']),
  idleCase('idle-50', 50, ['taskq', 'bullmq', 'groupmq', 'bee-queue']),
  enqueueCase('aof-enqueue-100', {
    ...{ callers: 100, server: 'append-only', rounds: 1 },
    contenders: ['taskq', 'bullmq'],
  }),
  processCase('aof-process-100', {
    ...{ slots: 100, server: 'append-only', rounds: 1 },
    contenders: ['taskq', 'bullmq'],
  }),
  processCase('telemetry', {
    ...{ slots: 100, contenders: ['taskq', 'taskq-listened'], against: 'taskq' },
    title: 'process: 100 slots, with and without a listener on every event of a task',
  }),
  workersCase('workers-1', 1),
  workersCase('workers-2', 2),
  workersCase('workers-4', 4),
  clusterCase(1),
  clusterCase(3),
];
