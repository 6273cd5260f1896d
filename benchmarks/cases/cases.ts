import type { BenchCase } from './bench-case.js';
import { enqueueCase, enqueueMany } from './enqueue.js';
import { processCase } from './process.js';

/** Every question, in the order of the document. */
export const cases: readonly BenchCase[] = [
  enqueueCase('enqueue-1', { callers: 1 }),
  enqueueCase('enqueue-100', { callers: 100 }),
  enqueueCase('enqueue-1000', { callers: 1000 }),
  enqueueMany,
  enqueueCase('enqueue-100-2k', { callers: 100, size: '2k' }),
  processCase('process-1', { slots: 1 }),
  processCase('process-10', { slots: 10 }),
  processCase('process-100', {
    slots: 100,
    contenders: ['taskq', 'taskq-nest', 'taskq-nest-full', 'bullmq', 'groupmq', 'bee-queue', 'ceiling'],
  }),
  processCase('process-100-2k', { slots: 100, size: '2k' }),
];
